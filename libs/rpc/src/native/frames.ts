import { ConnectionError, FLAG, FRAME, FRAME_HEADER_BYTES } from './protocol.ts';

/**
 * Gets whole frames, in order.
 * The payload is `bytes` from `start` to `end`. Views of it may be kept: the bytes are never written again.
 */
export interface FrameListener {
  onFrame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void;
}

/**
 * Cuts what a socket delivers into frames. Frames are passed on where they lie in the received chunk; only one that is
 * spread over chunks is put together in a buffer of its own.
 *
 * Frame: length (3 bytes), type (1), flags (1), reserved bit and stream id (4), payload.
 */
export class FrameReader {
  readonly #listener: FrameListener;
  readonly #payloadBytesMax: number;
  /** The beginning of a frame. Its buffer has the frame's size once that is known. */
  #held: Buffer | undefined;
  #heldBytes = 0;
  #isStopped = false;

  /** @param payloadBytesMax largest payload that is taken: the value of our SETTINGS_MAX_FRAME_SIZE */
  constructor(listener: FrameListener, payloadBytesMax: number) {
    this.#listener = listener;
    this.#payloadBytesMax = payloadBytesMax;
  }

  /** Nothing is passed on any more, also of the chunk that is being read. */
  stop(): void {
    this.#isStopped = true;
    this.#held = undefined;
  }

  /**
   * @param chunk must not be changed afterwards
   * @throws ConnectionError FRAME_SIZE_ERROR at a frame that is too large, and what the listener throws
   */
  read(chunk: Buffer): void {
    let at = this.#held === undefined ? 0 : this.#complete(chunk);
    const chunkEnd = chunk.length;
    while (chunkEnd - at >= FRAME_HEADER_BYTES && !this.#isStopped) {
      const payloadStart = at + FRAME_HEADER_BYTES;
      const end = payloadStart + this.#payloadBytes(chunk, at);
      if (end > chunkEnd) break;
      this.#pass(chunk, at, end);
      at = end;
    }
    if (at < chunkEnd && !this.#isStopped) this.#hold(chunk, at);
  }

  #pass(bytes: Buffer, at: number, end: number): void {
    const streamId = ((bytes[at + 5]! & 0x7f) << 24) | (bytes[at + 6]! << 16) | (bytes[at + 7]! << 8) | bytes[at + 8]!;
    this.#listener.onFrame(bytes[at + 3]!, bytes[at + 4]!, streamId, bytes, at + FRAME_HEADER_BYTES, end);
  }

  #payloadBytes(bytes: Buffer, at: number): number {
    const length = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
    if (length <= this.#payloadBytesMax) return length;
    throw new ConnectionError(
      'FRAME_SIZE_ERROR',
      `a frame has at most ${this.#payloadBytesMax} bytes; found ${length}`,
    );
  }

  /** Keeps the rest of a chunk, which is less than a frame. */
  #hold(chunk: Buffer, at: number): void {
    const restBytes = chunk.length - at;
    const isSizeKnown = restBytes >= FRAME_HEADER_BYTES;
    const size = isSizeKnown ? FRAME_HEADER_BYTES + this.#payloadBytes(chunk, at) : FRAME_HEADER_BYTES;
    this.#held = Buffer.allocUnsafeSlow(size);
    chunk.copy(this.#held, 0, at);
    this.#heldBytes = restBytes;
  }

  /** Completes the held frame from the beginning of a chunk. @returns how much of the chunk belonged to it */
  #complete(chunk: Buffer): number {
    let at = 0;
    for (;;) {
      const held = this.#held!;
      const taken = Math.min(held.length - this.#heldBytes, chunk.length - at);
      chunk.copy(held, this.#heldBytes, at, at + taken);
      at += taken;
      this.#heldBytes += taken;
      if (this.#heldBytes < held.length) return at;
      const size = FRAME_HEADER_BYTES + this.#payloadBytes(held, 0);
      if (size === held.length) {
        this.#held = undefined;
        this.#pass(held, 0, size);
        return at;
      }
      this.#held = Buffer.allocUnsafeSlow(size);
      held.copy(this.#held);
    }
  }
}

/** Writes a frame's head. @returns where its payload begins */
export function writeFrameHead(
  out: Uint8Array,
  at: number,
  payloadBytes: number,
  type: number,
  flags: number,
  streamId: number,
): number {
  out[at] = payloadBytes >>> 16;
  out[at + 1] = payloadBytes >>> 8;
  out[at + 2] = payloadBytes;
  out[at + 3] = type;
  out[at + 4] = flags;
  return writeUint32(out, at + 5, streamId);
}

/** Big-endian. @returns where the next byte goes */
export function writeUint32(out: Uint8Array, at: number, value: number): number {
  out[at] = value >>> 24;
  out[at + 1] = value >>> 16;
  out[at + 2] = value >>> 8;
  out[at + 3] = value;
  return at + 4;
}

/** Big-endian, unsigned. */
export function readUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** Where the payload of a padded DATA or HEADERS frame begins and ends. */
export interface PayloadRange {
  start: number;
  end: number;
}

/**
 * Takes padding and priority off the payload of a DATA or HEADERS frame.
 * @param range is changed to what remains
 * @throws ConnectionError PROTOCOL_ERROR when the padding does not fit, FRAME_SIZE_ERROR when the payload is too short
 */
export function unpad(type: number, flags: number, bytes: Buffer, range: PayloadRange): void {
  let paddingBytes = 0;
  if (flags & FLAG.PADDED) {
    if (range.start >= range.end) throw new ConnectionError('FRAME_SIZE_ERROR', 'a padded frame has no padding length');
    paddingBytes = bytes[range.start]!;
    range.start++;
  }
  if (type === FRAME.HEADERS && flags & FLAG.PRIORITY) range.start += 5;
  range.end -= paddingBytes;
  if (range.end < range.start) {
    throw new ConnectionError('PROTOCOL_ERROR', `padding of ${paddingBytes} bytes does not fit into its frame`);
  }
}
