import { NONE } from '../progress/entry-slab.ts';

/** Beyond this the slab grows in equal steps, so that little of it is ever unused. */
const STEP_SLOTS = 2 ** 18;
const SLOTS_FIRST = 1024;

/**
 * Pending timers, a slot each, in columns: 40 bytes a timer, and 4 more for its place in the heap. A slot keeps its
 * number as long as its timer is pending, also over a snapshot.
 */
export class TimerSlab {
  /** When it is due, wall clock, milliseconds since 1970. */
  deliveryMs = new Float64Array(SLOTS_FIRST);
  /** Physical offset of the record that made it: never used again. */
  id = new Float64Array(SLOTS_FIRST);
  /** Where the record with its body is now. */
  bodyOffset = new Float64Array(SLOTS_FIRST);
  /** Bytes of that record; of a free slot the next free one. */
  bodyLength = new Uint32Array(SLOTS_FIRST);
  /** 0 = the slot is free. */
  queueUid = new Uint32Array(SLOTS_FIRST);
  tagHash = new Int32Array(SLOTS_FIRST);
  heapPosition = new Int32Array(SLOTS_FIRST);
  /** Slots below this have been used. */
  end = 0;
  freeFirst = NONE;

  take(): number {
    const slot = this.freeFirst;
    if (slot !== NONE) {
      this.freeFirst = (this.bodyLength[slot]! | 0) as number;
      return slot;
    }
    if (this.end === this.id.length) this.reserve(this.end + 1);
    return this.end++;
  }

  release(slot: number): void {
    this.queueUid[slot] = 0;
    this.id[slot] = 0;
    this.bodyOffset[slot] = 0;
    this.deliveryMs[slot] = 0;
    this.tagHash[slot] = 0;
    this.bodyLength[slot] = this.freeFirst >>> 0;
    this.freeFirst = slot;
  }

  /** Makes room for `slotCount` slots. */
  reserve(slotCount: number): void {
    let capacity = this.id.length;
    while (capacity < slotCount) capacity += Math.min(capacity, STEP_SLOTS);
    if (capacity === this.id.length) return;
    this.deliveryMs = grown(this.deliveryMs, new Float64Array(capacity));
    this.id = grown(this.id, new Float64Array(capacity));
    this.bodyOffset = grown(this.bodyOffset, new Float64Array(capacity));
    this.bodyLength = grown(this.bodyLength, new Uint32Array(capacity));
    this.queueUid = grown(this.queueUid, new Uint32Array(capacity));
    this.tagHash = grown(this.tagHash, new Int32Array(capacity));
    this.heapPosition = grown(this.heapPosition, new Int32Array(capacity));
  }
}

/** `larger` with the content of `former`. */
export function grown<Column extends Float64Array | Uint32Array | Int32Array>(former: Column, larger: Column): Column {
  larger.set(former);
  return larger;
}
