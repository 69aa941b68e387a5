import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type SettleWaiter, SettleWaiters } from './settle-waiters.ts';

describe('those who wait for a batch', () => {
  it('are told in the order in which they came, each once', async () => {
    const told: string[] = [];
    const waiters = new SettleWaiters();
    const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    waiters.add(first.promise, waiterOf('a', told));
    waiters.add(first.promise, waiterOf('b', told));
    waiters.add(second.promise, waiterOf('c', told));
    assert.deepEqual(told, []);
    first.resolve();
    await first.promise;
    assert.deepEqual(told, ['a', 'b']);
    second.reject(new Error('EIO'));
    await assert.rejects(second.promise);
    assert.deepEqual(told, ['a', 'b', 'c EIO']);
  });

  it('are told of a batch that was stored before they came, and not at once', async () => {
    const told: string[] = [];
    const waiters = new SettleWaiters();
    const stored = Promise.resolve();
    waiters.add(stored, waiterOf('a', told));
    await stored;
    waiters.add(stored, waiterOf('b', told));
    assert.deepEqual(told, ['a']);
    await stored;
    assert.deepEqual(told, ['a', 'b']);
  });

  it('may come while others are told', async () => {
    const told: string[] = [];
    const waiters = new SettleWaiters();
    const stored = Promise.resolve();
    const again = { ...waiterOf('a', told), settled: () => waiters.add(stored, waiterOf('again', told)) };
    waiters.add(stored, again);
    waiters.add(stored, waiterOf('b', told));
    await stored;
    await stored;
    assert.deepEqual(told, ['b', 'again']);
  });
});

function waiterOf(name: string, told: string[]): SettleWaiter {
  return {
    settled: () => told.push(name),
    unsettled: (error) => told.push(`${name} ${(error as Error).message}`),
  };
}
