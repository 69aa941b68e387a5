import { NOTHING } from '../../bytes.ts';
import { ConnectionError } from '../protocol.ts';
import { DynamicTable } from './dynamic-table.ts';
import { HeaderField } from './header-field.ts';
import { decodeHuffman } from './huffman.ts';
import { SharedFields } from './shared-fields.ts';
import { STATIC_TABLE } from './static-table.ts';

/** Bounds of one header list. What exceeds them is decoded, as the table must stay in step, but not kept. */
export interface HeaderListLimits {
  /** As SETTINGS_MAX_HEADER_LIST_SIZE counts: names, values and 32 a field. Bytes. */
  readonly bytesMax: number;
  readonly countMax: number;
}

const STATIC_COUNT = STATIC_TABLE.length;
/** An integer takes at most so many continuation bytes: more than 2^28 is meant for nothing here. */
const INTEGER_SHIFT_MAX = 28;
/** So many fields of a table may be those of other connections. */
const SHARED_COUNT_MAX = 24;
const sharedFields = new SharedFields();

/** Decodes the header blocks of one direction of a connection (RFC 7541). */
export class HpackDecoder {
  readonly #table: DynamicTable;
  readonly #tableBytesMax: number;
  readonly #limits: HeaderListLimits;
  #bytes = NOTHING;
  #at = 0;
  #end = 0;
  #isTooLarge = false;

  /** @param tableBytesMax our SETTINGS_HEADER_TABLE_SIZE */
  constructor(tableBytesMax: number, limits: HeaderListLimits) {
    this.#table = new DynamicTable(tableBytesMax);
    this.#tableBytesMax = tableBytesMax;
    this.#limits = limits;
  }

  /** Whether the last block was larger than the limits, so that its list is not whole. */
  get isTooLarge(): boolean {
    return this.#isTooLarge;
  }

  /**
   * @returns the fields of a block, in order
   * @throws ConnectionError COMPRESSION_ERROR; the decoder is not to be used any more
   */
  decode(bytes: Buffer, start: number, end: number): HeaderField[] {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#isTooLarge = false;
    const { bytesMax, countMax } = this.#limits;
    const fields: HeaderField[] = [];
    let listBytes = 0;
    this.#readTableSizes();
    while (this.#at < end) {
      const field = this.#readField(bytes[this.#at]!);
      listBytes += field.sizeBytes;
      if (listBytes <= bytesMax && fields.length < countMax) fields.push(field);
      else this.#isTooLarge = true;
    }
    this.#bytes = NOTHING; // the chunk it came in is not to be kept
    return fields;
  }

  /** Changes of the table's size, which are allowed at the beginning of a block only. */
  #readTableSizes(): void {
    while (this.#at < this.#end && (this.#bytes[this.#at]! & 0xe0) === 0x20) {
      const bytesMax = this.#readInteger(0x1f);
      if (bytesMax > this.#tableBytesMax) throw malformed(`a table of ${bytesMax} bytes is larger than allowed`);
      this.#table.resize(bytesMax);
    }
  }

  #readField(first: number): HeaderField {
    if (first & 0x80) return this.#fieldAt(this.#readInteger(0x7f));
    if (first & 0x40) {
      // Clients say the same things first; what comes later is mostly of one call.
      const field = this.#readLiteral(0x3f, this.#table.count < SHARED_COUNT_MAX);
      this.#table.add(field);
      return field;
    }
    if (first & 0x20) throw malformed('the size of the table changes within a block');
    return this.#readLiteral(0x0f, false);
  }

  #readLiteral(prefixMask: number, isShared: boolean): HeaderField {
    const index = this.#readInteger(prefixMask);
    const name = index === 0 ? this.#readText() : this.#fieldAt(index).name;
    return isShared ? sharedFields.get(name, this.#readText()) : new HeaderField(name, this.#readText());
  }

  #fieldAt(index: number): HeaderField {
    const field = index <= STATIC_COUNT ? STATIC_TABLE[index - 1] : this.#table.at(index - STATIC_COUNT - 1);
    if (field === undefined) throw malformed(`there is no field at ${index}`);
    return field;
  }

  #readText(): string {
    if (this.#at >= this.#end) throw malformed('a text is missing');
    const isHuffman = (this.#bytes[this.#at]! & 0x80) !== 0;
    const length = this.#readInteger(0x7f);
    const start = this.#at;
    const end = start + length;
    if (end > this.#end) throw malformed('a text is longer than its block');
    this.#at = end;
    if (!isHuffman) return this.#bytes.toString('latin1', start, end);
    const text = decodeHuffman(this.#bytes, start, end);
    if (text === undefined) throw malformed('a text is not valid Huffman code');
    return text;
  }

  #readInteger(prefixMask: number): number {
    let value = this.#bytes[this.#at++]! & prefixMask;
    if (value < prefixMask) return value;
    for (let shift = 0; shift <= INTEGER_SHIFT_MAX; shift += 7) {
      if (this.#at >= this.#end) throw malformed('a number is cut off');
      const byte = this.#bytes[this.#at++]!;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw malformed('a number is too long');
  }
}

function malformed(what: string): ConnectionError {
  return new ConnectionError('COMPRESSION_ERROR', what);
}
