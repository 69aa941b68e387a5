import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SimClock } from '@orbitmq/testkit';
import { BoundedSettling } from './bounded-settling.ts';

describe('a bounded wait for what others store', () => {
  it('ends with the batch, and leaves no timer', async () => {
    const clock = new SimClock();
    const batch = Promise.withResolvers<void>();
    const bounded = new BoundedSettling(clock, 3000);
    const waiting = bounded.bound(batch.promise);
    batch.resolve();
    await waiting;
    assert.equal(clock.timerCount, 0);
  });

  it('tells all who wait for a batch when its time is up, with one timer', async () => {
    const clock = new SimClock();
    const batch = new Promise<void>(() => {});
    const bounded = new BoundedSettling(clock, 3000);
    const outcomes = Promise.allSettled([bounded.bound(batch), bounded.bound(batch)]);
    assert.equal(clock.timerCount, 1);
    await clock.advance(3000);
    for (const outcome of await outcomes) {
      assert(outcome.status === 'rejected');
      assert.equal(outcome.reason.code, 'SLAVE_PERSISTENCE_TIMEOUT');
    }
  });

  it('passes a failure of the log on', async () => {
    const batch = Promise.withResolvers<void>();
    const waiting = new BoundedSettling(new SimClock(), 3000).bound(batch.promise);
    batch.reject(new Error('EIO'));
    await assert.rejects(waiting, /EIO/);
  });
});
