import type { Clock } from '@orbitmq/base';
import { type GroupQueue, type IndexEntry, NONE } from '@orbitmq/views';
import type { Availability } from './availability.ts';
import type { GroupedMessage } from './group-lease.ts';
import type { LiteReading } from './lite-reading.ts';
import { type Blocking, busyGroups, LOOK_AHEAD_MAX, messageGroupHash, nextTurn } from './message-groups.ts';
import { isUnreadable, type MessageReader, type StoredMessage, type Unreadable } from './message-reader.ts';
import type { QueueTurns } from './queue-turns.ts';
import { ReadFault } from './read-faults.ts';
import type { MessageFilter, ReceiveRequest } from './shard.ts';
import type { ShardState } from './state.ts';
import type { SubscribedQueue, Subscription } from './subscription.ts';

/** Index entries that one pick looks at before it lets others have their turn. */
const SCANNED_MAX = 20_000;
/** How long one pick asks a filter about messages before it lets others have their turn. Milliseconds. */
const FILTERING_MS_MAX = 10;

/** Messages that a receive takes from one queue. */
export interface PlannedQueue {
  readonly queue: SubscribedQueue;
  nextOffset: number;
  /** Messages from here on are not for this pick. */
  readonly endOffset: number;
  readonly offsets: number[];
  readonly physicalOffsets: number[];
  readonly lengths: number[];
  /** Where message groups block: the hash of each one's group. */
  readonly messageGroups: number[];
  /** Messages that are put off, as their message group is blocked. */
  readonly deferred: GroupedMessage[];
}

/** What a receive takes, found in one synchronous step and to be recorded in the same. */
export interface Plan {
  readonly queues: PlannedQueue[];
  /** What holds the group up; undefined where order doesn't matter. */
  readonly blocking: Blocking | undefined;
  count: number;
  bytes: number;
  /** Messages passed over or put off. */
  skippedCount: number;
  scannedCount: number;
  /** Nothing was taken, as something must come from the disk first. */
  missing: { readonly queue: SubscribedQueue; readonly loaded: Promise<unknown> } | undefined;
  /** New messages were left, as too many are handed out already. */
  refused: boolean;
  /** The filter has taken its time: what it was not asked about is for the next pick. */
  late: boolean;
}

/** A message that was read ahead of the filter's question, or the reason why it can't be. */
export type Prepared = Map<number, StoredMessage | Unreadable>;

/** What a pick has to know of a receive. */
interface Takes {
  readonly filter?: MessageFilter | undefined;
  readonly countMax: number;
  readonly bytesMax: number;
}

/** What a pick works with. */
interface Pick {
  readonly request: Takes;
  readonly prepared: Prepared;
  readonly plan: Plan;
  /** Monotonic time up to which the filter is asked. */
  readonly filterUntilMs: number;
}

/** Chooses messages for receives. */
export class Picker {
  readonly #state: ShardState;
  readonly #reader: MessageReader;
  readonly #clock: Clock;
  readonly #availability: Availability;
  readonly #turns: QueueTurns;
  readonly #entry: IndexEntry = { physicalOffset: 0, length: 0, tagHash: 0 };
  /** Hears of a message that can't be read and is passed over. */
  readonly #onUnreadable: (subscription: Subscription, queue: SubscribedQueue, error: Unreadable) => void;

  constructor(
    state: ShardState,
    reader: MessageReader,
    clock: Clock,
    availability: Availability,
    turns: QueueTurns,
    onUnreadable: (subscription: Subscription, queue: SubscribedQueue, error: Unreadable) => void,
  ) {
    this.#state = state;
    this.#reader = reader;
    this.#clock = clock;
    this.#availability = availability;
    this.#turns = turns;
    this.#onUnreadable = onUnreadable;
  }

  /** One round over the queues, from the one whose turn it is. */
  pick(subscription: Subscription, request: ReceiveRequest, prepared: Prepared): Plan {
    const blocking = this.#availability.blocking(subscription);
    const plan = emptyPlan(blocking);
    const change = this.#availability.openChange(subscription, blocking);
    const filterUntilMs = this.#clock.monotonicMs() + FILTERING_MS_MAX;
    const pick: Pick = { request, prepared, plan, filterUntilMs };
    const queues = subscription.queues(this.#state);
    if (queues.length === 0) return plan;
    const { first, step } = this.#turns.next(subscription, queues.length);
    for (let turn = 0; turn < queues.length && !isOver(pick); turn++) {
      const queue = queues[(first + step * turn + queues.length) % queues.length]!;
      if (this.#availability.isBlocked(queue, blocking)) continue;
      const formerNext = this.#availability.nextOffset(queue);
      const planned = emptyQueue(queue, formerNext, this.#availability.endOffset(queue, change));
      if (blocking === 'message group') this.#takeGrouped(pick, planned, subscription);
      else if (this.#takeReady(pick, planned)) this.#takeNew(pick, planned, subscription, undefined);
      if (planned.offsets.length > 0 || planned.nextOffset > formerNext) plan.queues.push(planned);
    }
    return plan;
  }

  /**
   * One round over lite topics that have something to give. Each is in order for itself; several may fill one batch.
   * @param subscription of the group and the parent
   */
  pickLite(subscription: Subscription, reading: LiteReading, request: Takes, prepared: Prepared): Plan {
    const plan = emptyPlan('queue');
    const pick: Pick = { request, prepared, plan, filterUntilMs: 0 };
    while (!isOver(pick)) {
      const queue = reading.take();
      if (queue === undefined) {
        plan.refused = plan.count === 0 && reading.isStarved;
        break;
      }
      const planned = emptyQueue(queue, this.#availability.nextOffset(queue), queue.indexed.visibleOffset);
      if (this.#takeReady(pick, planned)) this.#takeNew(pick, planned, subscription, undefined);
      if (planned.offsets.length > 0) {
        plan.queues.push(planned);
        continue;
      }
      // Nothing of it fits any more: it stays the next. One that must come from the disk is offered again when it has.
      if (plan.missing === undefined) reading.putBack(queue);
      break;
    }
    return plan;
  }

  /**
   * The batch that this attempt was given before and still holds, up to the first message that it gave back.
   * @returns undefined when there is none
   */
  repeat(queues: readonly SubscribedQueue[], blocking: Blocking | undefined, attemptId: string): Plan | undefined {
    const { progress, index } = this.#state;
    const plan = emptyPlan(blocking);
    for (const queue of queues) {
      const held = queue.progress;
      const attempt = held?.attempts.find(({ id }) => id === attemptId);
      if (held === undefined || attempt === undefined || held.leasedCount === 0) continue;
      const planned = emptyQueue(queue, held.nextOffset, held.nextOffset);
      const waiting = new Set<number>();
      for (let slot = held.first; slot !== NONE; slot = progress.next(slot)) {
        const isHeld = !progress.isReady(slot) && !progress.isSpent(slot) && progress.leaseId(slot) === attempt.leaseId;
        if (!isHeld) {
          // One that was given back or has expired comes before what lies behind it: the rest must wait for it.
          if (plan.blocking !== 'message group') break;
          waiting.add(progress.messageGroup(slot));
          continue;
        }
        if (waiting.has(progress.messageGroup(slot))) continue;
        const offset = progress.offset(slot);
        if (!index.locate(queue.indexed, offset, this.#entry)) {
          plan.missing = { queue, loaded: index.load(queue.indexed, offset) };
          return plan;
        }
        this.#add(plan, planned, offset);
      }
      if (planned.offsets.length > 0) plan.queues.push(planned);
    }
    return plan.count > 0 ? plan : undefined;
  }

  /** Messages whose lease has expired. Returns false when the queue is done with for this pick. */
  #takeReady(pick: Pick, planned: PlannedQueue): boolean {
    const { progress, index } = this.#state;
    const held = planned.queue.progress;
    if (held === undefined || held.readyCount === 0) return true;
    // Nothing is leased when a FIFO group comes here, so that its entries in offset order are all expired.
    const isOrderly = pick.plan.blocking !== undefined;
    let slot = isOrderly ? held.first : held.ready.first;
    while (slot !== NONE) {
      const offset = progress.offset(slot);
      // It was given back behind a change in the number of queues: what is in front of that comes first.
      if (isOrderly && offset >= planned.endOffset) return false;
      if (!index.locate(planned.queue.indexed, offset, this.#entry)) return this.#miss(pick, planned, offset);
      if (!fits(pick, this.#entry.length)) return false;
      this.#add(pick.plan, planned, offset);
      slot = isOrderly ? progress.next(slot) : progress.nextReady(slot);
    }
    // A lease record names its messages in ascending order, whichever expired first.
    if (!isOrderly) sortPlanned(planned);
    return pick.plan.count < pick.request.countMax;
  }

  /** Where message groups block: what has expired of those that are free, then new messages of free groups. */
  #takeGrouped(pick: Pick, planned: PlannedQueue, subscription: Subscription): void {
    const { progress } = this.#state;
    const held = planned.queue.progress;
    const busy = busyGroups(progress, held);
    if (held !== undefined) {
      const turn = nextTurn(progress, held, busy, planned.endOffset);
      if (turn === 'nothing') return;
      if (turn === 'again' && !this.#takeReadyGroups(pick, planned, held, busy)) return;
    }
    this.#takeNew(pick, planned, subscription, busy);
  }

  /** Returns false when the queue is done with for this pick. */
  #takeReadyGroups(pick: Pick, planned: PlannedQueue, held: GroupQueue, busy: ReadonlySet<number>): boolean {
    const { progress, index } = this.#state;
    for (let slot = held.first; slot !== NONE; slot = progress.next(slot)) {
      let messageGroup = progress.messageGroup(slot);
      if (!progress.isReady(slot) || busy.has(messageGroup)) continue;
      const offset = progress.offset(slot);
      if (offset >= planned.endOffset) return false;
      if (!index.locate(planned.queue.indexed, offset, this.#entry)) return this.#miss(pick, planned, offset);
      if (messageGroup === 0) {
        if (busy.size > 0) return false;
        messageGroup = this.#messageGroup(pick, planned) ?? 0;
        if (messageGroup === 0) return false;
      }
      if (!fits(pick, this.#entry.length)) return false;
      this.#add(pick.plan, planned, offset);
      planned.messageGroups.push(messageGroup);
    }
    return pick.plan.count < pick.request.countMax;
  }

  /** @param busy message groups that are blocked; undefined where message groups don't matter */
  #takeNew(pick: Pick, planned: PlannedQueue, subscription: Subscription, busy: ReadonlySet<number> | undefined): void {
    const { plan } = pick;
    const { indexed } = planned.queue;
    const heldCount = planned.queue.progress?.count ?? 0;
    while (planned.nextOffset < planned.endOffset && !isOver(pick)) {
      const takenCount = planned.offsets.length + planned.deferred.length;
      if (busy !== undefined && heldCount + takenCount >= LOOK_AHEAD_MAX) return;
      if (this.#availability.isFull(plan.count + planned.deferred.length)) {
        plan.refused = true;
        return;
      }
      const offset = planned.nextOffset;
      if (!this.#state.index.locate(indexed, offset, this.#entry)) {
        this.#miss(pick, planned, offset);
        return;
      }
      plan.scannedCount++;
      const wanted = this.#isWanted(pick, planned, subscription);
      if (wanted === undefined) return;
      if (!wanted) plan.skippedCount++;
      else if (!this.#takeOne(pick, planned, busy)) return;
      planned.nextOffset++;
    }
  }

  /** Takes the new message of `#entry`, or puts it off. Returns false when it must be left for another pick. */
  #takeOne(pick: Pick, planned: PlannedQueue, busy: ReadonlySet<number> | undefined): boolean {
    const offset = planned.nextOffset;
    if (busy !== undefined) {
      const messageGroup = this.#messageGroup(pick, planned);
      if (messageGroup === undefined) return false;
      if (busy.has(messageGroup)) {
        planned.deferred.push({ offset, messageGroup });
        pick.plan.skippedCount++;
        return true;
      }
      if (!fits(pick, this.#entry.length)) return false;
      planned.messageGroups.push(messageGroup);
    } else if (!fits(pick, this.#entry.length)) {
      return false;
    }
    this.#add(pick.plan, planned, offset);
    return true;
  }

  /** Hash of the message group of the message of `#entry`; undefined when the message must be read first. */
  #messageGroup(pick: Pick, planned: PlannedQueue): number | undefined {
    const found = this.#message(pick, planned);
    if (found === undefined) return undefined;
    // What can't be read is settled when it is handed out.
    return found instanceof Error ? UNREADABLE_GROUP : messageGroupHash(found.message);
  }

  /** Whether the message of `#entry` is for this consumer; undefined when it must be read first. */
  #isWanted(pick: Pick, planned: PlannedQueue, subscription: Subscription): boolean | undefined {
    const { filter } = pick.request;
    if (filter === undefined) return true;
    if (!filter.mayMatch(this.#entry.tagHash)) return false;
    if (filter.matches === undefined) return true;
    const found = this.#message(pick, planned);
    if (found === undefined) return undefined;
    if (found instanceof Error) {
      this.#onUnreadable(subscription, planned.queue, found);
      return false;
    }
    const wanted = filter.matches(found.message);
    if (this.#clock.monotonicMs() >= pick.filterUntilMs) pick.plan.late = true;
    return wanted;
  }

  /** The message of `#entry`; begins to read and returns undefined when memory doesn't have it. */
  #message(pick: Pick, planned: PlannedQueue): StoredMessage | Unreadable | undefined {
    const { physicalOffset, length } = this.#entry;
    const found = pick.prepared.get(physicalOffset);
    if (found !== undefined) return found;
    const read = this.#readNow(physicalOffset, length);
    if (!(read instanceof Promise)) return read;
    this.#prepare(pick, planned, read);
    return undefined;
  }

  /** Begins to read; gives at once what memory has, or the reason why it can't be read. */
  #readNow(physicalOffset: number, length: number): StoredMessage | Unreadable | Promise<StoredMessage> {
    try {
      return this.#reader.read(physicalOffset, length);
    } catch (error) {
      if (isUnreadable(error)) return error;
      throw error;
    }
  }

  /** Messages that must be looked at come from the disk: reads as many of the next ones as may be wanted. */
  #prepare(pick: Pick, planned: PlannedQueue, first: Promise<StoredMessage>): void {
    const reads = [prepared(pick.prepared, this.#entry.physicalOffset, first)];
    if (pick.plan.count === 0) {
      const { indexed } = planned.queue;
      const { filter } = pick.request;
      let offset = planned.nextOffset + 1;
      while (reads.length < pick.request.countMax && offset < planned.endOffset) {
        if (!this.#state.index.locate(indexed, offset++, this.#entry)) break;
        const { physicalOffset, length, tagHash } = this.#entry;
        if (filter !== undefined && !filter.mayMatch(tagHash)) continue;
        const read = this.#readNow(physicalOffset, length);
        if (read instanceof Promise) reads.push(prepared(pick.prepared, physicalOffset, read).catch(ignoreFault));
      }
      pick.plan.missing ??= { queue: planned.queue, loaded: Promise.all(reads) };
    } else {
      // What has been found is handed out first; this read only warms the way for the next receive.
      void Promise.all(reads).catch(() => {});
    }
  }

  #miss(pick: Pick, planned: PlannedQueue, offset: number): false {
    const loaded = this.#state.index.load(planned.queue.indexed, offset);
    if (pick.plan.count === 0) pick.plan.missing ??= { queue: planned.queue, loaded };
    else void loaded.catch(() => {});
    return false;
  }

  #add(plan: Plan, planned: PlannedQueue, offset: number): void {
    planned.offsets.push(offset);
    planned.physicalOffsets.push(this.#entry.physicalOffset);
    planned.lengths.push(this.#entry.length);
    plan.count++;
    plan.bytes += this.#entry.length;
  }
}

/** Stands for the group of a message that can't be read: it blocks nothing but its like. */
const UNREADABLE_GROUP = -1;

function emptyQueue(queue: SubscribedQueue, nextOffset: number, endOffset: number): PlannedQueue {
  return {
    queue,
    nextOffset,
    endOffset,
    offsets: [],
    physicalOffsets: [],
    lengths: [],
    messageGroups: [],
    deferred: [],
  };
}

function emptyPlan(blocking: Blocking | undefined): Plan {
  return {
    queues: [],
    blocking,
    count: 0,
    bytes: 0,
    skippedCount: 0,
    scannedCount: 0,
    missing: undefined,
    refused: false,
    late: false,
  };
}

function isOver({ plan, request }: Pick): boolean {
  return plan.count >= request.countMax || plan.scannedCount >= SCANNED_MAX || plan.late || plan.missing !== undefined;
}

function fits({ plan, request }: Pick, length: number): boolean {
  return plan.count < request.countMax && (plan.count === 0 || plan.bytes + length <= request.bytesMax);
}

async function prepared(into: Prepared, physicalOffset: number, read: Promise<StoredMessage>): Promise<void> {
  try {
    into.set(physicalOffset, await read);
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    into.set(physicalOffset, error);
  }
}

/** What is read ahead is read once more when its turn comes. */
function ignoreFault(error: unknown): void {
  if (!(error instanceof ReadFault)) throw error;
}

function sortPlanned(planned: PlannedQueue): void {
  const order = planned.offsets.map((_, index) => index).sort((a, b) => planned.offsets[a]! - planned.offsets[b]!);
  for (const column of [planned.offsets, planned.physicalOffsets, planned.lengths]) {
    const sorted = order.map((index) => column[index]!);
    column.splice(0, column.length, ...sorted);
  }
}
