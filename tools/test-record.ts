import { relative } from 'node:path';
import type { TestEvent } from 'node:test/reporters';
import { ROOT } from './repository.ts';

/** One line of what `tools/test.ts` reads: how a test ended. */
export interface TestRecord {
  readonly outcome: 'passed' | 'failed' | 'skipped';
  /** File and name. */
  readonly name: string;
  /** Why it was skipped. */
  readonly reason?: string;
}

/** It failed because something in it did, which is reported by itself. */
export function isOfSubtests(failure: Extract<TestEvent, { type: 'test:fail' }>['data']): boolean {
  return (failure.details.error as { failureType?: string }).failureType === 'subtestsFailed';
}

/** Writes how each test ended, a JSON line a test; suites are not counted, only what is in them, unless they are skipped as a whole. */
export default async function* record(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of events) {
    if (event.type !== 'test:pass' && event.type !== 'test:fail') continue;
    const { name, file, details, skip, todo } = event.data;
    if (details.type === 'suite' && event.type === 'test:pass' && skip === undefined) continue;
    if (event.type === 'test:fail' && isOfSubtests(event.data)) continue;
    const skipped = skip ?? todo;
    const line: TestRecord = {
      outcome: event.type === 'test:fail' ? 'failed' : skipped !== undefined ? 'skipped' : 'passed',
      name: file === undefined || name === file ? name : `${relative(ROOT, file)}: ${name}`,
      ...(typeof skipped === 'string' ? { reason: skipped } : {}),
    };
    yield `${JSON.stringify(line)}\n`;
  }
}
