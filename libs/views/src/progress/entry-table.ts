import { type EntrySlab, NONE } from './entry-slab.ts';

const BITS_FIRST = 11;

/** Finds an entry by (owner, queue offset): open addressing over slots of the slab, at most half full. */
export class EntryTable {
  readonly #slab: EntrySlab;
  #bits = BITS_FIRST;
  /** Slot + 1; 0 = empty. */
  #cells = new Int32Array(1 << BITS_FIRST);
  #count = 0;

  constructor(slab: EntrySlab) {
    this.#slab = slab;
  }

  /** The entry's slot, or NONE. */
  find(owner: number, offset: number): number {
    const { owner: owners, offset: offsets } = this.#slab;
    const mask = this.#cells.length - 1;
    for (let cell = this.#home(owner, offset); ; cell = (cell + 1) & mask) {
      const slot = this.#cells[cell]! - 1;
      if (slot < 0) return NONE;
      if (offsets[slot] === offset && owners[slot] === owner) return slot;
    }
  }

  /** Adds a slot whose owner and offset are set and not in the table. */
  add(slot: number): void {
    if (this.#count * 2 >= this.#cells.length) this.#grow();
    this.#count++;
    this.#place(slot);
  }

  /** Takes a slot out; closes the gap, so that no marks of removed entries pile up. */
  remove(slot: number): void {
    const { owner: owners, offset: offsets } = this.#slab;
    const cells = this.#cells;
    const mask = cells.length - 1;
    let gap = this.#home(owners[slot]!, offsets[slot]!);
    while (cells[gap] !== slot + 1) gap = (gap + 1) & mask;
    for (let cell = (gap + 1) & mask; cells[cell] !== 0; cell = (cell + 1) & mask) {
      const other = cells[cell]! - 1;
      const home = this.#home(owners[other]!, offsets[other]!);
      if (((cell - home) & mask) >= ((cell - gap) & mask)) {
        cells[gap] = other + 1;
        gap = cell;
      }
    }
    cells[gap] = 0;
    this.#count--;
  }

  #home(owner: number, offset: number): number {
    const key = (Math.imul(owner, 0x85ebca6b) + (offset >>> 0)) | 0;
    return Math.imul(key, 0x9e3779b1) >>> (32 - this.#bits);
  }

  #place(slot: number): void {
    const mask = this.#cells.length - 1;
    let cell = this.#home(this.#slab.owner[slot]!, this.#slab.offset[slot]!);
    while (this.#cells[cell] !== 0) cell = (cell + 1) & mask;
    this.#cells[cell] = slot + 1;
  }

  #grow(): void {
    const former = this.#cells;
    this.#bits++;
    this.#cells = new Int32Array(1 << this.#bits);
    for (const content of former) if (content !== 0) this.#place(content - 1);
  }
}
