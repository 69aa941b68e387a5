import { assert } from '@orbitmq/base';
import { ByteReader, ByteWriter } from '../bytes.ts';
import { CheckHeap } from './check-heap.ts';
import { EndedTransactions, type TransactionEnd } from './ended.ts';
import { HalfSlab } from './half-slab.ts';

/** Names a half message: the physical offset of the record that made it, and its slot in the view. */
export interface HalfRef {
  readonly id: number;
  readonly slot: number;
}

/** An open transaction. Times are shard times in milliseconds. */
export interface HalfMessage extends HalfRef {
  readonly topicUid: number;
  readonly tagHash: number;
  readonly bodyOffset: number;
  readonly bodyLength: number;
  readonly openedMs: number;
  readonly nextCheckMs: number;
  /** How often a producer was asked. */
  readonly checkCount: number;
}

const CHECK_COUNT_MAX = 0xffff;

/** Half messages that nobody has committed or rolled back yet, and how the last ones ended. */
export class TransactionsView {
  readonly #slab = new HalfSlab();
  readonly #byTopic = new Map<number, CheckHeap>();
  readonly #ended = new EndedTransactions();
  #openCount = 0;
  #lastSlot = 0;

  /** Slot of the half that was stored last. */
  get lastSlot(): number {
    return this.#lastSlot;
  }

  get openCount(): number {
    return this.#openCount;
  }

  /** Topics with open transactions, and how many each has. */
  *topics(): IterableIterator<{ readonly topicUid: number; readonly openCount: number }> {
    for (const [topicUid, heap] of this.#byTopic) yield { topicUid, openCount: heap.length };
  }

  find({ id, slot }: HalfRef): HalfMessage | undefined {
    return slot < this.#slab.length && this.#slab.id[slot] === id ? this.#half(slot) : undefined;
  }

  /** How a transaction ended; undefined when it is open, never was, or ended too long ago. */
  endOf(id: number): TransactionEnd | undefined {
    return this.#ended.get(id);
  }

  /** Up to `countMax` of a topic whose producer is to be asked at `nowMs`. */
  due(topicUid: number, nowMs: number, countMax: number): HalfMessage[] {
    const slots = this.#byTopic.get(topicUid)?.due(nowMs, countMax) ?? [];
    return slots.map((slot) => this.#half(slot));
  }

  /** Up to `countMax` of a topic with an id above `afterId`, the oldest first. */
  list(topicUid: number, afterId: number, countMax: number): HalfMessage[] {
    const heap = this.#byTopic.get(topicUid);
    if (heap === undefined) return [];
    const slots = heap.slots().filter((slot) => this.#slab.id[slot]! > afterId);
    slots.sort((left, right) => this.#slab.id[left]! - this.#slab.id[right]!);
    return Array.from(slots.subarray(0, countMax), (slot) => this.#half(slot));
  }

  /** Up to `countMax` whose body lies in `from` ≤ physical offset < `to`. */
  within(from: number, to: number, countMax: number): HalfMessage[] {
    const found: HalfMessage[] = [];
    const { id, bodyOffset, length } = this.#slab;
    for (let slot = 0; slot < length && found.length < countMax; slot++) {
      if (id[slot] !== 0 && bodyOffset[slot]! >= from && bodyOffset[slot]! < to) found.push(this.#half(slot));
    }
    return found;
  }

  /** A half message was stored. */
  applyHalf(half: Omit<HalfMessage, 'slot' | 'checkCount' | 'bodyOffset'>): HalfRef {
    const slot = this.#slab.take();
    this.#fill(slot, { ...half, slot, bodyOffset: half.id, checkCount: 0 });
    this.#lastSlot = slot;
    return { id: half.id, slot };
  }

  /**
   * A transaction has ended.
   * @returns what it was, undefined when it was not open
   */
  applyEnd(ref: HalfRef, end: TransactionEnd): HalfMessage | undefined {
    const half = this.find(ref);
    if (half === undefined) return undefined;
    this.#heapOf(half.topicUid).remove(half.slot);
    this.#release(half);
    this.#ended.add(half.id, end);
    return half;
  }

  /** A producer was asked, and is not to be asked again before `nextCheckMs`. */
  applyChecked(ref: HalfRef, nextCheckMs: number): void {
    const half = this.find(ref);
    if (half === undefined) return;
    const { slot } = half;
    this.#slab.checkCount[slot] = Math.min(half.checkCount + 1, CHECK_COUNT_MAX);
    this.#slab.nextCheckMs[slot] = Math.max(half.nextCheckMs, nextCheckMs);
    this.#heapOf(half.topicUid).putOff(slot);
  }

  /** The body was written again. @returns where it was before, undefined when the transaction is not open */
  applyMoved(ref: HalfRef, bodyOffset: number, bodyLength: number): HalfMessage | undefined {
    const half = this.find(ref);
    if (half === undefined) return undefined;
    this.#slab.bodyOffset[half.slot] = bodyOffset;
    this.#slab.bodyLength[half.slot] = bodyLength;
    return half;
  }

  /** A topic is gone, and with it its open transactions. @returns what they were */
  applyTopicDeletion(topicUid: number): HalfMessage[] {
    const halves = this.list(topicUid, 0, Number.POSITIVE_INFINITY);
    this.#byTopic.delete(topicUid);
    for (const { slot } of halves) this.#slab.giveBack(slot);
    this.#openCount -= halves.length;
    return halves;
  }

  // Snapshot: u32 slots, u32 first free slot + 1, then each slot as u48 id and, when it is in use, u32 topic uid,
  // i32 tag hash, u48 body offset, u32 body length, u48 opened, u48 next check, u16 checks; when it is free (id 0), u32 next free
  // slot + 1. Behind them those that have ended.

  /** The same state gives the same bytes. */
  snapshot(): Uint8Array {
    const slab = this.#slab;
    const writer = new ByteWriter(16 + slab.length * 38);
    writer.u32(slab.length);
    writer.u32(slab.firstFree + 1);
    for (let slot = 0; slot < slab.length; slot++) {
      writer.u48(slab.id[slot]!);
      if (slab.id[slot] === 0) {
        writer.u32(slab.heapPosition[slot]! + 1);
        continue;
      }
      writer.u32(slab.topicUid[slot]!);
      writer.i32(slab.tagHash[slot]!);
      writer.u48(slab.bodyOffset[slot]!);
      writer.u32(slab.bodyLength[slot]!);
      writer.u48(slab.openedMs[slot]!);
      writer.u48(slab.nextCheckMs[slot]!);
      writer.u16(slab.checkCount[slot]!);
    }
    this.#ended.write(writer);
    return writer.view();
  }

  /** Fills a new, empty view. */
  restore(bytes: Uint8Array): void {
    const reader = new ByteReader(bytes);
    const slab = this.#slab;
    slab.length = reader.u32();
    slab.reserve(slab.length);
    slab.firstFree = reader.u32() - 1;
    for (let slot = 0; slot < slab.length; slot++) {
      const id = reader.u48();
      if (id === 0) {
        slab.heapPosition[slot] = reader.u32() - 1;
        continue;
      }
      const [topicUid, tagHash, bodyOffset, bodyLength] = [reader.u32(), reader.i32(), reader.u48(), reader.u32()];
      const [openedMs, nextCheckMs, checkCount] = [reader.u48(), reader.u48(), reader.u16()];
      this.#fill(slot, { id, slot, topicUid, tagHash, bodyOffset, bodyLength, openedMs, nextCheckMs, checkCount });
    }
    this.#ended.read(reader);
  }

  #half(slot: number): HalfMessage {
    const slab = this.#slab;
    return {
      id: slab.id[slot]!,
      slot,
      topicUid: slab.topicUid[slot]!,
      tagHash: slab.tagHash[slot]!,
      bodyOffset: slab.bodyOffset[slot]!,
      bodyLength: slab.bodyLength[slot]!,
      openedMs: slab.openedMs[slot]!,
      nextCheckMs: slab.nextCheckMs[slot]!,
      checkCount: slab.checkCount[slot]!,
    };
  }

  #fill(slot: number, half: HalfMessage): void {
    const slab = this.#slab;
    slab.id[slot] = half.id;
    slab.topicUid[slot] = half.topicUid;
    slab.tagHash[slot] = half.tagHash;
    slab.bodyOffset[slot] = half.bodyOffset;
    slab.bodyLength[slot] = half.bodyLength;
    slab.openedMs[slot] = half.openedMs;
    slab.nextCheckMs[slot] = half.nextCheckMs;
    slab.checkCount[slot] = half.checkCount;
    let heap = this.#byTopic.get(half.topicUid);
    if (heap === undefined) {
      heap = new CheckHeap(slab);
      this.#byTopic.set(half.topicUid, heap);
    }
    heap.add(slot);
    this.#openCount++;
  }

  #release({ slot, topicUid }: HalfMessage): void {
    if (this.#heapOf(topicUid).length === 0) this.#byTopic.delete(topicUid);
    this.#slab.giveBack(slot);
    this.#openCount--;
  }

  #heapOf(topicUid: number): CheckHeap {
    const heap = this.#byTopic.get(topicUid);
    assert(heap !== undefined, 'an open transaction belongs to no topic');
    return heap;
  }
}
