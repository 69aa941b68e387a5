import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MqError } from '@orbitmq/base';
import { pollingMs } from './polling-time.ts';

const wait = (requestedMs: number | undefined, remainingMs: number, requestTimeoutMs?: number): number =>
  pollingMs({ requestedMs, remainingMs, requestTimeoutMs, deadlineMarginMs: 500 });

test('the wait that a client asks for is kept within 5 to 20 s', () => {
  for (const [requestedMs, expectedMs] of [
    [20_000, 20_000],
    [30_000, 20_000],
    [10_000, 10_000],
    [1_000, 5_000],
    [0, 5_000],
    [-1, 5_000],
    [1e21, 20_000],
  ] as const) {
    assert.equal(wait(requestedMs, 60_000), expectedMs, String(requestedMs));
    assert.equal(wait(requestedMs, Number.POSITIVE_INFINITY), expectedMs, String(requestedMs));
  }
});

test('a receive ends before the deadline of its client', () => {
  assert.equal(wait(20_000, 20_000), 19_500);
  assert.equal(wait(20_000, 5_000), 4_500);
  assert.equal(wait(5_000, 4_990), 4_490);
  assert.equal(wait(20_000, 23_000), 20_000);
});

test('very old clients say nothing: deadline less half their request timeout', () => {
  assert.equal(wait(undefined, 18_000, 6_000), 15_000);
  assert.equal(wait(undefined, 18_000), 16_500);
  assert.equal(wait(undefined, Number.POSITIVE_INFINITY), 20_000);
});

test('too short a deadline is refused', () => {
  for (const remainingMs of [0, 1_000, 4_000, 4_499]) {
    assert.throws(
      () => wait(20_000, remainingMs),
      (error) => error instanceof MqError && error.code === 'ILLEGAL_POLLING_TIME' && error.message.includes('5000 ms'),
    );
  }
});
