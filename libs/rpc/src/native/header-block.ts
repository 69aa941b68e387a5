/** Compressed bytes, and frames, of one header block. Beyond, nothing sensible comes. */
const BLOCK_BYTES_MAX = 64 * 1024;
const FRAMES_MAX = 64;

/** A header block that comes in several frames. */
export class HeaderBlock {
  readonly streamId: number;
  /** The stream ends with it. */
  readonly isLast: boolean;
  readonly isSelfDependent: boolean;
  readonly #parts: Buffer[] = [];
  #bytes = 0;

  constructor(streamId: number, isLast: boolean, isSelfDependent: boolean) {
    this.streamId = streamId;
    this.isLast = isLast;
    this.isSelfDependent = isSelfDependent;
  }

  /** @returns false when it is too much */
  add(bytes: Buffer, start: number, end: number): boolean {
    this.#parts.push(bytes.subarray(start, end));
    this.#bytes += end - start;
    return this.#bytes <= BLOCK_BYTES_MAX && this.#parts.length <= FRAMES_MAX;
  }

  whole(): Buffer {
    return Buffer.concat(this.#parts);
  }
}
