import type { IndexedQueue } from '@orbitmq/views';
import type { Waiter } from './common-types.ts';
import { WaitingReceive } from './subscription.ts';

/** Pulls that have reached the end of their queue and wait. A message is for all of them: each reads for itself. */
export class PullWaiters {
  readonly #byQueue = new Map<number, Set<WaitingReceive>>();

  /** Waits until consumers may see a message at `offset` of the queue. */
  wait(queue: IndexedQueue, offset: number): Waiter {
    const waiter = new WaitingReceive((cancelled) => this.#remove(queue.uid, cancelled));
    if (queue.visibleOffset > offset) {
      waiter.settle(true);
      return waiter;
    }
    let waiters = this.#byQueue.get(queue.uid);
    if (waiters === undefined) {
      waiters = new Set();
      this.#byQueue.set(queue.uid, waiters);
    }
    waiters.add(waiter);
    return waiter;
  }

  /** The queue has something new. */
  wake(queueUid: number): void {
    this.#settle(queueUid, true);
  }

  /** The queue is gone. */
  dismiss(queueUid: number): void {
    this.#settle(queueUid, false);
  }

  /** The shard stops: nobody waits any longer. */
  dismissAll(): void {
    for (const queueUid of [...this.#byQueue.keys()]) this.#settle(queueUid, false);
  }

  #settle(queueUid: number, found: boolean): void {
    const waiters = this.#byQueue.get(queueUid);
    if (waiters === undefined) return;
    this.#byQueue.delete(queueUid);
    for (const waiter of waiters) waiter.settle(found);
  }

  #remove(queueUid: number, waiter: WaitingReceive): void {
    const waiters = this.#byQueue.get(queueUid);
    if (waiters?.delete(waiter) === true && waiters.size === 0) this.#byQueue.delete(queueUid);
  }
}
