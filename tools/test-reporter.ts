import { relative } from 'node:path';
import type { TestEvent } from 'node:test/reporters';
import { ROOT } from './repository.ts';

/** Counts of the tests of one file. */
interface Counts {
  passed: number;
  failed: number;
  skipped: number;
  startedMs: number;
}

/** Tells how a test run goes for people: a line for each file, and failures in full at once. */
export default async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const files = new Map<string, Counts>();
  for await (const event of events) {
    if (event.type === 'test:enqueue' || event.type === 'test:dequeue') countsOf(files, event.data.file);
    if (event.type === 'test:stderr') yield event.data.message;
    if (event.type === 'test:pass' && event.data.details.type !== 'suite') {
      const counts = countsOf(files, event.data.file);
      if (event.data.skip !== undefined || event.data.todo !== undefined) counts.skipped++;
      else counts.passed++;
    }
    if (event.type === 'test:fail') {
      countsOf(files, event.data.file).failed++;
      yield describeFailure(event.data);
    }
    if (event.type === 'test:summary' && event.data.file !== undefined)
      yield describeFile(event.data.file, countsOf(files, event.data.file));
  }
}

function countsOf(files: Map<string, Counts>, file = ''): Counts {
  let counts = files.get(file);
  if (counts === undefined) {
    counts = { passed: 0, failed: 0, skipped: 0, startedMs: performance.now() };
    files.set(file, counts);
  }
  return counts;
}

function describeFile(file: string, counts: Counts): string {
  const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
  const failed = counts.failed > 0 ? `, ${counts.failed} FAILED` : '';
  const seconds = ((performance.now() - counts.startedMs) / 1000).toFixed(1);
  return `  ${relative(ROOT, file)}: ${counts.passed} passed${failed}${skipped} (${seconds} s)\n`;
}

type Failure = Extract<TestEvent, { type: 'test:fail' }>['data'];

function describeFailure(failure: Failure): string {
  const { error } = failure.details;
  const cause: unknown = error.cause ?? error;
  const text = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
  const place = failure.file === undefined ? '' : ` (${relative(ROOT, failure.file)}:${failure.line})`;
  return `\n  FAILED: ${failure.name}${place}\n${text.replace(/^/gm, '    ')}\n\n`;
}
