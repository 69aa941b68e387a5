/**
 * Writing of single protobuf fields into a buffer of the right size. All functions return the position behind what they
 * wrote; the `…Size` functions say beforehand how many bytes that is. Numbers are whole, 0 ≤ n ≤ 2^53 − 1.
 */

const TWO_POW_7 = 2 ** 7;
const TWO_POW_28 = 2 ** 28;
const TWO_POW_31 = 2 ** 31;
const ASCII_MAX = 0x7f;

/** Tag of a varint field as one number. */
export function varintTag(fieldNumber: number): number {
  return fieldNumber << 3;
}

/** Tag of a field of bytes, a text or a message, as one number. */
export function bytesTag(fieldNumber: number): number {
  return (fieldNumber << 3) | 2;
}

export function varintSize(value: number): number {
  if (value < TWO_POW_7) return 1;
  let size = 1;
  let left = value;
  while (left >= TWO_POW_28) {
    left = Math.floor(left / TWO_POW_28);
    size += 4;
  }
  while (left >= TWO_POW_7) {
    left >>>= 7;
    size++;
  }
  return size;
}

export function writeVarint(target: Uint8Array, position: number, value: number): number {
  let left = value;
  let at = position;
  while (left >= TWO_POW_31) {
    target[at++] = (left % TWO_POW_7) | 0x80;
    left = Math.floor(left / TWO_POW_7);
  }
  while (left >= TWO_POW_7) {
    target[at++] = (left & 0x7f) | 0x80;
    left >>>= 7;
  }
  target[at++] = left;
  return at;
}

/** Bytes of a text in UTF-8. */
export function textSize(text: string): number {
  for (let index = 0; index < text.length; index++) {
    if (text.charCodeAt(index) > ASCII_MAX) return Buffer.byteLength(text);
  }
  return text.length;
}

/** Bytes of a field that holds `size` bytes. */
export function bytesFieldSize(fieldNumber: number, size: number): number {
  return varintSize(bytesTag(fieldNumber)) + varintSize(size) + size;
}

/** Bytes of a varint field. */
export function varintFieldSize(fieldNumber: number, value: number): number {
  return varintSize(varintTag(fieldNumber)) + varintSize(value);
}

export function writeVarintField(target: Uint8Array, position: number, fieldNumber: number, value: number): number {
  return writeVarint(target, writeVarint(target, position, varintTag(fieldNumber)), value);
}

/** Writes tag and length of a field; its `size` bytes follow. */
export function writeBytesHeader(target: Uint8Array, position: number, fieldNumber: number, size: number): number {
  return writeVarint(target, writeVarint(target, position, bytesTag(fieldNumber)), size);
}

/** @param size of the text in UTF-8, from `textSize` */
export function writeTextField(
  target: Buffer,
  position: number,
  fieldNumber: number,
  text: string,
  size: number,
): number {
  const at = writeBytesHeader(target, position, fieldNumber, size);
  target.write(text, at, size, size === text.length ? 'latin1' : 'utf8');
  return at + size;
}

/** Content of a google.protobuf.Timestamp or Duration of `milliseconds` ≥ 0: seconds and nanoseconds. */
export function millisecondsSize(milliseconds: number): number {
  const seconds = Math.floor(milliseconds / 1000);
  const nanoseconds = Math.floor(milliseconds % 1000) * 1_000_000;
  return (seconds === 0 ? 0 : varintFieldSize(1, seconds)) + (nanoseconds === 0 ? 0 : varintFieldSize(2, nanoseconds));
}

/** Writes a field that holds a google.protobuf.Timestamp or Duration of `milliseconds` ≥ 0; fractions are cut. */
export function writeMillisecondsField(
  target: Uint8Array,
  position: number,
  fieldNumber: number,
  milliseconds: number,
): number {
  const seconds = Math.floor(milliseconds / 1000);
  const nanoseconds = Math.floor(milliseconds % 1000) * 1_000_000;
  let at = writeBytesHeader(target, position, fieldNumber, millisecondsSize(milliseconds));
  if (seconds !== 0) at = writeVarintField(target, at, 1, seconds);
  if (nanoseconds !== 0) at = writeVarintField(target, at, 2, nanoseconds);
  return at;
}
