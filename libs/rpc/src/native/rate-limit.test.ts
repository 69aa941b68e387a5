import assert from 'node:assert/strict';
import { it } from 'node:test';
import { RateLimit } from './rate-limit.ts';

it('RateLimit allows a burst, then its rate, and what is welcome', () => {
  const limit = new RateLimit(10, 20, 0);
  assert.ok(limit.take(20, 0));
  assert.ok(limit.take(10, 1_000));
  limit.allow(3);
  assert.ok(limit.take(3, 1_000));
  assert.ok(limit.take(20, 60_000), 'no more than the burst is saved up');
  assert.equal(limit.take(1, 60_000), false);
  assert.ok(limit.take(1, 80_000));
  assert.ok(limit.take(19, 90_000), 'nor while some of it is left');
  assert.equal(limit.take(2, 90_000), false);
});
