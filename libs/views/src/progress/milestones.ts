/** How many bits of its hash are 0 in the offset of a milestone: one entry in 64 is one. */
const BITS = 6;

/** Whether an entry at this offset is a milestone. */
export function isMilestone(offset: number): boolean {
  return Math.imul(offset | 0, 0x9e3779b1) >>> (32 - BITS) === 0;
}

/**
 * Some of the offsets at which a queue has entries, ascending: from the nearest one it is only a few steps to the place of
 * an offset, however long the list of entries is.
 */
export class Milestones {
  readonly #offsets: number[] = [];

  /** The last one below `offset`, or undefined. */
  before(offset: number): number | undefined {
    return this.#offsets[this.#positionOf(offset) - 1];
  }

  /** @param offset not among them */
  add(offset: number): void {
    const last = this.#offsets.at(-1);
    if (last === undefined || last < offset) this.#offsets.push(offset);
    else this.#offsets.splice(this.#positionOf(offset), 0, offset);
  }

  /** @param offset among them */
  remove(offset: number): void {
    this.#offsets.splice(this.#positionOf(offset), 1);
  }

  /** Position of the first one that is not below `offset`. */
  #positionOf(offset: number): number {
    let low = 0;
    let high = this.#offsets.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#offsets[middle]! < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
