import { relative } from 'node:path';
import type { TestEvent } from 'node:test/reporters';
import { ROOT } from './repository.ts';
import { isOfSubtests } from './test-record.ts';

/** Tells how a test run goes for people: a line for each file as it ends, figures and failures in full at once. */
export default async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of events) {
    if (event.type === 'test:stderr') yield event.data.message;
    // What the runner itself has to say, and has no test, is counted elsewhere.
    if (event.type === 'test:diagnostic' && event.data.nesting > 0) yield `    ${event.data.message}\n`;
    if (event.type === 'test:fail' && !isOfSubtests(event.data)) yield describeFailure(event.data);
    if (event.type === 'test:summary' && event.data.file !== undefined) yield describeFile(event.data);
  }
}

type Summary = Extract<TestEvent, { type: 'test:summary' }>['data'];
type Failure = Extract<TestEvent, { type: 'test:fail' }>['data'];

function describeFile({ file, counts, duration_ms: durationMs }: Summary): string {
  const failedCount = counts.tests - counts.passed - counts.skipped - counts.todo;
  const skipped = counts.skipped + counts.todo > 0 ? `, ${counts.skipped + counts.todo} skipped` : '';
  const failed = failedCount > 0 ? `, ${failedCount} FAILED` : '';
  return `  ${relative(ROOT, file ?? '')}: ${counts.passed} passed${failed}${skipped} (${(durationMs / 1000).toFixed(1)} s)\n`;
}

function describeFailure(failure: Failure): string {
  const { error } = failure.details;
  const cause: unknown = error.cause ?? error;
  const text = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
  const place = failure.file === undefined ? '' : ` (${relative(ROOT, failure.file)}:${failure.line})`;
  return `\n  FAILED: ${failure.name}${place}\n${text.replace(/^/gm, '    ')}\n\n`;
}
