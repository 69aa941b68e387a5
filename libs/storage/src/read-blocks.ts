import { ByteWindow, claimedLength, HEADER_BYTES, isIntact, meaningfulLength, StoredRecord } from './record.ts';

/** Bytes read from the disk at once. */
const BLOCK_BYTES = 64 * 1024;

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
    if (room < HEADER_BYTES) return undefined;
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

/**
 * What has lately been read from the disk. Consumers that work off a backlog read records that lie close together, one
 * after the other: a block read for the first one serves the next dozens without a call to the system.
 */
export class ReadBlocks {
  /** Used last at the end. */
  readonly #blocks: ReadBlock[] = [];
  readonly #loading = new Set<Loading>();
  readonly #countMax: number;

  /** @param cacheBytes all blocks together; 0 keeps none */
  constructor(cacheBytes: number) {
    this.#countMax = Math.floor(cacheBytes / BLOCK_BYTES);
  }

  /** The record at `physicalOffset`, checked, when a block has it whole. */
  find(physicalOffset: number): StoredRecord | undefined {
    for (let index = this.#blocks.length - 1; index >= 0; index--) {
      const block = this.#blocks[index]!;
      if (physicalOffset < block.startOffset || physicalOffset >= block.endOffset) continue;
      const record = block.record(physicalOffset);
      if (record === undefined) continue;
      if (index < this.#blocks.length - 1) this.#blocks.push(...this.#blocks.splice(index, 1));
      return record;
    }
    return undefined;
  }

  /**
   * Reads the block that begins at `physicalOffset`, or waits for one that is being read and covers it.
   * @param length bytes that it must have at least
   * @param limit end of what may be read
   * @param read gives the bytes of a span, or fewer
   * @returns undefined when no block is kept for it: the record is to be read by itself
   */
  load(
    physicalOffset: number,
    length: number,
    limit: number,
    read: (from: number, to: number) => Promise<Uint8Array>,
  ): Promise<void> | undefined {
    const endOffset = Math.min(physicalOffset + BLOCK_BYTES, limit);
    if (this.#countMax === 0 || physicalOffset + length > endOffset) return undefined;
    for (const loading of this.#loading) {
      if (physicalOffset >= loading.startOffset && physicalOffset + length <= loading.endOffset) return loading.done;
    }
    const loading: Loading = {
      startOffset: physicalOffset,
      endOffset,
      done: read(physicalOffset, endOffset)
        .then((bytes) => this.#add(physicalOffset, bytes))
        .finally(() => this.#loading.delete(loading)),
    };
    this.#loading.add(loading);
    return loading.done;
  }

  #add(startOffset: number, bytes: Uint8Array): void {
    this.#blocks.push(new ReadBlock(startOffset, bytes));
    if (this.#blocks.length > this.#countMax) this.#blocks.shift();
  }
}
