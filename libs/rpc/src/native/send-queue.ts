import { asBuffer } from '../bytes.ts';
import { writeUint32 } from './frames.ts';
import { MESSAGE_PREFIX_BYTES } from './message-reader.ts';
import type { Output } from './output.ts';

/** A smaller message is put behind its prefix, which makes one part of two. */
const JOINED_BYTES_MAX = 4096;

/** Messages of a stream that wait for the peer's window, or for its socket. */
export class SendQueue {
  readonly #parts: Buffer[] = [];
  /** How much of the first part has been sent. */
  #sentBytes = 0;
  #bytes = 0;
  #hasBegun = false;

  get bytes(): number {
    return this.#bytes;
  }

  /** Some of what waited together with the rest has been sent, maybe not up to the end of a message. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** @param message must not change until it has been sent */
  addMessage(message: Uint8Array): void {
    const isJoined = message.length <= JOINED_BYTES_MAX;
    const prefix = Buffer.allocUnsafeSlow(MESSAGE_PREFIX_BYTES + (isJoined ? message.length : 0));
    prefix[0] = 0;
    writeUint32(prefix, 1, message.length);
    if (isJoined) prefix.set(message, MESSAGE_PREFIX_BYTES);
    this.#add(prefix);
    if (!isJoined) this.#add(asBuffer(message));
  }

  /** Bytes that are no gRPC message. */
  addText(text: string): void {
    this.#add(Buffer.from(text));
  }

  /** Hands the next bytes on, in one or more parts. @param byteCount at most `bytes` */
  take(byteCount: number, output: Output): void {
    let missing = byteCount;
    while (missing > 0) {
      const part = this.#parts[0]!;
      const end = Math.min(part.length, this.#sentBytes + missing);
      output.append(part.subarray(this.#sentBytes, end));
      missing -= end - this.#sentBytes;
      this.#sentBytes = end;
      if (end < part.length) continue;
      this.#parts.shift();
      this.#sentBytes = 0;
    }
    this.#bytes -= byteCount;
    this.#hasBegun = this.#bytes > 0;
  }

  clear(): void {
    this.#parts.length = 0;
    this.#sentBytes = 0;
    this.#bytes = 0;
  }

  #add(part: Buffer): void {
    this.#parts.push(part);
    this.#bytes += part.length;
  }
}
