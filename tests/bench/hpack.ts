/** Header fields in the order of sending. Names are lower case. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

const STATIC_COUNT = 61;
const DYNAMIC_BYTES_MAX = 4096;
const ENTRY_OVERHEAD_BYTES = 32;
const INDEXED = 0x80;
const LITERAL_WITH_INDEXING = 0x40;

/**
 * Encodes header lists by HPACK (RFC 7541) as real clients do: in full the first time, as one byte a field afterwards.
 * It never evicts, so the lists of one connection must fit the 4,096 bytes of a default table.
 */
export class HpackEncoder {
  readonly #entries = new Map<string, number>();
  #bytes = 0;

  /** How many fields the table holds. A block encoded without growing it may be sent again as it is. */
  get size(): number {
    return this.#entries.size;
  }

  encode(headers: HeaderList): Buffer {
    return Buffer.concat(headers.map(([name, value]) => this.#encodeField(name, value)));
  }

  #encodeField(name: string, value: string): Buffer {
    const key = `${name}\n${value}`;
    const position = this.#entries.get(key);
    if (position !== undefined) return Buffer.of(INDEXED | (STATIC_COUNT + this.#entries.size - position));
    this.#bytes += name.length + value.length + ENTRY_OVERHEAD_BYTES;
    if (this.#bytes > DYNAMIC_BYTES_MAX) throw new Error('the header fields of this connection do not fit the table');
    this.#entries.set(key, this.#entries.size);
    return Buffer.concat([Buffer.of(LITERAL_WITH_INDEXING), encodeString(name), encodeString(value)]);
  }
}

function encodeString(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  if (bytes.length >= 127) throw new Error('a header text of 127 bytes and more is not needed here');
  return Buffer.concat([Buffer.of(bytes.length), bytes]);
}
