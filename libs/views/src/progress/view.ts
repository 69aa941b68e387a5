import { assert } from '@orbitmq/base';
import { ByteReader, ByteWriter } from '../bytes.ts';
import { DeadlineHeap } from './deadline-heap.ts';
import { EntrySlab, NONE, SPENT } from './entry-slab.ts';
import { EntryTable } from './entry-table.ts';
import { type Attempt, EntryList, GroupQueue, NO_ATTEMPTS, NO_ENTRIES } from './group-queue.ts';
import { isMilestone } from './milestones.ts';

const NO_QUEUES: ReadonlyMap<number, GroupQueue> = new Map();

/** Says whether a message that was handed out `attempt` times may not be handed out again. */
export type SpentRule = (groupUid: number, attempt: number) => boolean;

const NEVER: SpentRule = () => false;

/** An entry as another copy of the shard holds it. */
export interface SettledEntry {
  readonly offset: number;
  readonly leaseId: number;
  readonly attempt: number;
  /** Shard time of this copy at which its lease ends, milliseconds. */
  readonly deadlineMs: number;
  /** Hash of its message group; 0 = not known. */
  readonly messageGroup: number;
}

/** What another copy of the shard has settled of a queue for a group. */
export interface QueueSettlement {
  readonly fromOffset: number;
  /** Everything below is reached; of what lies from `fromOffset` on, only `entries` are not settled. */
  readonly nextOffset: number;
  /** Leases from this byte of the log on were made without knowing of the other copy's. */
  readonly ownFrom: number;
  /** By offset, all within the range. */
  readonly entries: readonly SettledEntry[];
}

/**
 * What each group has taken from each queue: the next offset, and the entries handed out and not settled. The `apply…`
 * methods are the state machine: they depend on nothing but their arguments. Which entries have expired (`advance`)
 * only says what may be handed out again; it is no part of the state.
 */
export class ProgressView {
  readonly #slab = new EntrySlab();
  readonly #heap = new DeadlineHeap(this.#slab);
  readonly #table = new EntryTable(this.#slab);
  readonly #groups = new Map<number, Map<number, GroupQueue>>();
  /** Group queues by their index; holes are reused. */
  readonly #owners: (GroupQueue | undefined)[] = [];
  readonly #ownersFree: number[] = [];

  /** Entries handed out and not settled, of all groups. */
  get entryCount(): number {
    return this.#slab.count;
  }

  find(groupUid: number, queueUid: number): GroupQueue | undefined {
    return this.#groups.get(groupUid)?.get(queueUid);
  }

  /** Queues of a group that something was handed out from, by queue uid. */
  queuesOf(groupUid: number): ReadonlyMap<number, GroupQueue> {
    return this.#groups.get(groupUid) ?? NO_QUEUES;
  }

  /** All groups that hold progress on a queue. */
  *groupsOf(queueUid: number): IterableIterator<GroupQueue> {
    for (const queues of this.#groups.values()) {
      const queue = queues.get(queueUid);
      if (queue !== undefined) yield queue;
    }
  }

  // Reading entries: a slot stays valid until the entry is settled.

  /** Slot of an outstanding entry, or NONE. */
  entry(queue: GroupQueue, offset: number): number {
    return this.#table.find(queue.index, offset);
  }

  offset(slot: number): number {
    return this.#slab.offset[slot]!;
  }

  deadlineMs(slot: number): number {
    return this.#slab.deadlineMs[slot]!;
  }

  leaseId(slot: number): number {
    return this.#slab.leaseId[slot]!;
  }

  /** Times it was handed out; 0 when it was put off or given back, and not handed out since. */
  attempt(slot: number): number {
    return this.#slab.attempt[slot]!;
  }

  /** Hash of its message group; 0 = not known. */
  messageGroup(slot: number): number {
    return this.#slab.messageGroup[slot]!;
  }

  /** Stands for the client for whom its lease is renewed; 0 = none. */
  holder(slot: number): number {
    return this.#slab.holder[slot]!;
  }

  /** The next outstanding entry by offset, or NONE. */
  next(slot: number): number {
    return this.#slab.next[slot]!;
  }

  /** The next expired entry, or NONE. */
  nextReady(slot: number): number {
    return this.#slab.readyNext[slot]!;
  }

  isReady(slot: number): boolean {
    return this.#slab.heapPosition[slot] === NONE;
  }

  isSpent(slot: number): boolean {
    return this.#slab.heapPosition[slot] === SPENT;
  }

  /** First offset that is not settled. */
  floorOffset(queue: GroupQueue): number {
    return queue.first === NONE ? queue.nextOffset : this.#slab.offset[queue.first]!;
  }

  /** Lowest offset of an entry whose lease ends after `afterMs`, of any group; undefined when there is none. */
  heldFrom(queueUid: number, afterMs: number): number | undefined {
    let lowest: number | undefined;
    for (const queue of this.groupsOf(queueUid)) {
      for (let slot = queue.first; slot !== NONE; slot = this.#slab.next[slot]!) {
        if (this.#slab.deadlineMs[slot]! <= afterMs) continue;
        const offset = this.#slab.offset[slot]!;
        if (lowest === undefined || offset < lowest) lowest = offset;
        break;
      }
    }
    return lowest;
  }

  // The state machine.

  /** The group queue, made when it isn't there. */
  obtain(groupUid: number, queueUid: number): GroupQueue {
    let queues = this.#groups.get(groupUid);
    if (queues === undefined) {
      queues = new Map();
      this.#groups.set(groupUid, queues);
    }
    let queue = queues.get(queueUid);
    if (queue === undefined) {
      const index = this.#ownersFree.pop() ?? this.#owners.length;
      queue = new GroupQueue(index, groupUid, queueUid);
      this.#owners[index] = queue;
      queues.set(queueUid, queue);
    }
    return queue;
  }

  /**
   * A lease record's words on one queue, before its messages: everything below `nextOffset` is reached now. Its attempt
   * takes the place of all others.
   */
  applyReached(queue: GroupQueue, nextOffset: number, attempt: Attempt): void {
    if (nextOffset > queue.nextOffset) queue.nextOffset = nextOffset;
    queue.attempts = attempt.id === '' ? NO_ATTEMPTS : [attempt];
  }

  /** As `applyReached`, but attempts whose lease still holds an entry stay beside the new one. */
  applyReachedBeside(queue: GroupQueue, nextOffset: number, attempt: Attempt): void {
    if (nextOffset > queue.nextOffset) queue.nextOffset = nextOffset;
    if (attempt.id === '' && queue.attempts.length === 0) return;
    const held = new Set<number>();
    for (let slot = queue.first; slot !== NONE; slot = this.next(slot)) held.add(this.#slab.leaseId[slot]!);
    const kept = queue.attempts.filter(({ id, leaseId }) => id !== attempt.id && held.has(leaseId));
    queue.attempts = attempt.id === '' ? kept : [...kept, attempt];
  }

  /**
   * A message was handed out: for the first time, or once more. Returns its slot.
   * @param messageGroup hash of its message group; 0 = not known
   */
  applyLease(queue: GroupQueue, offset: number, leaseId: number, deadlineMs: number, messageGroup = 0): number {
    const slot = this.#obtainEntry(queue, offset);
    this.#slab.attempt[slot]!++;
    this.#slab.leaseId[slot] = leaseId;
    this.#slab.messageGroup[slot] = messageGroup;
    this.#slab.holder[slot] = 0;
    this.#setDeadline(queue, slot, deadlineMs);
    return slot;
  }

  /**
   * A message is put off: it was reached, and waits until its message group is free. Its turn comes as if it had been
   * handed out and had expired at once; the attempt doesn't count.
   */
  applyDeferral(queue: GroupQueue, offset: number, leaseId: number, nowMs: number, messageGroup: number): void {
    const slot = this.#obtainEntry(queue, offset);
    this.#slab.leaseId[slot] = leaseId;
    this.#slab.messageGroup[slot] = messageGroup;
    this.#slab.holder[slot] = 0;
    this.#setDeadline(queue, slot, nowMs);
  }

  /**
   * A message that was settled is given back to its group: it comes again, and its attempts count from 1.
   * @returns false when it is outstanding, or was not reached yet: then it comes anyway
   */
  applyReturn(queue: GroupQueue, offset: number, leaseId: number, nowMs: number, messageGroup: number): boolean {
    if (offset >= queue.nextOffset || this.#table.find(queue.index, offset) !== NONE) return false;
    this.applyDeferral(queue, offset, leaseId, nowMs, messageGroup);
    return true;
  }

  /** A message was settled by the lease `leaseId`. Returns false when that is not its current one. */
  applyAck(queue: GroupQueue, offset: number, leaseId: number): boolean {
    const slot = this.#current(queue, offset, leaseId);
    if (slot === NONE) return false;
    this.#remove(queue, slot);
    return true;
  }

  /** The lease got a new id and a new deadline. */
  applyChange(
    queue: GroupQueue,
    offset: number,
    leaseId: number,
    change: { leaseId: number; deadlineMs: number },
  ): boolean {
    const slot = this.#current(queue, offset, leaseId);
    if (slot === NONE) return false;
    this.#slab.leaseId[slot] = change.leaseId;
    this.#slab.holder[slot] = 0;
    this.#setDeadline(queue, slot, change.deadlineMs);
    return true;
  }

  /**
   * All that is outstanding of a queue that blocks rests until `deadlineMs`, and what is handed out now was not an attempt. The
   * lease that says so gets a new id, the others keep theirs. One that has expired says so for its message alone: what is
   * handed out beside it may be somebody else's.
   */
  applySuspension(
    queue: GroupQueue,
    offset: number,
    leaseId: number,
    change: { leaseId: number; deadlineMs: number; nowMs: number },
  ): boolean {
    const named = this.#current(queue, offset, leaseId);
    if (named === NONE) return false;
    this.#slab.leaseId[named] = change.leaseId;
    if (this.#slab.deadlineMs[named]! > change.nowMs) {
      for (let slot = queue.first; slot !== NONE; slot = this.next(slot)) this.#suspend(queue, slot, change);
    } else {
      this.#suspend(queue, named, change);
    }
    return true;
  }

  /** The lease got a new deadline and kept its id. @param holder the client for whom it is renewed; 0 = none */
  applyRenewal(queue: GroupQueue, offset: number, leaseId: number, deadlineMs: number, holder = 0): boolean {
    const slot = this.#current(queue, offset, leaseId);
    if (slot === NONE) return false;
    this.#slab.holder[slot] = holder;
    this.#setDeadline(queue, slot, deadlineMs);
    return true;
  }

  /**
   * The messages of a queue below `minOffset` are gone.
   * @returns how many of them this group had not settled
   */
  applyTrim(queue: GroupQueue, formerMinOffset: number, minOffset: number): number {
    let unconsumedCount = Math.max(0, minOffset - Math.max(queue.nextOffset, formerMinOffset));
    while (queue.first !== NONE && this.#slab.offset[queue.first]! < minOffset) {
      this.#remove(queue, queue.first);
      unconsumedCount++;
    }
    if (queue.nextOffset < minOffset) queue.nextOffset = minOffset;
    return unconsumedCount;
  }

  /** Somebody has set the offset: what is in flight is given up, and its leases are void. @param position of the record that says so */
  applyReset(queue: GroupQueue, nextOffset: number, position: number): void {
    while (queue.first !== NONE) this.#remove(queue, queue.first);
    queue.nextOffset = nextOffset;
    queue.attempts = NO_ATTEMPTS;
    queue.resetPosition = position;
  }

  /**
   * A copy that stood in for this one has handed out and settled messages of a queue: of those in [fromOffset, nextOffset) all are settled
   * but `entries`. What was settled on either side stays so. Its leases take the place of those before `ownFrom`; what was handed
   * out since then is left as it is.
   */
  applySettlement(queue: GroupQueue, { fromOffset, nextOffset, ownFrom, entries }: QueueSettlement): void {
    const reachedOffset = queue.nextOffset;
    // Somebody has set the offset since: that counts.
    if (reachedOffset < fromOffset) return;
    if (nextOffset > reachedOffset) queue.nextOffset = nextOffset;
    const before = this.#before(queue, fromOffset);
    let slot = before === NONE ? queue.first : this.next(before);
    let index = 0;
    while (slot !== NONE && this.offset(slot) < nextOffset) {
      const following = this.next(slot);
      while (index < entries.length && entries[index]!.offset < this.offset(slot)) index++;
      const entry = entries[index];
      const isOwn = this.leaseId(slot) >= ownFrom;
      if (entry?.offset === this.offset(slot)) {
        if (!isOwn) this.#takeOver(queue, slot, entry);
      } else if (!isOwn || this.attempt(slot) > 0) {
        // What was given back since then is still to come.
        this.#remove(queue, slot);
      }
      slot = following;
    }
    for (const entry of entries) {
      if (entry.offset >= reachedOffset) this.#takeOver(queue, this.#obtainEntry(queue, entry.offset), entry);
    }
  }

  /** The queue is gone for all groups. */
  applyQueueDeletion(queueUid: number): void {
    for (const queues of this.#groups.values()) {
      const queue = queues.get(queueUid);
      if (queue === undefined) continue;
      this.#drop(queue);
      queues.delete(queueUid);
    }
  }

  applyGroupDeletion(groupUid: number): void {
    for (const queue of this.queuesOf(groupUid).values()) this.#drop(queue);
    this.#groups.delete(groupUid);
  }

  // Time.

  /** Shard time at which the next lease ends, or undefined. */
  nextDeadlineMs(): number | undefined {
    const slot = this.#heap.first();
    return slot === NONE ? undefined : this.#slab.deadlineMs[slot]!;
  }

  /** Makes what has expired by `nowMs` ready again, or spent; calls `visit` once for each entry that became so. */
  advance(nowMs: number, visit: (queue: GroupQueue) => void, isSpent: SpentRule = NEVER): void {
    for (;;) {
      const slot = this.#heap.first();
      if (slot === NONE || this.#slab.deadlineMs[slot]! > nowMs) return;
      this.#heap.remove(slot);
      const queue = this.#owners[this.#slab.owner[slot]!]!;
      if (isSpent(queue.groupUid, this.#slab.attempt[slot]!)) this.#linkSpent(queue, slot);
      else this.#linkReady(queue, slot);
      visit(queue);
    }
  }

  /** The rule of a group has changed: what has expired is judged again. Calls `visit` for each queue with such entries. */
  judgeAgain(groupUid: number, isSpent: SpentRule, visit: (queue: GroupQueue) => void): void {
    for (const queue of this.queuesOf(groupUid).values()) {
      if (queue.ready.count + queue.spent.count === 0) continue;
      for (let slot = queue.first; slot !== NONE; slot = this.next(slot)) {
        const position = this.#slab.heapPosition[slot]!;
        if (position >= 0) continue;
        const spent = isSpent(groupUid, this.#slab.attempt[slot]!);
        if (spent === (position === SPENT)) continue;
        this.#unlink(position === SPENT ? queue.spent : queue.ready, slot);
        if (spent) this.#linkSpent(queue, slot);
        else this.#linkReady(queue, slot);
      }
      visit(queue);
    }
  }

  // Snapshot: u32 count of group queues, then each as
  //   u32 group uid, u32 queue uid, u48 next offset, u16 count of attempts, each text id, u48 lease id,
  //   u32 count of entries, each u48 offset, u48 deadline, u48 lease id, u32 attempt, i32 hash of its message group.

  /** The same state gives the same bytes. */
  snapshot(): Uint8Array {
    const queues = [...this.#groups.values()].flatMap((byQueue) => [...byQueue.values()]);
    queues.sort((a, b) => a.groupUid - b.groupUid || a.queueUid - b.queueUid);
    const writer = new ByteWriter(64 + queues.length * 40 + this.entryCount * 26);
    writer.u32(queues.length);
    for (const queue of queues) {
      writer.u32(queue.groupUid);
      writer.u32(queue.queueUid);
      writer.u48(queue.nextOffset);
      writer.u16(queue.attempts.length);
      for (const { id, leaseId } of queue.attempts) {
        writer.text(id);
        writer.u48(leaseId);
      }
      writer.u32(queue.count);
      for (let slot = queue.first; slot !== NONE; slot = this.#slab.next[slot]!) {
        writer.u48(this.#slab.offset[slot]!);
        writer.u48(this.#slab.deadlineMs[slot]!);
        writer.u48(this.#slab.leaseId[slot]!);
        writer.u32(this.#slab.attempt[slot]!);
        writer.i32(this.#slab.messageGroup[slot]!);
      }
    }
    return writer.view();
  }

  /** Fills a new, empty view. */
  restore(bytes: Uint8Array): void {
    assert(this.#groups.size === 0, 'progress can only be restored into an empty view');
    const reader = new ByteReader(bytes);
    for (let remaining = reader.u32(); remaining > 0; remaining--) {
      const queue = this.obtain(reader.u32(), reader.u32());
      queue.nextOffset = reader.u48();
      queue.attempts = Array.from({ length: reader.u16() }, () => ({ id: reader.text(), leaseId: reader.u48() }));
      for (let entries = reader.u32(); entries > 0; entries--) {
        const slot = this.#insert(queue, reader.u48());
        const deadlineMs = reader.u48();
        this.#slab.leaseId[slot] = reader.u48();
        this.#slab.attempt[slot] = reader.u32();
        this.#slab.messageGroup[slot] = reader.i32();
        this.#setDeadline(queue, slot, deadlineMs);
      }
    }
  }

  // Snapshot of the resets: u32 count, then each as u32 group uid, u32 queue uid, u48 position.

  /** Where offsets have been set. The same state gives the same bytes. */
  snapshotResets(): Uint8Array {
    const queues = [...this.#groups.values()].flatMap((byQueue) =>
      [...byQueue.values()].filter((queue) => queue.resetPosition > 0),
    );
    queues.sort((a, b) => a.groupUid - b.groupUid || a.queueUid - b.queueUid);
    const writer = new ByteWriter(4 + queues.length * 14);
    writer.u32(queues.length);
    for (const queue of queues) {
      writer.u32(queue.groupUid);
      writer.u32(queue.queueUid);
      writer.u48(queue.resetPosition);
    }
    return writer.view();
  }

  /** Goes behind `restore`. */
  restoreResets(bytes: Uint8Array): void {
    const reader = new ByteReader(bytes);
    for (let remaining = reader.u32(); remaining > 0; remaining--) {
      this.obtain(reader.u32(), reader.u32()).resetPosition = reader.u48();
    }
  }

  // Snapshot of the holders: u32 count, then each as u32 group uid, u32 queue uid, u48 offset, i32 holder.

  /** For whom leases are renewed. The same state gives the same bytes. */
  snapshotHolders(): Uint8Array {
    const writer = new ByteWriter();
    let count = 0;
    const held = new ByteWriter();
    for (const { queue, slot } of this.held()) {
      count++;
      held.u32(queue.groupUid);
      held.u32(queue.queueUid);
      held.u48(this.#slab.offset[slot]!);
      held.i32(this.#slab.holder[slot]!);
    }
    writer.u32(count);
    writer.bytes(held.view());
    return writer.view();
  }

  /** Goes behind `restore`. */
  restoreHolders(bytes: Uint8Array): void {
    const reader = new ByteReader(bytes);
    for (let remaining = reader.u32(); remaining > 0; remaining--) {
      const slot = this.entry(this.obtain(reader.u32(), reader.u32()), reader.u48());
      assert(slot !== NONE, 'a holder belongs to an entry');
      this.#slab.holder[slot] = reader.i32();
    }
  }

  /** Entries whose lease is renewed for a client, by group, queue and offset. */
  *held(): IterableIterator<{ readonly queue: GroupQueue; readonly slot: number }> {
    const queues = [...this.#groups.values()].flatMap((byQueue) => [...byQueue.values()]);
    queues.sort((a, b) => a.groupUid - b.groupUid || a.queueUid - b.queueUid);
    for (const queue of queues) {
      for (let slot = queue.first; slot !== NONE; slot = this.#slab.next[slot]!) {
        if (this.#slab.holder[slot] !== 0) yield { queue, slot };
      }
    }
  }

  /** The lease of another copy becomes this one's. */
  #takeOver(queue: GroupQueue, slot: number, entry: SettledEntry): void {
    const slab = this.#slab;
    slab.leaseId[slot] = entry.leaseId;
    slab.attempt[slot] = Math.max(slab.attempt[slot]!, entry.attempt);
    slab.messageGroup[slot] = entry.messageGroup;
    slab.holder[slot] = 0;
    this.#setDeadline(queue, slot, entry.deadlineMs);
  }

  #suspend(queue: GroupQueue, slot: number, { deadlineMs, nowMs }: { deadlineMs: number; nowMs: number }): void {
    const attempt = this.#slab.attempt[slot]!;
    if (attempt > 0 && this.#slab.deadlineMs[slot]! > nowMs) this.#slab.attempt[slot] = attempt - 1;
    this.#slab.holder[slot] = 0;
    this.#setDeadline(queue, slot, deadlineMs);
  }

  #current(queue: GroupQueue, offset: number, leaseId: number): number {
    const slot = this.#table.find(queue.index, offset);
    return slot !== NONE && this.#slab.leaseId[slot] === leaseId ? slot : NONE;
  }

  /** The entry of a message, a new one when there is none. */
  #obtainEntry(queue: GroupQueue, offset: number): number {
    const slot = this.#table.find(queue.index, offset);
    return slot === NONE ? this.#insert(queue, offset) : slot;
  }

  /** A new entry: in the table and in offset order, in the heap with a deadline that is yet to be set. */
  #insert(queue: GroupQueue, offset: number): number {
    const slab = this.#slab;
    const slot = slab.allocate();
    slab.owner[slot] = queue.index;
    slab.offset[slot] = offset;
    slab.attempt[slot] = 0;
    slab.holder[slot] = 0;
    slab.deadlineMs[slot] = Number.POSITIVE_INFINITY;
    this.#table.add(slot);
    this.#heap.add(slot);
    const previous = this.#before(queue, offset);
    if (isMilestone(offset)) queue.milestones.add(offset);
    const next = previous === NONE ? queue.first : slab.next[previous]!;
    slab.previous[slot] = previous;
    slab.next[slot] = next;
    if (previous === NONE) queue.first = slot;
    else slab.next[previous] = slot;
    if (next === NONE) queue.last = slot;
    else slab.previous[next] = slot;
    queue.count++;
    return slot;
  }

  /** The last entry in front of `offset`, or NONE. */
  #before(queue: GroupQueue, offset: number): number {
    const slab = this.#slab;
    if (queue.last === NONE || slab.offset[queue.last]! < offset) return queue.last;
    const milestone = queue.milestones.before(offset);
    let slot = NONE;
    let next = milestone === undefined ? queue.first : this.#table.find(queue.index, milestone);
    while (next !== NONE && slab.offset[next]! < offset) {
      slot = next;
      next = slab.next[next]!;
    }
    return slot;
  }

  #remove(queue: GroupQueue, slot: number): void {
    const slab = this.#slab;
    if (isMilestone(slab.offset[slot]!)) queue.milestones.remove(slab.offset[slot]!);
    if (slab.heapPosition[slot]! >= 0) this.#heap.remove(slot);
    else this.#unlink(this.#listOf(queue, slot), slot);
    this.#table.remove(slot);
    const previous = slab.previous[slot]!;
    const next = slab.next[slot]!;
    if (previous === NONE) queue.first = next;
    else slab.next[previous] = next;
    if (next === NONE) queue.last = previous;
    else slab.previous[next] = previous;
    queue.count--;
    // An attempt that asks again gets what it still holds: of nothing there is nothing to remember.
    if (queue.count === 0) queue.attempts = NO_ATTEMPTS;
    slab.release(slot);
  }

  #setDeadline(queue: GroupQueue, slot: number, deadlineMs: number): void {
    this.#slab.deadlineMs[slot] = deadlineMs;
    if (this.#slab.heapPosition[slot]! >= 0) {
      this.#heap.moved(slot);
      return;
    }
    this.#unlink(this.#listOf(queue, slot), slot);
    this.#heap.add(slot);
  }

  /** The list that an expired entry is in. */
  #listOf(queue: GroupQueue, slot: number): EntryList {
    return this.#slab.heapPosition[slot] === SPENT ? queue.spent : queue.ready;
  }

  #linkReady(queue: GroupQueue, slot: number): void {
    if (queue.ready === NO_ENTRIES) queue.ready = new EntryList();
    this.#link(queue.ready, slot, NONE);
  }

  #linkSpent(queue: GroupQueue, slot: number): void {
    if (queue.spent === NO_ENTRIES) queue.spent = new EntryList();
    this.#link(queue.spent, slot, SPENT);
  }

  #link(list: EntryList, slot: number, position: typeof NONE | typeof SPENT): void {
    const slab = this.#slab;
    slab.heapPosition[slot] = position;
    slab.readyPrevious[slot] = list.last;
    slab.readyNext[slot] = NONE;
    if (list.last === NONE) list.first = slot;
    else slab.readyNext[list.last] = slot;
    list.last = slot;
    list.count++;
  }

  #unlink(list: EntryList, slot: number): void {
    const slab = this.#slab;
    const previous = slab.readyPrevious[slot]!;
    const next = slab.readyNext[slot]!;
    if (previous === NONE) list.first = next;
    else slab.readyNext[previous] = next;
    if (next === NONE) list.last = previous;
    else slab.readyPrevious[next] = previous;
    list.count--;
  }

  #drop(queue: GroupQueue): void {
    while (queue.first !== NONE) this.#remove(queue, queue.first);
    this.#owners[queue.index] = undefined;
    this.#ownersFree.push(queue.index);
  }
}
