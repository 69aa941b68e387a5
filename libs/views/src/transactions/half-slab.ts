import { NONE } from '../progress/entry-slab.ts';

const CAPACITY_FIRST = 256;

/**
 * Open half messages as columns of numbers, a slot each: 50 bytes instead of an object. Which slot a half gets depends
 * on the records alone, so that a transaction id may name it.
 */
export class HalfSlab {
  /** Physical offset of the record that made the half; 0 in a free slot. */
  id = new Float64Array(CAPACITY_FIRST);
  topicUid = new Uint32Array(CAPACITY_FIRST);
  /** `javaStringHash` of the message's tag; 0 when there is none. */
  tagHash = new Int32Array(CAPACITY_FIRST);
  /** Where the body is: it moves when its segment is to go. */
  bodyOffset = new Float64Array(CAPACITY_FIRST);
  bodyLength = new Uint32Array(CAPACITY_FIRST);
  /** Shard time at which the half was stored. */
  openedMs = new Float64Array(CAPACITY_FIRST);
  /** Shard time from which a producer is to be asked. */
  nextCheckMs = new Float64Array(CAPACITY_FIRST);
  checkCount = new Uint16Array(CAPACITY_FIRST);
  /** Position in the heap of its topic; of a free slot the next free one. */
  heapPosition = new Int32Array(CAPACITY_FIRST);
  /** Slots below were used at least once. */
  length = 0;
  /** Last slot that was given back, or NONE. */
  firstFree = NONE;

  /** A free slot, the one given back last first. */
  take(): number {
    const slot = this.firstFree;
    if (slot !== NONE) {
      this.firstFree = this.heapPosition[slot]!;
      return slot;
    }
    if (this.length === this.id.length) this.reserve(this.length * 2);
    return this.length++;
  }

  giveBack(slot: number): void {
    this.id[slot] = 0;
    this.heapPosition[slot] = this.firstFree;
    this.firstFree = slot;
  }

  /** Makes room for `capacity` slots. */
  reserve(capacity: number): void {
    if (capacity <= this.id.length) return;
    this.id = grown(new Float64Array(capacity), this.id);
    this.topicUid = grown(new Uint32Array(capacity), this.topicUid);
    this.tagHash = grown(new Int32Array(capacity), this.tagHash);
    this.bodyOffset = grown(new Float64Array(capacity), this.bodyOffset);
    this.bodyLength = grown(new Uint32Array(capacity), this.bodyLength);
    this.openedMs = grown(new Float64Array(capacity), this.openedMs);
    this.nextCheckMs = grown(new Float64Array(capacity), this.nextCheckMs);
    this.checkCount = grown(new Uint16Array(capacity), this.checkCount);
    this.heapPosition = grown(new Int32Array(capacity), this.heapPosition);
  }
}

function grown<Column extends { set(source: Column): void }>(target: Column, source: Column): Column {
  target.set(source);
  return target;
}
