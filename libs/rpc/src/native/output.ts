import type { Writable } from 'node:stream';
import { asBuffer } from '../bytes.ts';

const SLAB_BYTES = 64 * 1024;
/** Less is not worth being kept for the next connection. */
const REST_BYTES_MIN = 4096;
const RESTS_MAX = 64;
/** A message up to this size is copied behind its head; a larger one leaves from where it lies. */
const COPY_BYTES_MAX = 8192;

/** What is left of slabs that have been written from. The parts in use are never written again. */
const rests: Buffer[] = [];

function takeSlab(byteCount: number): Buffer {
  const rest = rests.pop();
  if (rest !== undefined && rest.length >= byteCount) return rest;
  return Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, byteCount));
}

/**
 * The bytes of one connection on their way out. Frames are written into a slab one behind the other, and all that has
 * gathered leaves in one write. A connection that has nothing to send holds no memory here.
 */
export class Output {
  #slab: Buffer | undefined;
  /** Where the piece begins that is being written. */
  #start = 0;
  #used = 0;
  #pieces: Buffer[] | undefined;
  #pieceBytes = 0;

  /** Bytes that wait for `flush`. */
  get bytes(): number {
    return this.#pieceBytes + this.#used - this.#start;
  }

  /** The slab into which the reserved bytes are to be written, at once. */
  get slab(): Buffer {
    return this.#slab!;
  }

  /** Room for so many bytes behind all that waits. @returns where they begin in `slab` */
  reserve(byteCount: number): number {
    if (this.#slab === undefined || this.#slab.length - this.#used < byteCount) this.#nextSlab(byteCount);
    const at = this.#used;
    this.#used += byteCount;
    return at;
  }

  /** Bytes that must not change until they have been sent: a large part leaves uncopied. */
  append(bytes: Uint8Array): void {
    if (bytes.length <= COPY_BYTES_MAX) {
      const at = this.reserve(bytes.length);
      this.#slab!.set(bytes, at);
      return;
    }
    this.#cut();
    this.#addPiece(asBuffer(bytes));
  }

  /** Writes all that waits. */
  flush(stream: Writable): void {
    this.#cut();
    const pieces = this.#pieces;
    this.#pieces = undefined;
    this.#pieceBytes = 0;
    this.#giveBack();
    if (pieces === undefined) return;
    if (pieces.length === 1) {
      stream.write(pieces[0]);
      return;
    }
    stream.cork();
    for (const piece of pieces) stream.write(piece);
    stream.uncork();
  }

  /** Forgets all that waits. */
  clear(): void {
    this.#pieces = undefined;
    this.#pieceBytes = 0;
    this.#start = this.#used;
    this.#giveBack();
  }

  #nextSlab(byteCount: number): void {
    this.#cut();
    this.#giveBack();
    this.#slab = takeSlab(byteCount);
    this.#start = 0;
    this.#used = 0;
  }

  #cut(): void {
    if (this.#slab === undefined || this.#used === this.#start) return;
    this.#addPiece(this.#slab.subarray(this.#start, this.#used));
    this.#start = this.#used;
  }

  #addPiece(piece: Buffer): void {
    this.#pieces ??= [];
    this.#pieces.push(piece);
    this.#pieceBytes += piece.length;
  }

  #giveBack(): void {
    if (this.#slab === undefined) return;
    const rest = this.#slab.subarray(this.#used);
    if (rest.length >= REST_BYTES_MIN && rests.length < RESTS_MAX) rests.push(rest);
    this.#slab = undefined;
    this.#start = 0;
    this.#used = 0;
  }
}
