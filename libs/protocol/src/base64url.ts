const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const NO_VALUE = -1;
/** Six bits for each byte of text; negative for what is no character of the alphabet. */
const VALUES = new Int8Array(256).fill(NO_VALUE);
for (let value = 0; value < ALPHABET.length; value++) VALUES[ALPHABET.charCodeAt(value)] = value;

/**
 * Decodes base64url without padding where it lies, and takes only what an encoder would have written: bits that stand for
 * nothing are 0.
 * @param target has room for three quarters of the text
 * @returns bytes written, or -1 when the text is none
 */
export function decodeBase64url(source: Uint8Array, start: number, end: number, target: Uint8Array): number {
  let written = 0;
  let at = start;
  for (const wholeEnd = end - ((end - start) & 3); at < wholeEnd; at += 4) {
    const bits =
      (VALUES[source[at]!]! << 18) |
      (VALUES[source[at + 1]!]! << 12) |
      (VALUES[source[at + 2]!]! << 6) |
      VALUES[source[at + 3]!]!;
    if (bits < 0) return NO_VALUE;
    target[written++] = bits >>> 16;
    target[written++] = bits >>> 8;
    target[written++] = bits;
  }
  switch (end - at) {
    case 0:
      return written;
    case 2: {
      const bits = (VALUES[source[at]!]! << 6) | VALUES[source[at + 1]!]!;
      if (bits < 0 || (bits & 0xf) !== 0) return NO_VALUE;
      target[written++] = bits >>> 4;
      return written;
    }
    case 3: {
      const bits = (VALUES[source[at]!]! << 12) | (VALUES[source[at + 1]!]! << 6) | VALUES[source[at + 2]!]!;
      if (bits < 0 || (bits & 0x3) !== 0) return NO_VALUE;
      target[written++] = bits >>> 10;
      target[written++] = bits >>> 2;
      return written;
    }
    default:
      return NO_VALUE;
  }
}
