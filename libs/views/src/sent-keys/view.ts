import { NONE } from '../progress/entry-slab.ts';
import { FrozenBytes } from '../snapshot/frozen-bytes.ts';

/** How far back sends are remembered. */
export interface SentKeysOptions {
  /** Milliseconds; 0 = nothing is remembered. */
  readonly windowMs: number;
  /** Beyond it the oldest are forgotten before their time. */
  readonly countMax: number;
}

const CAPACITY_FIRST = 1024;
/** Entries that may be forgotten for each that comes: none has to pay for all. */
const FORGOTTEN_PER_ENTRY = 4;
/** So many entries of a bucket are brought near; few buckets have more. */
const DEPTH_NEAR = 2;

/** In a bucket without entries. As a number it is too old until there have been 2^32 entries, and then a walk still only goes back in time. */
const NO_NUMBER = -1;

/**
 * Hashes of the keys of messages that were sent in the last minutes, and where these lie: a ring in the order of the
 * log with a chained table over it. Memory: 36 to 40 bytes each.
 *
 * Entries are numbered as they come, with 32 bits that begin anew; the lower ones are the place in the ring. The table and the chains hold
 * numbers: one that is too old is of an entry that was forgotten, so that to forget an entry changes neither.
 */
export class SentKeysView {
  readonly #windowMs: number;
  readonly #countMax: number;
  #capacity = CAPACITY_FIRST;
  #count = 0;
  /** Number of the entry that comes next. */
  #end: number;
  #low = new Uint32Array(CAPACITY_FIRST);
  #high = new Uint32Array(CAPACITY_FIRST);
  #slot = new Uint32Array(CAPACITY_FIRST);
  #physicalOffset = new Float64Array(CAPACITY_FIRST);
  #timeMs = new Float64Array(CAPACITY_FIRST);
  /** Number of the entry before in the same bucket. */
  #next = new Int32Array(CAPACITY_FIRST);
  /** Number of the newest entry of each. */
  #buckets = new Int32Array(CAPACITY_FIRST).fill(NO_NUMBER);
  /** For `bringNear`: the number of the entry at which each walk stands. */
  #near = new Int32Array(0);
  #frozen: FrozenBytes | undefined;
  /** Where the oldest entry is that a snapshot still wants, which is the first to be written over; NONE when there is none. */
  #frozenFirst = NONE;

  /** @param firstNumber of the first entry; says nothing about what is found */
  constructor({ windowMs, countMax }: SentKeysOptions, firstNumber = 0) {
    this.#end = firstNumber | 0;
    this.#windowMs = countMax === 0 ? 0 : windowMs;
    this.#countMax = countMax;
  }

  /** Nothing is remembered: nobody needs to ask. */
  get isOff(): boolean {
    return this.#windowMs === 0;
  }

  /** Entries held, also such that are older than the window and not forgotten yet. */
  get count(): number {
    return this.#count;
  }

  /** Whether an entry with this hash may be found, whatever its age: spares most of those who ask the look at the clock. */
  mayHold(low: number, high: number): boolean {
    return this.#search(this.#buckets[low & (this.#capacity - 1)]!, -1, low, high) !== NONE;
  }

  /**
   * Brings what `mayHold` is about to look at into the processor's cache, for many hashes at once: then it waits for the memory once, and
   * not for each.
   * @param hashes low and high half of each
   */
  bringNear(hashes: Uint32Array, count: number): void {
    if (this.#near.length < count) this.#near = new Int32Array(count);
    const near = this.#near;
    const mask = this.#capacity - 1;
    for (let index = 0; index < count; index++) near[index] = this.#buckets[hashes[2 * index]! & mask]!;
    for (let depth = 0; depth < DEPTH_NEAR; depth++) {
      for (let index = 0; index < count; index++) {
        const number = near[index]!;
        if (this.#ageOf(number) >= this.#count) continue;
        const entry = number & mask;
        if (this.#low[entry] !== hashes[2 * index]) near[index] = this.#next[entry]!;
      }
    }
  }

  /** The newest entry with this hash that is within the window and not before `from` of the log, or NONE. */
  find(low: number, high: number, nowMs: number, from = 0): number {
    const entry = this.#search(this.#buckets[low & (this.#capacity - 1)]!, -1, low, high);
    return this.#wanted(entry, nowMs, from);
  }

  /** The next older entry with the hash of this one, or NONE. */
  findNext(entry: number, nowMs: number, from = 0): number {
    const ageOfEntry = (this.#end - 1 - entry) & (this.#capacity - 1);
    const older = this.#search(this.#next[entry]!, ageOfEntry, this.#low[entry]!, this.#high[entry]!);
    return this.#wanted(older, nowMs, from);
  }

  /** Where the record of an entry lies; entries are valid until the next one is applied. */
  physicalOffset(entry: number): number {
    return this.#physicalOffset[entry]!;
  }

  /** What the record's view calls it, where one has it: a timer, a half message. */
  slot(entry: number): number {
    return this.#slot[entry]!;
  }

  // The state machine.

  /** A message was sent. @param timeMs shard time */
  applySent(low: number, high: number, physicalOffset: number, slot: number, timeMs: number): void {
    if (this.isOff) return;
    for (let left = FORGOTTEN_PER_ENTRY; left > 0 && this.#isOld(timeMs); left--) this.#count--;
    if (this.#count >= this.#countMax) this.#count--;
    else if (this.#count === this.#capacity) this.#grow();
    this.#add(low, high, physicalOffset, slot, timeMs);
  }

  // Snapshot: u32 count, u32 0, then from the oldest to the newest f64 physical offsets, f64 times, u32 low halves,
  // u32 high halves, u32 slots.

  /** The same state gives the same bytes. */
  snapshot(): Uint8Array {
    const all = new FrozenBytes(this.#runs());
    const bytes = new Uint8Array(all.sizeBytes);
    all.copy(0, bytes);
    return bytes;
  }

  /** The same, to be copied part by part: at once it would be some 30 MB. What was frozen before is kept for whoever still wants it. */
  freeze(): FrozenBytes {
    this.#keepFrozen();
    this.#frozen = new FrozenBytes(this.#runs());
    if (this.#count > 0) this.#frozenFirst = this.#first;
    return this.#frozen;
  }

  /** Fills a new, empty view. */
  restore(bytes: Uint8Array): void {
    if (this.isOff) return;
    const stored = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const count = stored.getUint32(0, true);
    const offsetsAt = 8;
    const timesAt = offsetsAt + count * 8;
    const lowsAt = timesAt + count * 8;
    const highsAt = lowsAt + count * 4;
    const slotsAt = highsAt + count * 4;
    for (let index = Math.max(0, count - this.#countMax); index < count; index++) {
      if (this.#count === this.#capacity) this.#grow();
      this.#add(
        stored.getUint32(lowsAt + index * 4, true),
        stored.getUint32(highsAt + index * 4, true),
        stored.getFloat64(offsetsAt + index * 8, true),
        stored.getUint32(slotsAt + index * 4, true),
        stored.getFloat64(timesAt + index * 8, true),
      );
    }
  }

  /** Where the oldest entry is. */
  get #first(): number {
    return (this.#end - this.#count) & (this.#capacity - 1);
  }

  /** How many entries have come since the one of this number; as many as there are, or more: it was forgotten. */
  #ageOf(number: number): number {
    return (this.#end - 1 - number) >>> 0;
  }

  /**
   * The first entry with this hash in a chain, which goes from the newest to the oldest, or NONE.
   * @param begin number of the first entry to look at
   * @param newerAge age of the one before it
   */
  #search(begin: number, newerAge: number, low: number, high: number): number {
    const mask = this.#capacity - 1;
    let number = begin;
    let last = newerAge;
    for (let age = this.#ageOf(number); age < this.#count && age > last; age = this.#ageOf(number)) {
      const entry = number & mask;
      if (this.#low[entry] === low && this.#high[entry] === high) return entry;
      number = this.#next[entry]!;
      last = age;
    }
    return NONE;
  }

  /** The entry, when it is within the window and not before `from`; those behind it in its chain are older. */
  #wanted(entry: number, nowMs: number, from: number): number {
    if (entry === NONE) return NONE;
    return this.#physicalOffset[entry]! >= from && nowMs - this.#timeMs[entry]! < this.#windowMs ? entry : NONE;
  }

  #isOld(nowMs: number): boolean {
    return this.#count > 0 && nowMs - this.#timeMs[this.#first]! >= this.#windowMs;
  }

  #add(low: number, high: number, physicalOffset: number, slot: number, timeMs: number): void {
    const entry = this.#end & (this.#capacity - 1);
    if (entry === this.#frozenFirst) this.#keepFrozen();
    this.#low[entry] = low;
    this.#high[entry] = high;
    this.#physicalOffset[entry] = physicalOffset;
    this.#slot[entry] = slot;
    this.#timeMs[entry] = timeMs;
    this.#link(this.#end);
    this.#end = (this.#end + 1) | 0;
    this.#count++;
  }

  #link(number: number): void {
    const entry = number & (this.#capacity - 1);
    const bucket = this.#low[entry]! & (this.#capacity - 1);
    this.#next[entry] = this.#buckets[bucket]!;
    this.#buckets[bucket] = number;
  }

  #grow(): void {
    const capacity = this.#capacity * 2;
    // The former columns stay as they are, for a snapshot that still wants them.
    this.#frozen = undefined;
    this.#frozenFirst = NONE;
    this.#low = this.#unrolled(this.#low, new Uint32Array(capacity));
    this.#high = this.#unrolled(this.#high, new Uint32Array(capacity));
    this.#slot = this.#unrolled(this.#slot, new Uint32Array(capacity));
    this.#physicalOffset = this.#unrolled(this.#physicalOffset, new Float64Array(capacity));
    this.#timeMs = this.#unrolled(this.#timeMs, new Float64Array(capacity));
    this.#next = new Int32Array(capacity);
    this.#buckets = new Int32Array(capacity).fill(NO_NUMBER);
    this.#capacity = capacity;
    this.#end = this.#count;
    for (let number = 0; number < this.#count; number++) this.#link(number);
  }

  /** Copies a column so that its first entry comes first. */
  #unrolled<Column extends Uint32Array | Float64Array>(from: Column, to: Column): Column {
    const first = this.#first;
    to.set(from.subarray(first));
    to.set(from.subarray(0, first), from.length - first);
    return to;
  }

  /** The bytes of a snapshot, where they lie. */
  #runs(): Uint8Array[] {
    const [first, count] = [this.#first, this.#count];
    const toEnd = Math.min(count, this.#capacity - first);
    const head = new Uint32Array([count, 0]);
    const columns = [this.#physicalOffset, this.#timeMs, this.#low, this.#high, this.#slot];
    const runs = columns.flatMap((column) => [
      column.subarray(first, first + toEnd),
      column.subarray(0, count - toEnd),
    ]);
    return [head, ...runs].map(({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength));
  }

  #keepFrozen(): void {
    this.#frozen?.keep();
    this.#frozen = undefined;
    this.#frozenFirst = NONE;
  }
}
