import { readText } from './wire-text.ts';

/** A longer text is made anew each time. Bytes. */
const KEPT_BYTES_MAX = 255;

/** A text that is mostly the same as the last time: to compare its bytes takes less than to make a text of them. */
export class LastText {
  readonly #bytes = new Uint8Array(KEPT_BYTES_MAX);
  #text = '';
  #size = 0;

  /**
   * The text at [start, end).
   * @throws WireError when it is not UTF-8
   */
  read(bytes: Buffer, start: number, end: number): string {
    const size = end - start;
    if (size === this.#size && this.#isSame(bytes, start)) return this.#text;
    const text = readText(bytes, start, end);
    if (size > KEPT_BYTES_MAX) return text;
    for (let index = 0; index < size; index++) this.#bytes[index] = bytes[start + index]!;
    this.#size = size;
    this.#text = text;
    return text;
  }

  #isSame(bytes: Buffer, start: number): boolean {
    for (let index = 0; index < this.#size; index++) if (this.#bytes[index] !== bytes[start + index]) return false;
    return true;
  }
}
