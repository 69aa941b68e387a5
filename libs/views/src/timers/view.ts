import { assert } from '@orbitmq/base';
import { NONE } from '../progress/entry-slab.ts';
import { TimerHeap } from './timer-heap.ts';
import { TimerSlab } from './timer-slab.ts';

/** A message that waits for its time. */
export interface PendingTimer {
  readonly slot: number;
  /** Physical offset of the record that made it: its name for ever. */
  readonly id: number;
  /** Wall clock, milliseconds since 1970. */
  readonly deliveryMs: number;
  readonly queueUid: number;
  readonly tagHash: number;
  readonly bodyOffset: number;
  readonly bodyLength: number;
}

/** Some of the pending timers. */
export interface TimerPage {
  readonly timers: readonly PendingTimer[];
  /** Where the next page begins; undefined behind the last one. */
  readonly next: number | undefined;
}

/*
 * Snapshot, little-endian: u32 slots ever used (n) · i32 first free slot · u32 pending (p) · u32 0, then the columns
 * f64 n delivery times · f64 n ids · f64 n body offsets · u32 n body lengths · u32 n queue uids · i32 n tag hashes ·
 * i32 p slots in the order of the heap. The whole as it lies in memory, so that a million costs milliseconds.
 */
const SNAPSHOT_HEADER_BYTES = 16;
const SLOT_BYTES = 36;

/** Messages that wait for their time of delivery. Memory: 44 bytes each, never more than the most that ever waited. */
export class TimersView {
  readonly #slab = new TimerSlab();
  readonly #heap = new TimerHeap(this.#slab);
  /** Pending timers by queue uid. */
  readonly #counts = new Map<number, number>();
  #lastSlot = NONE;

  get count(): number {
    return this.#heap.length;
  }

  /** Slot of the timer that was added last. */
  get lastSlot(): number {
    return this.#lastSlot;
  }

  /** Timers of a queue. */
  countOf(queueUid: number): number {
    return this.#counts.get(queueUid) ?? 0;
  }

  /** Slot of the one that is due first, or NONE. */
  first(): number {
    return this.#heap.first();
  }

  deliveryMs(slot: number): number {
    return this.#slab.deliveryMs[slot]!;
  }

  /** Whether the timer that was given this id and slot still waits. */
  isPending(slot: number, id: number): boolean {
    return slot < this.#slab.end && this.#slab.queueUid[slot] !== 0 && this.#slab.id[slot] === id;
  }

  get(slot: number): PendingTimer {
    const { deliveryMs, id, queueUid, tagHash, bodyOffset, bodyLength } = this.#slab;
    return {
      slot,
      id: id[slot]!,
      deliveryMs: deliveryMs[slot]!,
      queueUid: queueUid[slot]!,
      tagHash: tagHash[slot]!,
      bodyOffset: bodyOffset[slot]!,
      bodyLength: bodyLength[slot]!,
    };
  }

  /**
   * Timers of the queues in `queueUids`, in no order that means anything.
   * @param from what the page before said, 0 at first
   * @param lookedMax slots that are looked at
   */
  page(queueUids: ReadonlySet<number>, from: number, limits: { countMax: number; lookedMax: number }): TimerPage {
    const timers: PendingTimer[] = [];
    const end = Math.min(this.#slab.end, from + limits.lookedMax);
    let slot = from;
    for (; slot < end && timers.length < limits.countMax; slot++) {
      if (queueUids.has(this.#slab.queueUid[slot]!)) timers.push(this.get(slot));
    }
    return { timers, next: slot < this.#slab.end ? slot : undefined };
  }

  /** Up to `countMax` timers whose body lies in [from, to) of the log. */
  withBodyIn(from: number, to: number, countMax: number): PendingTimer[] {
    const { bodyOffset, queueUid, end } = this.#slab;
    const found: PendingTimer[] = [];
    for (let slot = 0; slot < end && found.length < countMax; slot++) {
      const at = bodyOffset[slot]!;
      if (at >= from && at < to && queueUid[slot] !== 0) found.push(this.get(slot));
    }
    return found;
  }

  // The state machine.

  applyTimed(timer: Omit<PendingTimer, 'slot' | 'bodyOffset'>): void {
    const slab = this.#slab;
    const slot = slab.take();
    slab.deliveryMs[slot] = timer.deliveryMs;
    slab.id[slot] = timer.id;
    slab.bodyOffset[slot] = timer.id;
    slab.bodyLength[slot] = timer.bodyLength;
    slab.queueUid[slot] = timer.queueUid;
    slab.tagHash[slot] = timer.tagHash;
    this.#heap.add(slot);
    this.#counts.set(timer.queueUid, this.countOf(timer.queueUid) + 1);
    this.#lastSlot = slot;
  }

  /** The body lies elsewhere from now on. */
  applyCarried(slot: number, bodyOffset: number, bodyLength: number): void {
    this.#slab.bodyOffset[slot] = bodyOffset;
    this.#slab.bodyLength[slot] = bodyLength;
  }

  /** It has fired, or was recalled. */
  applyEnd(slot: number): void {
    const queueUid = this.#slab.queueUid[slot]!;
    assert(queueUid !== 0, 'a timer ends that is not pending');
    this.#heap.remove(slot);
    this.#slab.release(slot);
    const count = this.countOf(queueUid) - 1;
    if (count === 0) this.#counts.delete(queueUid);
    else this.#counts.set(queueUid, count);
  }

  /** Ends all timers of some queues; calls `visit` with each before it goes. */
  applyQueueDeletions(queueUids: ReadonlySet<number>, visit: (timer: PendingTimer) => void): void {
    let remaining = 0;
    for (const queueUid of queueUids) remaining += this.countOf(queueUid);
    for (let slot = 0; remaining > 0; slot++) {
      if (!queueUids.has(this.#slab.queueUid[slot]!)) continue;
      visit(this.get(slot));
      this.applyEnd(slot);
      remaining--;
    }
  }

  // Snapshot.

  /** The same history gives the same bytes, from whichever snapshot it went on. */
  snapshot(): Uint8Array {
    const slab = this.#slab;
    const { end } = slab;
    const bytes = new Uint8Array(SNAPSHOT_HEADER_BYTES + end * SLOT_BYTES + this.count * 4);
    const header = new DataView(bytes.buffer);
    header.setUint32(0, end, true);
    header.setInt32(4, slab.freeFirst, true);
    header.setUint32(8, this.count, true);
    let at = SNAPSHOT_HEADER_BYTES;
    for (const [column, count] of this.#columns(end)) {
      bytes.set(new Uint8Array(column.buffer, column.byteOffset, count * column.BYTES_PER_ELEMENT), at);
      at += count * column.BYTES_PER_ELEMENT;
    }
    return bytes;
  }

  /** Fills a new, empty view. */
  restore(bytes: Uint8Array): void {
    const header = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const slab = this.#slab;
    slab.end = header.getUint32(0, true);
    slab.freeFirst = header.getInt32(4, true);
    this.#heap.length = header.getUint32(8, true);
    slab.reserve(slab.end);
    this.#heap.reserve(this.#heap.length);
    let at = SNAPSHOT_HEADER_BYTES;
    for (const [column, count] of this.#columns(slab.end)) {
      const size = count * column.BYTES_PER_ELEMENT;
      new Uint8Array(column.buffer).set(bytes.subarray(at, at + size));
      at += size;
    }
    for (let position = 0; position < this.#heap.length; position++) {
      const slot = this.#heap.slots[position]!;
      slab.heapPosition[slot] = position;
      const queueUid = slab.queueUid[slot]!;
      this.#counts.set(queueUid, this.countOf(queueUid) + 1);
    }
  }

  /** What a snapshot holds, and how many values of each. */
  #columns(end: number): [column: Float64Array | Uint32Array | Int32Array, count: number][] {
    const { deliveryMs, id, bodyOffset, bodyLength, queueUid, tagHash } = this.#slab;
    const perSlot = [deliveryMs, id, bodyOffset, bodyLength, queueUid, tagHash];
    return [...perSlot.map((column): [typeof column, number] => [column, end]), [this.#heap.slots, this.count]];
  }
}
