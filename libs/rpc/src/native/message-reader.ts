import { readUint32 } from './frames.ts';

/** Compressed flag (1 byte) and length (4 bytes) in front of each gRPC message. */
export const MESSAGE_PREFIX_BYTES = 5;
/** First buffer of a message that comes in parts: what is promised need not come, unless the peer is one to rely on. */
const BUFFER_BYTES_FIRST = 64 * 1024;
const BUFFER_BYTES_FIRST_RELIED_ON = 1024 * 1024;
const GROWTH = 4;

/**
 * Cuts the DATA of a stream into gRPC messages. One that lies in a single frame is given as a view of it; one that is
 * spread over several is put together, in a buffer that grows with what has come. Messages may be kept: their bytes are
 * never written again.
 */
export class MessageReader {
  readonly #prefix = new Uint8Array(MESSAGE_PREFIX_BYTES);
  readonly #firstBytes: number;
  #prefixBytes = 0;
  #buffer: Buffer | undefined;
  #bufferBytes = 0;
  #messageBytes = 0;
  #message: Buffer | undefined;

  /** @param isReliedOn the peer is one that was chosen, as servers are: it sends what it announces */
  constructor(isReliedOn = false) {
    this.#firstBytes = isReliedOn ? BUFFER_BYTES_FIRST_RELIED_ON : BUFFER_BYTES_FIRST;
  }

  /** The message that the last `read` has completed. */
  get message(): Buffer | undefined {
    return this.#message;
  }

  /** First byte of the prefix: 1 = compressed. */
  get flag(): number {
    return this.#prefix[0]!;
  }

  /** Length of the message that has begun, as announced; 0 while that is not known. Bytes. */
  get announcedBytes(): number {
    return this.#messageBytes;
  }

  /** A message has begun and is not complete. */
  get isWithin(): boolean {
    return this.#prefixBytes > 0;
  }

  /**
   * Reads what a DATA frame holds, up to the end of one message.
   * @returns where the next read begins
   */
  read(bytes: Buffer, start: number, end: number): number {
    this.#message = undefined;
    let at = start;
    while (at < end && this.#prefixBytes < MESSAGE_PREFIX_BYTES) this.#prefix[this.#prefixBytes++] = bytes[at++]!;
    if (this.#prefixBytes < MESSAGE_PREFIX_BYTES) return at;
    this.#messageBytes = readUint32(this.#prefix, 1);
    const missingBytes = this.#messageBytes - this.#bufferBytes;
    const taken = Math.min(missingBytes, end - at);
    if (this.#buffer === undefined && taken === missingBytes) {
      this.#complete(bytes.subarray(at, at + taken));
    } else if (taken > 0) {
      this.#reserve(this.#bufferBytes + taken);
      bytes.copy(this.#buffer!, this.#bufferBytes, at, at + taken);
      this.#bufferBytes += taken;
      if (taken === missingBytes) this.#complete(this.#buffer!.subarray(0, this.#messageBytes));
    }
    return at + taken;
  }

  #complete(message: Buffer): void {
    this.#message = message;
    this.#buffer = undefined;
    this.#bufferBytes = 0;
    this.#prefixBytes = 0;
    this.#messageBytes = 0;
  }

  #reserve(bytes: number): void {
    const held = this.#buffer;
    if (held !== undefined && held.length >= bytes) return;
    const size = Math.min(this.#messageBytes, Math.max(bytes, held ? GROWTH * held.length : this.#firstBytes));
    this.#buffer = Buffer.allocUnsafeSlow(size);
    held?.copy(this.#buffer, 0, 0, this.#bufferBytes);
  }
}
