/** Bytes of a handle that are kept: its numbers and its code. */
export const KEPT_BYTES = 45;
/** Whether the slot has been used is said behind them. */
const SLOT_BYTES = 48;
const USED = 1;
/** Memory is taken a page at a time, as it is used. */
const PAGE_SLOTS = 256;
const PAGE_COUNT = 64;

/**
 * The receipt handles that a shard has made last, by their bytes: most are handed back within moments, and one that is
 * the same to the last bit as one that was made here need not have its code computed once more.
 */
export class RecentHandles {
  readonly #pages: (Uint8Array | undefined)[] = new Array(PAGE_COUNT).fill(undefined);

  /** Keeps the bytes at `at` of a handle that was made here, in place of another one. @param place of its message, a hash */
  note(bytes: Uint8Array, at: number, place: number): void {
    const number = pageOf(place);
    this.#pages[number] ??= new Uint8Array(PAGE_SLOTS * SLOT_BYTES);
    const page = this.#pages[number];
    const slot = slotOf(place);
    for (let index = 0; index < KEPT_BYTES; index++) page[slot + index] = bytes[at + index]!;
    page[slot + KEPT_BYTES] = USED;
  }

  /** Whether the bytes at `at` are those of a handle that was made here; false also when that is not known any more. */
  has(bytes: Uint8Array, at: number, place: number): boolean {
    const page = this.#pages[pageOf(place)];
    if (page === undefined) return false;
    const slot = slotOf(place);
    // All are compared whatever they are: how long it takes says nothing about where they differ.
    let difference = page[slot + KEPT_BYTES]! ^ USED;
    for (let index = 0; index < KEPT_BYTES; index++) difference |= page[slot + index]! ^ bytes[at + index]!;
    return difference === 0;
  }
}

function pageOf(place: number): number {
  return (place >>> 8) & (PAGE_COUNT - 1);
}

function slotOf(place: number): number {
  return (place & (PAGE_SLOTS - 1)) * SLOT_BYTES;
}
