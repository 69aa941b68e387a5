import type { ShardState } from './state.ts';
import type { SubscribedQueue, Subscription } from './subscription.ts';

/** Says what a receive could take. The picker and the waiters ask the same questions, so that none waits in vain. */
export class Availability {
  readonly #state: ShardState;
  readonly #outstandingMax: number;

  constructor(state: ShardState, outstandingMax: number) {
    this.#state = state;
    this.#outstandingMax = outstandingMax;
  }

  /** Order matters to this group: one batch of a queue at a time. */
  isOrderly(subscription: Subscription): boolean {
    return this.#state.metadata.groupByUid(subscription.groupUid)?.consumeMessageOrderly === true;
  }

  /** No more messages may be handed out for the first time. */
  isFull(plannedCount = 0): boolean {
    return this.#state.progress.entryCount + plannedCount >= this.#outstandingMax;
  }

  /** First offset that the group has not reached. */
  nextOffset(queue: SubscribedQueue): number {
    return Math.max(queue.progress?.nextOffset ?? 0, queue.indexed.minOffset);
  }

  hasNew(queue: SubscribedQueue): boolean {
    return this.nextOffset(queue) < queue.indexed.visibleOffset;
  }

  /** A FIFO group has a batch of this queue in hand. */
  isBlocked(queue: SubscribedQueue, orderly: boolean): boolean {
    return queue.picking || (orderly && queue.progress !== undefined && queue.progress.leasedCount > 0);
  }

  /** A receive may find something. */
  hasAny(subscription: Subscription): boolean {
    const orderly = this.isOrderly(subscription);
    const full = this.isFull();
    for (const queue of subscription.queues(this.#state)) {
      if (this.isBlocked(queue, orderly)) continue;
      if (queue.progress !== undefined && queue.progress.readyCount > 0) return true;
      if (!full && this.hasNew(queue)) return true;
    }
    return false;
  }
}
