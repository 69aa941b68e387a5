import { WireError } from './wire-error.ts';

/** Protobuf's wire types. */
export const WIRE_VARINT = 0;
export const WIRE_FIXED64 = 1;
export const WIRE_BYTES = 2;
export const WIRE_GROUP_START = 3;
export const WIRE_GROUP_END = 4;
export const WIRE_FIXED32 = 5;

/** Groups may be nested this deep. */
export const GROUP_DEPTH_MAX = 64;

const TWO_POW_32 = 2 ** 32;

/**
 * Walks the fields of a protobuf message where it lies: no field is copied, no object is made for one. `next` moves to
 * a field and checks it to its end, so all positions that the reader shows are inside of the bytes.
 *
 * ```
 *   fieldStart    valueStart         valueEnd
 *   | tag | length |  value ...       |      next field
 * ```
 *
 * Varints are at most 10 bytes and 64 bits; tags at most 32 bits; unknown groups are skipped, at most 64 deep.
 */
export class WireReader {
  bytes: Uint8Array;
  /** Where the next field begins. */
  position: number;
  /** Byte behind the message being walked. */
  end: number;

  /** Number of the current field, 1…2^29 − 1. */
  fieldNumber = 0;
  /** Wire type of the current field. */
  wireType = 0;
  /** First byte of the current field's tag. */
  fieldStart = 0;
  /** First byte of the current field's value (behind the length, for a field of bytes). */
  valueStart = 0;
  /** Byte behind the current field. */
  valueEnd = 0;
  /** Lower 32 bits of the current varint. */
  low = 0;
  /** Upper 32 bits of the current varint. */
  high = 0;

  /** @param bytes never written; the reader keeps them as long as it lives */
  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.position = start;
    this.end = end;
  }

  /** Begins with another message, as a new reader would. */
  open(bytes: Uint8Array, start = 0, end = bytes.length): void {
    this.bytes = bytes;
    this.position = start;
    this.end = end;
  }

  /**
   * Moves to the next field of the message.
   * @returns false behind the last field
   * @throws WireError
   */
  next(): boolean {
    if (this.position >= this.end) return false;
    this.fieldStart = this.position;
    this.#readTag();
    this.valueStart = this.position;
    switch (this.wireType) {
      case WIRE_VARINT:
        this.#readVarint();
        break;
      case WIRE_BYTES: {
        const length = this.#readLength();
        this.valueStart = this.position;
        this.position = this.valueStart + length;
        break;
      }
      case WIRE_FIXED64:
        this.#skipBytes(8);
        break;
      case WIRE_FIXED32:
        this.#skipBytes(4);
        break;
      case WIRE_GROUP_START:
        this.#skipGroup();
        break;
      default:
        throw new WireError(`wire type ${this.wireType} where a field was to begin`, this.fieldStart);
    }
    this.valueEnd = this.position;
    return true;
  }

  /** Whether the current field has this number and holds bytes, a text or a message. */
  isBytes(fieldNumber: number): boolean {
    return this.fieldNumber === fieldNumber && this.wireType === WIRE_BYTES;
  }

  /** Whether the current field has this number and holds a varint. */
  isVarint(fieldNumber: number): boolean {
    return this.fieldNumber === fieldNumber && this.wireType === WIRE_VARINT;
  }

  /** The current varint as an int32, as protobuf reads it: the lower 32 bits. */
  int32(): number {
    return this.low | 0;
  }

  /** The current varint as an int64; beyond ±2^53 the nearest number. */
  int64(): number {
    return (this.high | 0) * TWO_POW_32 + (this.low >>> 0);
  }

  /** The current value, as a view. */
  value(): Uint8Array {
    return this.bytes.subarray(this.valueStart, this.valueEnd);
  }

  /**
   * Goes into the current field, a message; `next` then walks its fields.
   * @returns what `leave` needs
   */
  enter(): number {
    const outerEnd = this.end;
    this.position = this.valueStart;
    this.end = this.valueEnd;
    return outerEnd;
  }

  /** Goes back to the message outside, behind the field that was entered. */
  leave(outerEnd: number): void {
    this.position = this.end;
    this.end = outerEnd;
  }

  #readTag(): void {
    const first = this.bytes[this.position]!;
    if (first < 0x80) {
      this.position++;
      this.fieldNumber = first >>> 3;
      this.wireType = first & 7;
    } else {
      const start = this.position;
      this.#readVarint();
      if (this.high !== 0 || this.position - start > 5) throw new WireError('tag of more than 32 bits', start);
      this.fieldNumber = this.low >>> 3;
      this.wireType = this.low & 7;
    }
    if (this.fieldNumber === 0) throw new WireError('field number 0', this.fieldStart);
  }

  #readLength(): number {
    const start = this.position;
    this.#readVarint();
    const length = this.low >>> 0;
    if (this.high !== 0 || length > this.end - this.position) {
      throw new WireError('length of a field beyond the end of its message', start);
    }
    return length;
  }

  #skipBytes(count: number): void {
    if (this.end - this.position < count) throw new WireError('end of message inside of a number', this.position);
    this.position += count;
  }

  #byte(): number {
    if (this.position >= this.end) throw new WireError('end of message inside of a number', this.position);
    return this.bytes[this.position++]!;
  }

  #readVarint(): void {
    let byte = this.#byte();
    this.high = 0;
    this.low = byte & 0x7f;
    if (byte < 0x80) return;
    for (let shift = 7; shift <= 21; shift += 7) {
      byte = this.#byte();
      this.low |= (byte & 0x7f) << shift;
      if (byte < 0x80) return;
    }
    byte = this.#byte();
    this.low |= (byte & 0x0f) << 28;
    this.high = (byte & 0x7f) >>> 4;
    if (byte < 0x80) return;
    for (let shift = 3; shift <= 24; shift += 7) {
      byte = this.#byte();
      this.high |= (byte & 0x7f) << shift;
      if (byte < 0x80) return;
    }
    byte = this.#byte();
    if (byte > 1) throw new WireError('number of more than 64 bits', this.position - 1);
    this.high |= byte << 31;
  }

  #skipGroup(): void {
    const { fieldNumber, fieldStart } = this;
    const open = [fieldNumber];
    while (open.length > 0) {
      if (this.position >= this.end) throw new WireError('group without an end', fieldStart);
      this.#readTag();
      switch (this.wireType) {
        case WIRE_VARINT:
          this.#readVarint();
          break;
        case WIRE_BYTES:
          this.#skipBytes(this.#readLength());
          break;
        case WIRE_FIXED64:
          this.#skipBytes(8);
          break;
        case WIRE_FIXED32:
          this.#skipBytes(4);
          break;
        case WIRE_GROUP_START:
          if (open.length >= GROUP_DEPTH_MAX) throw new WireError('groups nested too deep', this.position);
          open.push(this.fieldNumber);
          break;
        case WIRE_GROUP_END:
          if (open.pop() !== this.fieldNumber) throw new WireError('end of another group', this.position);
          break;
        default:
          throw new WireError(`wire type ${this.wireType}`, this.position);
      }
    }
    this.fieldNumber = fieldNumber;
    this.wireType = WIRE_GROUP_START;
  }
}
