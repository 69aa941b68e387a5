import { ByteWindow, claimedLength, HEADER_BYTES, isIntact, meaningfulLength, StoredRecord } from './record.ts';

/** Blocks begin at multiples of it. */
const BLOCK_BYTES = 64 * 1024;
/** So far a block reaches into the next one: most records that lie across their border are whole in the first. */
const OVERLAP_BYTES = 4 * 1024;
/** Blocks that may stand in each other's way: of each so many are kept. */
const SET_SIZE = 4;
/** Blocks that could not be read of which that is remembered. */
const FAILED_MAX = 64;

/** A run of bytes of one segment as the disk has them. */
class ReadBlock extends ByteWindow {
  readonly startOffset: number;
  readonly endOffset: number;

  constructor(startOffset: number, bytes: Uint8Array) {
    super(bytes);
    this.startOffset = startOffset;
    this.endOffset = startOffset + bytes.length;
  }

  /** The record there, checked; undefined when it isn't whole in this block or not intact. */
  record(physicalOffset: number): StoredRecord | undefined {
    const at = physicalOffset - this.startOffset;
    const room = this.bytes.length - at;
    if (at < 0 || room < HEADER_BYTES) return undefined;
    const length = claimedLength(this.view, at, physicalOffset, room);
    if (length === 0 || !isIntact(this, at, meaningfulLength(this.view, at, length))) return undefined;
    return new StoredRecord(this, at);
  }
}

/** A block that is being read. */
interface Loading {
  readonly startOffset: number;
  readonly endOffset: number;
  readonly done: Promise<void>;
}

/** What may be read in one piece. */
export interface ReadableSpan {
  readonly startOffset: number;
  /** Exclusive. */
  readonly endOffset: number;
}

/**
 * What has lately been read from the disk. Consumers that work off a backlog read records that lie close together, in any
 * order: a block read for the first one serves the next dozens without a call to the system. Where a block may be kept
 * depends on its place alone, so that it is found without a search.
 */
export class ReadBlocks {
  /** By number of the block, modulo their count; of each set the one used last at the front. */
  readonly #sets: ReadBlock[][];
  readonly #loading: Loading[] = [];
  /** Where blocks begin that could not be read whole. */
  readonly #failed: number[] = [];

  /** @param cacheBytes all blocks together; 0 keeps none */
  constructor(cacheBytes: number) {
    const setCount = Math.floor(cacheBytes / (BLOCK_BYTES * SET_SIZE));
    this.#sets = Array.from({ length: setCount }, () => []);
  }

  /** The record at `physicalOffset`, checked, when a block has it whole. */
  find(physicalOffset: number): StoredRecord | undefined {
    const set = this.#setOf(physicalOffset);
    if (set === undefined) return undefined;
    for (let index = 0; index < set.length; index++) {
      const block = set[index]!;
      const record = block.record(physicalOffset);
      if (record === undefined) continue;
      if (index > 0) {
        set.copyWithin(1, 0, index);
        set[0] = block;
      }
      return record;
    }
    return undefined;
  }

  /**
   * Reads the block that holds `physicalOffset`, or waits for one that is being read and has all that is wanted.
   * @param length bytes that it must have from there on at least
   * @param readable within it all is to lie that is read
   * @param read gives the bytes of a span, or fewer
   * @returns undefined when no block is kept for it: the record is to be read by itself
   */
  load(
    physicalOffset: number,
    length: number,
    readable: ReadableSpan,
    read: (from: number, to: number) => Promise<Uint8Array>,
  ): Promise<void> | undefined {
    const wantedEnd = physicalOffset + length;
    let startOffset = Math.max(physicalOffset - (physicalOffset % BLOCK_BYTES), readable.startOffset);
    let endOffset = Math.min(startOffset + BLOCK_BYTES + OVERLAP_BYTES, readable.endOffset);
    if (wantedEnd > endOffset || this.#failed.includes(startOffset)) {
      startOffset = physicalOffset;
      endOffset = Math.min(startOffset + BLOCK_BYTES, readable.endOffset);
    }
    if (this.#sets.length === 0 || wantedEnd > endOffset) return undefined;
    for (const loading of this.#loading) {
      const isWhole = physicalOffset >= loading.startOffset && wantedEnd <= loading.endOffset;
      if (isWhole && isKeptFor(loading, physicalOffset)) return loading.done;
    }
    const loading = { startOffset, endOffset, done: this.#load(startOffset, endOffset, read) };
    this.#loading.push(loading);
    return loading.done;
  }

  async #load(from: number, to: number, read: (from: number, to: number) => Promise<Uint8Array>): Promise<void> {
    try {
      this.#add(new ReadBlock(from, await read(from, to)));
    } catch (error) {
      if (this.#failed.push(from) > FAILED_MAX) this.#failed.shift();
      throw error;
    } finally {
      this.#loading.splice(
        this.#loading.findIndex((loading) => loading.startOffset === from && loading.endOffset === to),
        1,
      );
    }
  }

  #add(block: ReadBlock): void {
    this.#keep(block, block.startOffset);
    const nextStart = nextStartOf(block.startOffset);
    if (isKeptFor(block, nextStart)) this.#keep(block, nextStart);
  }

  #keep(block: ReadBlock, physicalOffset: number): void {
    const set = this.#setOf(physicalOffset)!;
    const former = set.findIndex(({ startOffset }) => startOffset === block.startOffset);
    if (former >= 0) set.splice(former, 1);
    set.unshift(block);
    if (set.length > SET_SIZE) set.pop();
  }

  #setOf(physicalOffset: number): ReadBlock[] | undefined {
    return this.#sets[Math.floor(physicalOffset / BLOCK_BYTES) % this.#sets.length];
  }
}

/** Where the next block begins. */
function nextStartOf(physicalOffset: number): number {
  return physicalOffset - (physicalOffset % BLOCK_BYTES) + BLOCK_BYTES;
}

/** Whether a block is found at an offset within it. One that does not begin where blocks do holds the beginning of the next, too. */
function isKeptFor({ startOffset, endOffset }: ReadableSpan, physicalOffset: number): boolean {
  const nextStart = nextStartOf(startOffset);
  return physicalOffset < nextStart || endOffset > nextStart + OVERLAP_BYTES;
}
