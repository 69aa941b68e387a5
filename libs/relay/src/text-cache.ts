/** Texts that are kept; a power of two. */
const SLOT_COUNT = 1024;
/** Longer ones are made anew each time. Bytes. */
const KEPT_BYTES_MAX = 255;

interface Kept {
  readonly bytes: Uint8Array;
  readonly text: string;
}

/**
 * Texts of bytes that come again and again, as names of topics do: to compare some bytes takes less than to make a text of
 * them, and to look that up. Each text has one place, which it takes from another.
 */
export class TextCache {
  readonly #slots = new Array<Kept | undefined>(SLOT_COUNT).fill(undefined);

  /** The bytes from `start` to `end` as UTF-8. */
  textOf(bytes: Uint8Array, start: number, end: number): string {
    const length = end - start;
    if (length > KEPT_BYTES_MAX) return textOf(bytes, start, end);
    const slot = slotOf(bytes, start, end);
    const kept = this.#slots[slot];
    if (kept !== undefined && kept.bytes.length === length && isSame(kept.bytes, bytes, start)) return kept.text;
    const text = textOf(bytes, start, end);
    this.#slots[slot] = { bytes: new Uint8Array(bytes.subarray(start, end)), text };
    return text;
  }
}

function slotOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0;
  for (let at = start; at < end; at++) hash = (31 * hash + bytes[at]!) | 0;
  return (hash ^ (hash >>> 15)) & (SLOT_COUNT - 1);
}

function isSame(kept: Uint8Array, bytes: Uint8Array, start: number): boolean {
  for (let at = 0; at < kept.length; at++) if (kept[at] !== bytes[start + at]) return false;
  return true;
}

function textOf(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString();
}
