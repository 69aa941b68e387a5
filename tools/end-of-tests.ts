import { after } from 'node:test';

/** What a test has stopped may need so long to be gone. */
const PATIENCE_MS = 30_000;
/** For all tests of a file, with their hooks, which no other limit holds. */
const FILE_MS = 20 * 60_000;

// Preloaded into every test file: a process that does not end, as a failed test has left something behind, would hold up
// the whole run without a word.
if (process.env.NODE_TEST_CONTEXT !== undefined) {
  endAfter(FILE_MS, `the tests of this file are not over after ${FILE_MS} ms`);
  after(() =>
    endAfter(PATIENCE_MS, `the tests of this file were over ${PATIENCE_MS} ms ago, but their process did not end`),
  );
}

function endAfter(delayMs: number, reason: string): void {
  const end = (): void => {
    console.error(`${reason}; it was held by ${process.getActiveResourcesInfo().join(', ')}`);
    process.exit(1);
  };
  setTimeout(end, delayMs).unref();
}
