import type { HalfSlab } from './half-slab.ts';

const CAPACITY_FIRST = 16;

/** Open half messages of one topic, the one to be checked next on top. Each knows its position (`heapPosition`). */
export class CheckHeap {
  readonly #slab: HalfSlab;
  #slots = new Int32Array(CAPACITY_FIRST);
  #length = 0;

  constructor(slab: HalfSlab) {
    this.#slab = slab;
  }

  get length(): number {
    return this.#length;
  }

  /** All slots, in no order: a view that lasts until the next change. */
  slots(): Int32Array {
    return this.#slots.subarray(0, this.#length);
  }

  add(slot: number): void {
    if (this.#length === this.#slots.length) {
      const grown = new Int32Array(this.#length * 2);
      grown.set(this.#slots);
      this.#slots = grown;
    }
    this.#rise(this.#length++, slot);
  }

  remove(slot: number): void {
    const position = this.#slab.heapPosition[slot]!;
    const last = this.#slots[--this.#length]!;
    if (last === slot) return;
    this.#rise(position, last);
    this.#sink(this.#slab.heapPosition[last]!, last);
  }

  /** Puts a slot in its place after its time was put off. */
  putOff(slot: number): void {
    this.#sink(this.#slab.heapPosition[slot]!, slot);
  }

  /** Up to `countMax` slots whose time has come at `nowMs`. */
  due(nowMs: number, countMax: number): number[] {
    const { nextCheckMs } = this.#slab;
    const found: number[] = [];
    const open = [0];
    while (found.length < countMax) {
      const position = open.pop();
      if (position === undefined) break;
      if (position >= this.#length || nextCheckMs[this.#slots[position]!]! > nowMs) continue;
      found.push(this.#slots[position]!);
      open.push(2 * position + 2, 2 * position + 1);
    }
    return found;
  }

  #rise(from: number, slot: number): void {
    const { nextCheckMs } = this.#slab;
    let position = from;
    while (position > 0) {
      const parent = (position - 1) >> 1;
      const above = this.#slots[parent]!;
      if (nextCheckMs[above]! <= nextCheckMs[slot]!) break;
      this.#put(position, above);
      position = parent;
    }
    this.#put(position, slot);
  }

  #sink(from: number, slot: number): void {
    const { nextCheckMs } = this.#slab;
    let position = from;
    for (;;) {
      let child = position * 2 + 1;
      if (child >= this.#length) break;
      const right = child + 1;
      if (right < this.#length && nextCheckMs[this.#slots[right]!]! < nextCheckMs[this.#slots[child]!]!) child = right;
      const below = this.#slots[child]!;
      if (nextCheckMs[below]! >= nextCheckMs[slot]!) break;
      this.#put(position, below);
      position = child;
    }
    this.#put(position, slot);
  }

  #put(position: number, slot: number): void {
    this.#slots[position] = slot;
    this.#slab.heapPosition[slot] = position;
  }
}
