import { ownCopy } from '../bytes.ts';

/** So many parts are kept as they came; more are put together when they are small. */
const PARTS_MIN = 64;
const PART_BYTES_MEAN_MIN = 256;
/** A smaller part is copied: as a view it would hold all that was received with it, which may be much more. */
const VIEW_BYTES_MIN = 4096;

/** Data of a stream that nobody has asked for yet, mostly as views of what was received. */
export class UnreadData {
  #parts: Buffer[] = [];
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** The first part; it stays until `take` has taken all of it. */
  get first(): Buffer | undefined {
    return this.#parts[0];
  }

  add(part: Buffer): void {
    if (part.length === 0) return;
    this.#parts.push(part.length < VIEW_BYTES_MIN ? ownCopy(part) : part);
    this.#bytes += part.length;
    // Each part costs more than a hundred bytes beside its own: many tiny ones would multiply what is held.
    if (this.#parts.length > PARTS_MIN + this.#bytes / PART_BYTES_MEAN_MIN)
      this.#parts = [ownCopy(Buffer.concat(this.#parts))];
  }

  /** The first bytes have been read. @param byteCount at most those of the first part */
  take(byteCount: number): void {
    const first = this.#parts[0]!;
    this.#bytes -= byteCount;
    if (byteCount === first.length) this.#parts.shift();
    else this.#parts[0] = first.subarray(byteCount);
  }

  clear(): void {
    this.#parts = [];
    this.#bytes = 0;
  }
}
