import { isUtf8 } from 'node:buffer';
import { WireError } from './wire-error.ts';

/** Bits of `scanText`. */
export const TEXT_HAS_CONTROL = 1;
export const TEXT_IS_NOT_BLANK = 2;
const TEXT_NOT_ASCII = 4;

/**
 * Looks over the text at [start, end) once.
 * @returns TEXT_HAS_CONTROL when it holds an ISO control character (U+0000…1F, U+007F…9F),
 *          TEXT_IS_NOT_BLANK when it holds anything but spaces and controls
 * @throws WireError when it is not UTF-8
 */
export function scanText(bytes: Uint8Array, start: number, end: number): number {
  let found = 0;
  for (let index = start; index < end; index++) {
    const byte = bytes[index]!;
    if (byte > 0x20 && byte < 0x7f) found |= TEXT_IS_NOT_BLANK;
    else if (byte >= 0x80) {
      found |= TEXT_NOT_ASCII;
      // U+0080…9F are C2 80…9F
      if (byte === 0xc2 && index + 1 < end && bytes[index + 1]! < 0xa0) found |= TEXT_HAS_CONTROL;
    } else if (byte !== 0x20) found |= TEXT_HAS_CONTROL;
  }
  if ((found & TEXT_NOT_ASCII) === 0) return found;
  return (found & ~TEXT_NOT_ASCII) | scanUnicode(bytes.subarray(start, end), start);
}

function scanUnicode(text: Uint8Array, position: number): number {
  if (!isUtf8(text)) throw new WireError('text that is not UTF-8', position);
  return Buffer.from(text.buffer, text.byteOffset, text.length).toString().trim() === '' ? 0 : TEXT_IS_NOT_BLANK;
}

/**
 * The text at [start, end).
 * @throws WireError when it is not UTF-8
 */
export function readText(bytes: Buffer, start: number, end: number): string {
  if (start === end) return '';
  for (let index = start; index < end; index++) {
    if (bytes[index]! < 0x80) continue;
    if (!isUtf8(bytes.subarray(start, end))) throw new WireError('text that is not UTF-8', start);
    return bytes.toString('utf8', start, end);
  }
  return bytes.toString('latin1', start, end);
}

/** The same bytes as a Buffer; nothing is copied. */
export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
