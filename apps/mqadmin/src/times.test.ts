import assert from 'node:assert/strict';
import { test } from 'node:test';
import { timeOf, timeText } from './times.ts';
import { UsageError } from './usage.ts';

test('times are read in the forms of the original, and written so that they can be compared', () => {
  assert.equal(timeOf('-s', '1700000000123'), 1_700_000_000_123);
  const local = new Date(2026, 0, 31, 12, 5, 6, 7).getTime();
  assert.equal(timeOf('-s', '2026-01-31#12:05:06:007'), local);
  assert.equal(timeOf('-s', '2026-01-31#12:05:06'), local - 7);
  assert.equal(timeText(local), '2026-01-31 12:05:06,007');
  assert.equal(timeText(undefined), '');
  assert.ok(timeOf('-s', 'now') > local - 10 * 365 * 86_400_000);
});

test('what is no time is refused', () => {
  for (const text of ['', 'yesterday', '2026-02-31#00:00:00:000', '2026-01-31 12:00:00', '-5', '1.5']) {
    assert.throws(() => timeOf('-s', text), UsageError, text);
  }
});
