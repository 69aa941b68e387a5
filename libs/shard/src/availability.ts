import { NONE, type QueueChange } from '@orbitmq/views';
import { type Blocking, blockingOf, busyGroups, LOOK_AHEAD_MAX, nextTurn } from './message-groups.ts';
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

  /** What holds this group up; undefined where order doesn't matter. */
  blocking(subscription: Subscription): Blocking | undefined {
    return blockingOf(this.#state.metadata.groupByUid(subscription.groupUid));
  }

  /** No more messages may be handed out for the first time. */
  isFull(plannedCount = 0): boolean {
    return this.#state.progress.entryCount + plannedCount >= this.#outstandingMax;
  }

  /** First offset that the group has not reached. */
  nextOffset(queue: SubscribedQueue): number {
    return Math.max(queue.progress?.nextOffset ?? 0, queue.indexed.minOffset);
  }

  /**
   * The oldest change in the number of queues in front of which an ordered group has something to settle: nothing from
   * behind it may be handed out, nor handed out again.
   */
  openChange(subscription: Subscription, blocking: Blocking | undefined): QueueChange | undefined {
    if (blocking === undefined) return undefined;
    const changes = this.#state.queueChanges.of(subscription.topicUid);
    if (changes.length === 0) return undefined;
    const queues = subscription.queues(this.#state);
    return changes.find((change) => queues.some((queue) => this.#floor(queue) < (change[queue.queue.id] ?? 0)));
  }

  /** End of what may be handed out of a queue. */
  endOffset(queue: SubscribedQueue, change: QueueChange | undefined): number {
    const { visibleOffset } = queue.indexed;
    return change === undefined ? visibleOffset : Math.min(visibleOffset, change[queue.queue.id] ?? 0);
  }

  /** Nobody may take anything of this queue now. */
  isBlocked(queue: SubscribedQueue, blocking: Blocking | undefined): boolean {
    return (
      queue.picking ||
      queue.resting ||
      (blocking === 'queue' && queue.progress !== undefined && queue.progress.leasedCount > 0)
    );
  }

  /** A receive may find something. */
  hasAny(subscription: Subscription): boolean {
    const blocking = this.blocking(subscription);
    const change = this.openChange(subscription, blocking);
    const full = this.isFull();
    for (const queue of subscription.queues(this.#state)) {
      if (this.isBlocked(queue, blocking)) continue;
      const endOffset = this.endOffset(queue, change);
      const hasNew = !full && this.nextOffset(queue) < endOffset;
      if (blocking === 'message group') {
        if (this.#hasGrouped(queue, hasNew, endOffset)) return true;
      } else if (this.#hasReady(queue, endOffset) || hasNew) return true;
    }
    return false;
  }

  /** Where order matters not, or nothing is leased, the first entry is the first that has expired. */
  #hasReady({ progress }: SubscribedQueue, endOffset: number): boolean {
    return progress !== undefined && progress.readyCount > 0 && this.#state.progress.floorOffset(progress) < endOffset;
  }

  #hasGrouped(queue: SubscribedQueue, hasNew: boolean, endOffset: number): boolean {
    const held = queue.progress;
    if (held === undefined) return hasNew;
    const turn = nextTurn(this.#state.progress, held, busyGroups(this.#state.progress, held), endOffset);
    return turn === 'again' || (turn === 'new' && hasNew && held.count < LOOK_AHEAD_MAX);
  }

  /** Everything below is settled. */
  #floor(queue: SubscribedQueue): number {
    const held = queue.progress;
    if (held === undefined || held.first === NONE) return this.nextOffset(queue);
    return this.#state.progress.floorOffset(held);
  }
}
