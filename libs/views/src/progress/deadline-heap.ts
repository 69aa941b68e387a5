import { type EntrySlab, NONE } from './entry-slab.ts';

/**
 * Slots of a slab by deadline: a heap with four children a node. Each entry knows its position (`heapPosition`), so
 * that one whose deadline moves or that is settled is found at once.
 */
export class DeadlineHeap {
  readonly #slab: EntrySlab;
  #slots = new Int32Array(1024);
  #length = 0;

  constructor(slab: EntrySlab) {
    this.#slab = slab;
  }

  get length(): number {
    return this.#length;
  }

  /** Slot with the nearest deadline, or NONE. */
  first(): number {
    return this.#length === 0 ? NONE : this.#slots[0]!;
  }

  add(slot: number): void {
    if (this.#length === this.#slots.length) {
      const grown = new Int32Array(this.#slots.length * 2);
      grown.set(this.#slots);
      this.#slots = grown;
    }
    this.#rise(this.#length++, slot);
  }

  remove(slot: number): void {
    const position = this.#slab.heapPosition[slot]!;
    this.#slab.heapPosition[slot] = NONE;
    const last = this.#slots[--this.#length]!;
    if (last !== slot) this.#settle(position, last);
  }

  /** Puts an entry in its place after its deadline has changed. */
  moved(slot: number): void {
    this.#settle(this.#slab.heapPosition[slot]!, slot);
  }

  #settle(position: number, slot: number): void {
    const deadlineMs = this.#slab.deadlineMs;
    const parent = (position - 1) >> 2;
    if (position > 0 && deadlineMs[slot]! < deadlineMs[this.#slots[parent]!]!) this.#rise(position, slot);
    else this.#sink(position, slot);
  }

  #rise(from: number, slot: number): void {
    const { deadlineMs, heapPosition } = this.#slab;
    const slots = this.#slots;
    const deadline = deadlineMs[slot]!;
    let position = from;
    while (position > 0) {
      const parent = (position - 1) >> 2;
      const above = slots[parent]!;
      if (deadlineMs[above]! <= deadline) break;
      slots[position] = above;
      heapPosition[above] = position;
      position = parent;
    }
    slots[position] = slot;
    heapPosition[slot] = position;
  }

  #sink(from: number, slot: number): void {
    const { deadlineMs, heapPosition } = this.#slab;
    const slots = this.#slots;
    const deadline = deadlineMs[slot]!;
    let position = from;
    for (;;) {
      const firstChild = position * 4 + 1;
      if (firstChild >= this.#length) break;
      const childEnd = Math.min(firstChild + 4, this.#length);
      let nearest = firstChild;
      for (let child = firstChild + 1; child < childEnd; child++) {
        if (deadlineMs[slots[child]!]! < deadlineMs[slots[nearest]!]!) nearest = child;
      }
      const below = slots[nearest]!;
      if (deadlineMs[below]! >= deadline) break;
      slots[position] = below;
      heapPosition[below] = position;
      position = nearest;
    }
    slots[position] = slot;
    heapPosition[slot] = position;
  }
}
