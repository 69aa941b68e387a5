import { NONE } from '../progress/entry-slab.ts';
import { grown, type TimerSlab } from './timer-slab.ts';

const STEP_SLOTS = 2 ** 18;

/** Slots of a slab, those that are due first in front, of equal times those that were sent first. Four children a node. */
export class TimerHeap {
  readonly #slab: TimerSlab;
  slots = new Int32Array(1024);
  length = 0;

  constructor(slab: TimerSlab) {
    this.#slab = slab;
  }

  /** Slot that is due first, or NONE. */
  first(): number {
    return this.length === 0 ? NONE : this.slots[0]!;
  }

  add(slot: number): void {
    this.reserve(this.length + 1);
    this.#rise(this.length++, slot);
  }

  remove(slot: number): void {
    const position = this.#slab.heapPosition[slot]!;
    const last = this.slots[--this.length]!;
    if (last === slot) return;
    if (position > 0 && this.#isBefore(last, this.slots[(position - 1) >> 2]!)) this.#rise(position, last);
    else this.#sink(position, last);
  }

  reserve(slotCount: number): void {
    let capacity = this.slots.length;
    while (capacity < slotCount) capacity += Math.min(capacity, STEP_SLOTS);
    if (capacity > this.slots.length) this.slots = grown(this.slots, new Int32Array(capacity));
  }

  #isBefore(a: number, b: number): boolean {
    const { deliveryMs, id } = this.#slab;
    const difference = deliveryMs[a]! - deliveryMs[b]!;
    return difference < 0 || (difference === 0 && id[a]! < id[b]!);
  }

  #rise(from: number, slot: number): void {
    const { heapPosition } = this.#slab;
    let position = from;
    while (position > 0) {
      const parent = (position - 1) >> 2;
      const above = this.slots[parent]!;
      if (!this.#isBefore(slot, above)) break;
      this.slots[position] = above;
      heapPosition[above] = position;
      position = parent;
    }
    this.slots[position] = slot;
    heapPosition[slot] = position;
  }

  #sink(from: number, slot: number): void {
    const { heapPosition } = this.#slab;
    let position = from;
    for (;;) {
      const firstChild = position * 4 + 1;
      if (firstChild >= this.length) break;
      const childEnd = Math.min(firstChild + 4, this.length);
      let nearest = firstChild;
      for (let child = firstChild + 1; child < childEnd; child++) {
        if (this.#isBefore(this.slots[child]!, this.slots[nearest]!)) nearest = child;
      }
      const below = this.slots[nearest]!;
      if (!this.#isBefore(below, slot)) break;
      this.slots[position] = below;
      heapPosition[below] = position;
      position = nearest;
    }
    this.slots[position] = slot;
    heapPosition[slot] = position;
  }
}
