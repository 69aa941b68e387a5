import { FIELD_OVERHEAD_BYTES } from './header-field.ts';
import { STATIC_TABLE, staticIndexOf, staticIndexOfName } from './static-table.ts';

/** A field to be sent. Its name is lower case; a character of its value is one byte. */
export interface SentField {
  readonly name: string;
  readonly value: string;
  /** It will be sent again with the same value, so it is worth a place in the table. */
  readonly isRepeated?: boolean;
}

/** Size of a table about which nothing has been said (RFC 9113, 6.5.2), and the largest that is used here. */
const TABLE_BYTES_DEFAULT = 4096;
const INDEXED = 0x80;
const LITERAL_INDEXED = 0x40;
const LITERAL = 0x00;
const TABLE_SIZE = 0x20;

/**
 * Encodes the header blocks of one direction of a connection (RFC 7541). Repeated fields get a place in the table as
 * long as there is one and keep it: nothing is dropped to make room, so blocks of such fields stay the same and can be
 * kept (`PreparedBlock`). Texts are not Huffman-coded: it costs more time than the bytes are worth between servers.
 */
export class HpackEncoder {
  /** Order of addition by name and value. */
  readonly #positions = new Map<string, number>();
  #bytes = 0;
  #bytesMax = TABLE_BYTES_DEFAULT;
  /** The smallest size since the last block; the peer has to be told of it first (RFC 7541, 4.2). */
  #bytesMaxToTell: number | undefined;
  #version = 0;

  /** Changes whenever a block of repeated fields may look different from before. */
  get version(): number {
    return this.#version;
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. */
  setTableBytesMax(settingBytes: number): void {
    const bytesMax = Math.min(settingBytes, TABLE_BYTES_DEFAULT);
    if (bytesMax === this.#bytesMax) return;
    this.#bytesMax = bytesMax;
    this.#bytesMaxToTell = bytesMax;
    this.#positions.clear();
    this.#bytes = 0;
    this.#version++;
  }

  encode(fields: readonly SentField[]): Buffer {
    const out: number[] = [];
    if (this.#bytesMaxToTell !== undefined) {
      // Emptied first, as everything is forgotten here.
      writeInteger(out, TABLE_SIZE, 0x1f, 0);
      writeInteger(out, TABLE_SIZE, 0x1f, this.#bytesMaxToTell);
      this.#bytesMaxToTell = undefined;
      this.#version++;
    }
    for (const field of fields) this.#encodeField(out, field);
    return Buffer.from(out);
  }

  #encodeField(out: number[], { name, value, isRepeated }: SentField): void {
    const staticIndex = staticIndexOf(name, value);
    if (staticIndex !== undefined) {
      writeInteger(out, INDEXED, 0x7f, staticIndex);
      return;
    }
    const key = `${name}\n${value}`;
    const position = this.#positions.get(key);
    if (position !== undefined) {
      writeInteger(out, INDEXED, 0x7f, STATIC_TABLE.length + this.#positions.size - position);
      return;
    }
    const sizeBytes = name.length + value.length + FIELD_OVERHEAD_BYTES;
    const isAdded = isRepeated === true && this.#bytes + sizeBytes <= this.#bytesMax;
    const nameIndex = staticIndexOfName(name) ?? 0;
    if (isAdded) writeInteger(out, LITERAL_INDEXED, 0x3f, nameIndex);
    else writeInteger(out, LITERAL, 0x0f, nameIndex);
    if (nameIndex === 0) writeText(out, name);
    writeText(out, value);
    if (!isAdded) return;
    this.#positions.set(key, this.#positions.size);
    this.#bytes += sizeBytes;
    this.#version++;
  }
}

/** Fields that are sent often on one connection: their block is encoded anew only when it has to look different. */
export class PreparedBlock {
  readonly #fields: readonly SentField[];
  #block: Buffer = Buffer.alloc(0);
  #version = -1;

  /** @param fields repeated ones, or of the static table */
  constructor(fields: readonly SentField[]) {
    this.#fields = fields;
  }

  blockFor(encoder: HpackEncoder): Buffer {
    if (this.#version === encoder.version) return this.#block;
    const version = encoder.version;
    this.#block = encoder.encode(this.#fields);
    // What has just been added is referred to next time, in a different block.
    this.#version = version === encoder.version ? version : -1;
    return this.#block;
  }
}

function writeInteger(out: number[], pattern: number, prefixMask: number, value: number): void {
  if (value < prefixMask) {
    out.push(pattern | value);
    return;
  }
  out.push(pattern | prefixMask);
  let rest = value - prefixMask;
  for (; rest >= 0x80; rest >>>= 7) out.push((rest & 0x7f) | 0x80);
  out.push(rest);
}

function writeText(out: number[], text: string): void {
  writeInteger(out, 0, 0x7f, text.length);
  for (let at = 0; at < text.length; at++) out.push(text.charCodeAt(at) & 0xff);
}
