import { assert } from '@orbitmq/base';

/** Largest whole number that 48 bits hold: offsets and times in records. */
export const UINT48_MAX = 2 ** 48 - 1;

/** Builds little-endian bytes in one growing buffer. */
export class ByteWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(capacity = 256) {
    this.#buffer = Buffer.allocUnsafe(capacity);
  }

  get length(): number {
    return this.#length;
  }

  u8(value: number): void {
    const at = this.#reserve(1);
    this.#buffer.writeUInt8(value, at);
  }

  u16(value: number): void {
    const at = this.#reserve(2);
    this.#buffer.writeUInt16LE(value, at);
  }

  u32(value: number): void {
    const at = this.#reserve(4);
    this.#buffer.writeUInt32LE(value, at);
  }

  i32(value: number): void {
    const at = this.#reserve(4);
    this.#buffer.writeInt32LE(value, at);
  }

  u48(value: number): void {
    const at = this.#reserve(6);
    this.#buffer.writeUIntLE(value, at, 6);
  }

  f64(value: number): void {
    const at = this.#reserve(8);
    this.#buffer.writeDoubleLE(value, at);
  }

  bytes(value: Uint8Array): void {
    const at = this.#reserve(value.length);
    this.#buffer.set(value, at);
  }

  /** UTF-8 behind its length in 16 bits. */
  text(value: string): void {
    const encoded = Buffer.from(value, 'utf8');
    this.u16(encoded.length);
    this.bytes(encoded);
  }

  /** Overwrites 16 bits that were written before. */
  patchU16(position: number, value: number): void {
    assert(position + 2 <= this.#length, 'patch behind the end');
    this.#buffer.writeUInt16LE(value, position);
  }

  /** Overwrites 32 bits that were written before. */
  patchU32(position: number, value: number): void {
    assert(position + 4 <= this.#length, 'patch behind the end');
    this.#buffer.writeUInt32LE(value, position);
  }

  /** Starts again from nothing; views handed out before are void. */
  clear(): void {
    this.#length = 0;
  }

  /** What was written: a view that lasts until the next write or `clear`. */
  view(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  #reserve(size: number): number {
    const position = this.#length;
    this.#length += size;
    if (this.#length > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.#length, this.#buffer.length * 2));
      this.#buffer.copy(grown, 0, 0, position);
      this.#buffer = grown;
    }
    return position;
  }
}

/** Reads little-endian bytes one value behind the other. Reading behind the end throws RangeError. */
export class ByteReader {
  readonly #buffer: Buffer;
  #position: number;

  constructor(bytes: Uint8Array, position = 0) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#position = position;
  }

  get position(): number {
    return this.#position;
  }

  get remaining(): number {
    return this.#buffer.length - this.#position;
  }

  u8(): number {
    return this.#buffer.readUInt8(this.#advance(1));
  }

  u16(): number {
    return this.#buffer.readUInt16LE(this.#advance(2));
  }

  u32(): number {
    return this.#buffer.readUInt32LE(this.#advance(4));
  }

  i32(): number {
    return this.#buffer.readInt32LE(this.#advance(4));
  }

  u48(): number {
    return this.#buffer.readUIntLE(this.#advance(6), 6);
  }

  f64(): number {
    return this.#buffer.readDoubleLE(this.#advance(8));
  }

  /** A view of the next `length` bytes. */
  bytes(length: number): Buffer {
    if (length > this.remaining) throw new RangeError('read behind the end of the bytes');
    const start = this.#advance(length);
    return this.#buffer.subarray(start, start + length);
  }

  text(): string {
    return this.bytes(this.u16()).toString('utf8');
  }

  #advance(size: number): number {
    const position = this.#position;
    this.#position += size;
    return position;
  }
}
