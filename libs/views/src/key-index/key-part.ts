/** Words of 32 bits an entry takes: high half of the hash, low half, (physical offset − start of the part) ÷ 8. */
export const KEY_WORDS = 3;
export const KEY_BYTES = KEY_WORDS * 4;
const BUCKETS = 256;

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

function sortedCells(cells: Uint32Array, count: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, index) => index * KEY_WORDS);
  order.sort((a, b) => cells[a]! - cells[b]! || cells[a + 1]! - cells[b + 1]! || cells[a + 2]! - cells[b + 2]!);
  const sorted = new Uint32Array(count * KEY_WORDS);
  for (const [index, at] of order.entries()) sorted.set(cells.subarray(at, at + KEY_WORDS), index * KEY_WORDS);
  return sorted;
}
