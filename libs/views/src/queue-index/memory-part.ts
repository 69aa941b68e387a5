import { assert } from '@orbitmq/base';

/** Words of 32 bits an entry takes: (physical offset − segment start) ÷ 8, record length, tag hash. */
export const ENTRY_WORDS = 3;
export const ENTRY_BYTES = ENTRY_WORDS * 4;

/** Where a message lies, and its tag. One object is filled again and again. */
export interface IndexEntry {
  physicalOffset: number;
  /** Bytes of the record in the log, as the message was indexed: the low three bits are the caller's. */
  length: number;
  tagHash: number;
}

/** Entries that a run has room for at first, and the most that lie in a shared slab. */
const SMALL_FIRST = 2;
const SMALL_MAX = 8;
const SLAB_WORDS = 16 * 1024;

/**
 * Room for short runs. Most queues of many have a few messages in a segment, and an array of its own for each would
 * cost more than what is in it.
 */
class SmallRuns {
  #slab = new Uint32Array(0);
  #used = 0;

  /** @returns position in `slab` of room for so many entries */
  allocate(entryCount: number): { slab: Uint32Array<ArrayBuffer>; base: number } {
    if (this.#used + entryCount * ENTRY_WORDS > this.#slab.length) {
      this.#slab = new Uint32Array(SLAB_WORDS);
      this.#used = 0;
    }
    const base = this.#used;
    this.#used += entryCount * ENTRY_WORDS;
    return { slab: this.#slab, base };
  }
}

/** Entries of one queue in one segment; their queue offsets have no gaps. */
export class MemoryRun {
  readonly segmentStart: number;
  readonly firstOffset: number;
  readonly #small: SmallRuns;
  #count = 0;
  #capacity = 0;
  #words = NO_WORDS;
  /** Word at which the first entry begins. */
  #base = 0;

  constructor(segmentStart: number, firstOffset: number, small: SmallRuns) {
    this.segmentStart = segmentStart;
    this.firstOffset = firstOffset;
    this.#small = small;
  }

  get count(): number {
    return this.#count;
  }

  add(physicalOffset: number, length: number, tagHash: number): void {
    if (this.#count === this.#capacity) this.#grow(this.#capacity === 0 ? SMALL_FIRST : this.#capacity * 2);
    const at = this.#base + this.#count * ENTRY_WORDS;
    this.#words[at] = (physicalOffset - this.segmentStart) / 8;
    this.#words[at + 1] = length;
    this.#words[at + 2] = tagHash;
    this.#count++;
  }

  /** Fills `entry` with that of a queue offset, which is in this run. */
  locate(entry: IndexEntry, queueOffset: number): void {
    readEntry(entry, this.segmentStart, this.#words, this.#base + (queueOffset - this.firstOffset) * ENTRY_WORDS);
  }

  /** Sum of the lengths of its records. */
  bytes(): number {
    let sum = 0;
    const end = this.#base + this.#count * ENTRY_WORDS;
    for (let at = this.#base + 1; at < end; at += ENTRY_WORDS) sum += this.#words[at]!;
    return sum;
  }

  /** Its entries as they lie in files: a view. */
  view(): Uint8Array {
    const { buffer, byteOffset } = this.#words;
    return new Uint8Array(buffer, byteOffset + this.#base * 4, this.#count * ENTRY_BYTES);
  }

  /** Takes over entries from a file; copies them. */
  fill(entries: Uint8Array): void {
    this.#grow(entries.length / ENTRY_BYTES);
    this.#count = this.#capacity;
    this.view().set(entries);
  }

  #grow(capacity: number): void {
    const former = this.#words.subarray(this.#base, this.#base + this.#count * ENTRY_WORDS);
    this.#capacity = capacity;
    if (capacity <= SMALL_MAX) ({ slab: this.#words, base: this.#base } = this.#small.allocate(capacity));
    else [this.#words, this.#base] = [new Uint32Array(capacity * ENTRY_WORDS), 0];
    this.#words.set(former, this.#base);
  }
}

const NO_WORDS = new Uint32Array(0);

/** Fills `entry` from the words of an entry. */
export function readEntry(entry: IndexEntry, segmentStart: number, words: Uint32Array, at: number): void {
  entry.physicalOffset = segmentStart + words[at]! * 8;
  entry.length = words[at + 1]!;
  entry.tagHash = words[at + 2]! | 0;
}

/** The index of one segment while it is in memory: the open one, and a sealed one until its file is written. */
export class MemoryPart {
  readonly segmentStart: number;
  readonly runs = new Map<number, MemoryRun>();
  readonly #small = new SmallRuns();

  constructor(segmentStart: number) {
    this.segmentStart = segmentStart;
  }

  /** The run that the next entry of a queue goes to. */
  run(queueUid: number, queueOffset: number): MemoryRun {
    const run = this.runs.get(queueUid) ?? this.begin(queueUid, queueOffset);
    assert(run.firstOffset + run.count === queueOffset, 'a queue offset of the log is out of order');
    return run;
  }

  /** A new, empty run. */
  begin(queueUid: number, firstOffset: number): MemoryRun {
    const run = new MemoryRun(this.segmentStart, firstOffset, this.#small);
    this.runs.set(queueUid, run);
    return run;
  }
}
