/** Words of 32 bits an entry takes: high half of the hash, low half, (physical offset − start of the part) ÷ 8. */
export const KEY_WORDS = 3;
export const KEY_BYTES = KEY_WORDS * 4;
const BUCKETS = 256;
/** More entries than a bucket can have; times 2^24 it is a whole number still. */
const PLACES = 2 ** 29;

/** Keys of a range of the log in memory, by the first byte of their hash: so each bucket is sorted in a moment. */
export class KeyPart {
  /** First byte of the log that it stands for. */
  readonly start: number;
  #count = 0;
  readonly #cells: Uint32Array[] = Array.from({ length: BUCKETS }, () => new Uint32Array(0));
  readonly #counts = new Uint32Array(BUCKETS);

  constructor(start: number) {
    this.start = start;
  }

  get count(): number {
    return this.#count;
  }

  add(low: number, high: number, physicalOffset: number): void {
    const bucket = high >>> 24;
    const at = this.#counts[bucket]! * KEY_WORDS;
    let cells = this.#cells[bucket]!;
    if (at === cells.length) {
      const grown = new Uint32Array(Math.max(4 * KEY_WORDS, cells.length * 2));
      grown.set(cells);
      cells = grown;
      this.#cells[bucket] = cells;
    }
    cells[at] = high;
    cells[at + 1] = low;
    cells[at + 2] = (physicalOffset - this.start) / 8;
    this.#counts[bucket]!++;
    this.#count++;
  }

  /** Physical offsets under a hash, in the order of the log. */
  find(low: number, high: number): number[] {
    const bucket = high >>> 24;
    return matches(this.#cells[bucket]!, this.#counts[bucket]!, low, high, this.start);
  }

  /** The entries of each bucket, sorted by hash and then by place; the same array is never given twice. */
  *sorted(): IterableIterator<Uint32Array> {
    for (let bucket = 0; bucket < BUCKETS; bucket++) yield sortedCells(this.#cells[bucket]!, this.#counts[bucket]!);
  }
}

/** Physical offsets of the entries with a hash among the first `count` of `cells`. */
export function matches(cells: Uint32Array, count: number, low: number, high: number, start: number): number[] {
  const found: number[] = [];
  for (let at = 0; at < count * KEY_WORDS; at += KEY_WORDS) {
    if (cells[at] === high && cells[at + 1] === low) found.push(start + cells[at + 2]! * 8);
  }
  return found;
}

/**
 * The hashes of a bucket begin with the same byte: the other 24 bits of the high half and the place in the bucket are one number, and
 * numbers are sorted without calling anybody. Where those 24 bits are equal, which is rare, the entries are sorted one by one.
 */
function sortedCells(cells: Uint32Array, count: number): Uint32Array {
  const order = new Float64Array(count);
  for (let index = 0; index < count; index++) order[index] = (cells[index * KEY_WORDS]! & 0xffffff) * PLACES + index;
  order.sort();
  const sorted = new Uint32Array(count * KEY_WORDS);
  for (let index = 0; index < count; index++) {
    const from = (order[index]! % PLACES) * KEY_WORDS;
    let to = index * KEY_WORDS;
    for (; to > 0 && isBehind(sorted, to - KEY_WORDS, cells, from); to -= KEY_WORDS) {
      sorted.copyWithin(to, to - KEY_WORDS, to);
    }
    sorted[to] = cells[from]!;
    sorted[to + 1] = cells[from + 1]!;
    sorted[to + 2] = cells[from + 2]!;
  }
  return sorted;
}

/** Whether an entry belongs behind another one: by hash, then by place. */
function isBehind(cells: Uint32Array, at: number, others: Uint32Array, other: number): boolean {
  const order = cells[at]! - others[other]! || cells[at + 1]! - others[other + 1]!;
  return order > 0 || (order === 0 && cells[at + 2]! > others[other + 2]!);
}
