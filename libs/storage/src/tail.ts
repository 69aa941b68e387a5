import { assert } from '@orbitmq/base';
import { ByteWindow } from './record.ts';
import type { Segment } from './segment.ts';

const CHUNK_BYTES = 1024 * 1024;
/** Memory of so many chunks is kept for the next ones. */
const SPARE_COUNT_MAX = 4;

/** A run of bytes of one segment, in memory. Records lie in it whole. */
export class TailChunk extends ByteWindow {
  readonly segment: Segment;
  readonly startOffset: number;
  /** Bytes that are filled. */
  usedBytes = 0;
  /** Physical offset behind the last record: further on than the bytes when that is a blank, which is here by its header only. */
  logEndOffset: number;
  /** Bytes that have been handed to the disk. */
  takenBytes = 0;
  /** Somebody may keep a view of its bytes. */
  isLent = false;
  #isGone = false;

  constructor(segment: Segment, startOffset: number, bytes: Uint8Array) {
    super(bytes);
    this.segment = segment;
    this.startOffset = startOffset;
    this.logEndOffset = startOffset;
  }

  /** A view of its bytes is given to somebody who may keep it. */
  override lend(): void {
    assert(!this.#isGone, 'a record is asked for its payload when the memory it lay in is used for others');
    this.isLent = true;
  }

  /** Its memory is used for another chunk. */
  end(): void {
    this.#isGone = true;
  }
}

/** Bytes that go to one segment with one write. */
export interface TailWrite {
  readonly segment: Segment;
  readonly physicalOffset: number;
  readonly parts: Uint8Array[];
  sizeBytes: number;
}

/**
 * The newest bytes of the log in memory: the batch that is being gathered, and behind it what readers want most. Chunks
 * are never changed where they have been filled, and the memory of one is only used again when nobody was given a view that he may keep:
 * so views stay right as long as anybody keeps one. New memory for each would have the whole heap marked several times a second.
 */
export class Tail {
  readonly #chunks: TailChunk[] = [];
  readonly #cacheBytes: number;
  #heldBytes = 0;
  /** Memory of chunks that are gone, for the next ones. */
  readonly #spare: Uint8Array[] = [];

  constructor(cacheBytes: number) {
    this.#cacheBytes = cacheBytes;
  }

  /** The chunk in which `sizeBytes` from `physicalOffset` on are to be written, at its `usedBytes`. */
  reserve(segment: Segment, physicalOffset: number, sizeBytes: number): TailChunk {
    const last = this.#chunks.at(-1);
    if (last !== undefined && last.segment === segment && last.usedBytes + sizeBytes <= last.bytes.length) return last;
    const room = Math.min(CHUNK_BYTES, segment.endOffset - physicalOffset);
    const spare = room === CHUNK_BYTES && sizeBytes <= room ? this.#spare.pop() : undefined;
    const bytes = spare ?? Buffer.allocUnsafeSlow(Math.max(room, sizeBytes));
    const chunk = new TailChunk(segment, physicalOffset, bytes);
    this.#chunks.push(chunk);
    this.#heldBytes += chunk.bytes.length;
    return chunk;
  }

  /** The chunk that holds `physicalOffset`, or undefined. */
  find(physicalOffset: number): TailChunk | undefined {
    let low = 0;
    let high = this.#chunks.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const chunk = this.#chunks[middle]!;
      if (physicalOffset < chunk.startOffset) high = middle - 1;
      else if (physicalOffset >= chunk.startOffset + chunk.usedBytes) low = middle + 1;
      else return chunk;
    }
    return undefined;
  }

  /** Takes everything that has not been handed to the disk yet, one entry a segment. */
  take(): TailWrite[] {
    const writes: TailWrite[] = [];
    for (const chunk of this.#untaken()) {
      const bytes = chunk.bytes.subarray(chunk.takenBytes, chunk.usedBytes);
      const last = writes.at(-1);
      if (last?.segment === chunk.segment) {
        last.parts.push(bytes);
        last.sizeBytes += bytes.length;
      } else {
        const physicalOffset = chunk.startOffset + chunk.takenBytes;
        writes.push({ segment: chunk.segment, physicalOffset, parts: [bytes], sizeBytes: bytes.length });
      }
      chunk.takenBytes = chunk.usedBytes;
    }
    return writes;
  }

  /** Lets go of the oldest chunks above the cache's size; `writtenOffset` is how far the disk has everything. */
  evict(writtenOffset: number): void {
    let count = 0;
    while (this.#heldBytes > this.#cacheBytes && count < this.#chunks.length - 1) {
      const chunk = this.#chunks[count]!;
      if (chunk.startOffset + chunk.usedBytes > writtenOffset) break;
      this.#heldBytes -= chunk.bytes.length;
      this.#keepSpare(chunk);
      count++;
    }
    if (count > 0) this.#chunks.splice(0, count);
  }

  #keepSpare(chunk: TailChunk): void {
    const { bytes, isLent } = chunk;
    if (isLent || bytes.length !== CHUNK_BYTES || this.#spare.length === SPARE_COUNT_MAX) return;
    chunk.end();
    this.#spare.push(bytes);
  }

  #untaken(): TailChunk[] {
    let first = this.#chunks.length;
    while (first > 0 && this.#chunks[first - 1]!.takenBytes === 0) first--;
    if (first > 0 && this.#chunks[first - 1]!.takenBytes < this.#chunks[first - 1]!.usedBytes) first--;
    return this.#chunks.slice(first);
  }
}
