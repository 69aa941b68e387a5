import { NOTHING, ownCopy } from '../../bytes.ts';
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
    const out = scratch;
    out.begin();
    if (this.#bytesMaxToTell !== undefined) {
      // Emptied first, as everything is forgotten here.
      out.writeInteger(TABLE_SIZE, 0x1f, 0);
      out.writeInteger(TABLE_SIZE, 0x1f, this.#bytesMaxToTell);
      this.#bytesMaxToTell = undefined;
      this.#version++;
    }
    for (const field of fields) this.#encodeField(out, field);
    return out.taken();
  }

  #encodeField(out: Scratch, { name, value, isRepeated }: SentField): void {
    const nameIndex = staticIndexOfName(name) ?? 0;
    const staticIndex = nameIndex === 0 ? undefined : staticIndexOf(name, value);
    if (staticIndex !== undefined) {
      out.writeInteger(INDEXED, 0x7f, staticIndex);
    } else if (isRepeated) {
      this.#encodeRepeated(out, name, value, nameIndex);
    } else {
      writeLiteral(out, LITERAL, 0x0f, name, value, nameIndex);
    }
  }

  #encodeRepeated(out: Scratch, name: string, value: string, nameIndex: number): void {
    const key = `${name}\n${value}`;
    const position = this.#positions.get(key);
    if (position !== undefined) {
      out.writeInteger(INDEXED, 0x7f, STATIC_TABLE.length + this.#positions.size - position);
      return;
    }
    const sizeBytes = name.length + value.length + FIELD_OVERHEAD_BYTES;
    if (this.#bytes + sizeBytes > this.#bytesMax) {
      writeLiteral(out, LITERAL, 0x0f, name, value, nameIndex);
      return;
    }
    writeLiteral(out, LITERAL_INDEXED, 0x3f, name, value, nameIndex);
    this.#positions.set(key, this.#positions.size);
    this.#bytes += sizeBytes;
    this.#version++;
  }
}

/** Fields that are sent often on one connection: their block is encoded anew only when it has to look different. */
export class PreparedBlock {
  readonly #fields: readonly SentField[];
  #block = NOTHING;
  #version = -1;

  /** @param fields repeated ones, or of the static table */
  constructor(fields: readonly SentField[]) {
    this.#fields = fields;
  }

  blockFor(encoder: HpackEncoder): Buffer {
    if (this.#version === encoder.version) return this.#block;
    const version = encoder.version;
    this.#block = ownCopy(encoder.encode(this.#fields));
    // What has just been added is referred to next time, in a different block.
    this.#version = version === encoder.version ? version : -1;
    return this.#block;
  }
}

function writeLiteral(
  out: Scratch,
  pattern: number,
  prefixMask: number,
  name: string,
  value: string,
  nameIndex: number,
): void {
  out.writeInteger(pattern, prefixMask, nameIndex);
  if (nameIndex === 0) out.writeText(name);
  out.writeText(value);
}

const SCRATCH_BYTES = 4096;
const INTEGER_BYTES_MAX = 6;

/** Where a block is put together: one buffer for all, as no block is begun before another is taken. */
class Scratch {
  #bytes = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  #length = 0;

  begin(): void {
    this.#length = 0;
  }

  /** A copy of what was written. */
  taken(): Buffer {
    const block = Buffer.from(this.#bytes.subarray(0, this.#length));
    // One large block is no reason to keep so much for ever.
    if (this.#bytes.length > 16 * SCRATCH_BYTES) this.#bytes = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
    return block;
  }

  writeInteger(pattern: number, prefixMask: number, value: number): void {
    this.#reserve(INTEGER_BYTES_MAX);
    const bytes = this.#bytes;
    if (value < prefixMask) {
      bytes[this.#length++] = pattern | value;
      return;
    }
    bytes[this.#length++] = pattern | prefixMask;
    let rest = value - prefixMask;
    for (; rest >= 0x80; rest >>>= 7) bytes[this.#length++] = (rest & 0x7f) | 0x80;
    bytes[this.#length++] = rest;
  }

  /** A text without Huffman code. */
  writeText(text: string): void {
    this.writeInteger(0, 0x7f, text.length);
    this.#reserve(text.length);
    this.#bytes.write(text, this.#length, 'latin1');
    this.#length += text.length;
  }

  #reserve(byteCount: number): void {
    const needed = this.#length + byteCount;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.length));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

const scratch = new Scratch();
