import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EndableRequests } from './endable-requests.ts';

/** Gives what is pushed, one at a time. */
class Pushed implements AsyncIterableIterator<number> {
  #pending = Promise.withResolvers<IteratorResult<number>>();

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<number>> {
    this.#pending = Promise.withResolvers();
    return this.#pending.promise;
  }

  push(value: number): void {
    this.#pending.resolve({ done: false, value });
  }

  fail(error: Error): void {
    this.#pending.reject(error);
  }
}

describe('requests that can be ended', () => {
  it('passes on what comes, and how it ends', async () => {
    const source = new Pushed();
    const requests = new EndableRequests(source);
    const first = requests.next();
    source.push(1);
    assert.deepEqual(await first, { done: false, value: 1 });
    const second = requests.next();
    source.fail(new Error('cut'));
    await assert.rejects(second, /cut/);
  });

  it('ends who waits, and who asks later', async () => {
    const source = new Pushed();
    const requests = new EndableRequests(source);
    const waiting = requests.next();
    requests.end();
    requests.end();
    source.push(1);
    assert.equal((await waiting).done, true);
    assert.equal((await requests.next()).done, true);
  });

  it('ends with the loop over it', async () => {
    async function* numbers() {
      yield* [1, 2, 3];
    }
    const requests = new EndableRequests(numbers());
    for await (const number of requests) if (number === 2) break;
    assert.equal((await requests.next()).done, true);
  });
});
