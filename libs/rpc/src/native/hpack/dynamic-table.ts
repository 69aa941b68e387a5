import type { HeaderField } from './header-field.ts';

const FIELDS_MIN = 16;
const NO_FIELDS: (HeaderField | undefined)[] = [];

/** The dynamic table (RFC 7541, 2.3.2): the newest field comes first, the oldest ones make room. */
export class DynamicTable {
  /** A ring; its length is a power of two, or 0 as long as there was no field. */
  #fields: (HeaderField | undefined)[] = NO_FIELDS;
  /** Where the newest field lies. */
  #newest = 0;
  #count = 0;
  #bytes = 0;
  #bytesMax: number;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get bytesMax(): number {
    return this.#bytesMax;
  }

  /** @param position 0 is the newest field */
  at(position: number): HeaderField | undefined {
    if (position >= this.#count) return undefined;
    return this.#fields[(this.#newest - position) & (this.#fields.length - 1)];
  }

  /** Adds a field and drops old ones until it fits; one that is larger than the table empties it and is not added. */
  add(field: HeaderField): void {
    const sizeBytes = field.sizeBytes;
    this.#shrink(this.#bytesMax - sizeBytes);
    if (sizeBytes > this.#bytesMax) return;
    if (this.#count === this.#fields.length) this.#grow();
    this.#newest = (this.#newest + 1) & (this.#fields.length - 1);
    this.#fields[this.#newest] = field;
    this.#count++;
    this.#bytes += sizeBytes;
  }

  /** Changes the size of the table; fields that do not fit any more are dropped. */
  resize(bytesMax: number): void {
    this.#bytesMax = bytesMax;
    this.#shrink(bytesMax);
  }

  #shrink(bytesMax: number): void {
    while (this.#bytes > bytesMax && this.#count > 0) {
      const oldest = (this.#newest - this.#count + 1) & (this.#fields.length - 1);
      this.#bytes -= this.#fields[oldest]!.sizeBytes;
      this.#fields[oldest] = undefined;
      this.#count--;
    }
  }

  #grow(): void {
    const fields = new Array<HeaderField | undefined>(Math.max(FIELDS_MIN, 2 * this.#fields.length));
    for (let position = 0; position < this.#count; position++) fields[this.#count - 1 - position] = this.at(position);
    this.#newest = this.#count - 1;
    this.#fields = fields;
  }
}
