import { crc32 } from 'node:zlib';
import type { Vfs, VfsFile } from '@orbitmq/vfs';
import { ByteReader, ByteWriter } from '../bytes.ts';
import { writeWhole } from '../whole-file.ts';
import { KEY_BYTES, KEY_WORDS, type KeyPart, matches } from './key-part.ts';

/*
 * The keys of a range of the log, written once. Little-endian.
 *
 *   offset  size  field
 *   0       4     magic
 *   4       2     format version
 *   6       2     0
 *   8       6     physical offset of the first byte of the range
 *   14      6     physical offset behind its last byte
 *   20      4     number of entries (n)
 *   24      4     number of blocks (b = n ÷ 4096, rounded up)
 *   28      4     CRC-32 of bytes 0…27
 *   32      12 n  entries, sorted, each u32 high half of the hash · u32 low half · u32 (physical offset − first byte) ÷ 8
 *           12 b  blocks, each u32 high and u32 low half of its first hash · u32 CRC-32 of its entries
 *           4     CRC-32 of the blocks
 */
const MAGIC = 0x584b_514f;
const VERSION = 1;
const HEADER_BYTES = 32;
const BLOCK_ENTRIES = 4096;
const BLOCK_BYTES = BLOCK_ENTRIES * KEY_BYTES;
const BLOCK_ROW_WORDS = 3;

/** What is kept in memory of a file. */
export interface KeyFile {
  readonly path: string;
  readonly start: number;
  readonly end: number;
  readonly count: number;
  /** For each block the high and the low half of its first hash, and its CRC. */
  readonly blocks: Uint32Array;
}

/** The file is not what was written, or of another format: it is to be made again from the log. */
export class KeyFileDamage extends Error {
  constructor(path: string, what: string) {
    super(`${path}: ${what}`);
    this.name = 'KeyFileDamage';
  }
}

/** File name of a part. */
export function keyFileName(start: number): string {
  return `${start.toString().padStart(20, '0')}.keys`;
}

export function isKeyFileName(name: string): boolean {
  return /^\d{20}\.keys$/.test(name);
}

/** Writes a part as a whole: temporary file, fsync, rename, fsync of the directory. */
export async function writeKeyFile(vfs: Vfs, directory: string, part: KeyPart, end: number): Promise<KeyFile> {
  const path = `${directory}/${keyFileName(part.start)}`;
  const blockCount = Math.ceil(part.count / BLOCK_ENTRIES);
  const blocks = new Uint32Array(blockCount * BLOCK_ROW_WORDS);
  await writeWhole(vfs, directory, path, async (file) => {
    await file.write([encodeHeader(part.start, end, part.count, blockCount)], 0);
    let block = 0;
    for (const words of blocksOf(part)) {
      const bytes = bytesOf(words);
      blocks.set([words[0]!, words[1]!, crc32(bytes)], block * BLOCK_ROW_WORDS);
      await file.write([bytes], HEADER_BYTES + block * BLOCK_BYTES);
      block++;
    }
    const footer = new ByteWriter(4);
    footer.u32(crc32(bytesOf(blocks)));
    await file.write([bytesOf(blocks), footer.view()], HEADER_BYTES + part.count * KEY_BYTES);
  });
  return { path, start: part.start, end, count: part.count, blocks };
}

/**
 * Reads and checks header and blocks' rows.
 * @throws KeyFileDamage
 */
export async function readKeyFile(vfs: Vfs, path: string): Promise<KeyFile> {
  const sizeBytes = (await vfs.stat(path))?.sizeBytes ?? 0;
  if (sizeBytes < HEADER_BYTES + 4) throw new KeyFileDamage(path, `is too short with ${sizeBytes} bytes`);
  const handle = await vfs.open(path, 'read');
  try {
    const header = Buffer.alloc(HEADER_BYTES);
    await handle.read(header, 0);
    const { start, end, count, blockCount } = decodeHeader(path, header);
    const blocksBytes = blockCount * BLOCK_ROW_WORDS * 4;
    const blocksAt = HEADER_BYTES + count * KEY_BYTES;
    if (sizeBytes !== blocksAt + blocksBytes + 4) throw new KeyFileDamage(path, 'has a wrong size');
    const blocks = new Uint32Array(blockCount * BLOCK_ROW_WORDS);
    const footer = Buffer.alloc(4);
    await handle.read(bytesOf(blocks), blocksAt);
    await handle.read(footer, blocksAt + blocksBytes);
    if (crc32(bytesOf(blocks)) !== footer.readUInt32LE(0)) throw new KeyFileDamage(path, 'has a damaged footer');
    return { path, start, end, count, blocks };
  } finally {
    await handle.close();
  }
}

/**
 * Physical offsets under a hash, in the order of the log.
 * @throws KeyFileDamage
 */
export async function findInFile(vfs: Vfs, file: KeyFile, low: number, high: number): Promise<number[]> {
  const found: number[] = [];
  const first = firstBlock(file, low, high);
  if (first * BLOCK_ROW_WORDS >= file.blocks.length) return found;
  const handle = await vfs.open(file.path, 'read');
  try {
    // Equal hashes may go over the edge of a block.
    for (let block = first; mayHold(file, block, low, high); block++) {
      const words = await readBlock(handle, file, block);
      found.push(...matches(words, words.length / KEY_WORDS, low, high, file.start));
    }
  } finally {
    await handle.close();
  }
  return found;
}

/** The last block that begins before the hash, or the first one of all. */
function firstBlock(file: KeyFile, low: number, high: number): number {
  let from = 0;
  let to = file.blocks.length / BLOCK_ROW_WORDS;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (compare(file, middle, low, high) < 0) from = middle + 1;
    else to = middle;
  }
  return Math.max(0, from - 1);
}

function mayHold(file: KeyFile, block: number, low: number, high: number): boolean {
  return block * BLOCK_ROW_WORDS < file.blocks.length && compare(file, block, low, high) <= 0;
}

/** First hash of a block against a hash: negative when it is smaller. */
function compare({ blocks }: KeyFile, block: number, low: number, high: number): number {
  const at = block * BLOCK_ROW_WORDS;
  return blocks[at]! - high || blocks[at + 1]! - low;
}

async function readBlock(handle: VfsFile, file: KeyFile, block: number): Promise<Uint32Array> {
  const count = Math.min(BLOCK_ENTRIES, file.count - block * BLOCK_ENTRIES);
  const words = new Uint32Array(count * KEY_WORDS);
  await handle.read(bytesOf(words), HEADER_BYTES + block * BLOCK_BYTES);
  if (crc32(bytesOf(words)) !== file.blocks[block * BLOCK_ROW_WORDS + 2]) {
    throw new KeyFileDamage(file.path, `block ${block} has a wrong CRC`);
  }
  return words;
}

/** All entries in order, in full blocks; the last may be shorter. */
function* blocksOf(part: KeyPart): IterableIterator<Uint32Array> {
  let block = new Uint32Array(BLOCK_ENTRIES * KEY_WORDS);
  let filled = 0;
  for (const cells of part.sorted()) {
    for (let from = 0; from < cells.length; ) {
      const size = Math.min(cells.length - from, block.length - filled);
      block.set(cells.subarray(from, from + size), filled);
      from += size;
      filled += size;
      if (filled < block.length) continue;
      yield block;
      block = new Uint32Array(BLOCK_ENTRIES * KEY_WORDS);
      filled = 0;
    }
  }
  if (filled > 0) yield block.subarray(0, filled);
}

function bytesOf(words: Uint32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}

function encodeHeader(start: number, end: number, count: number, blockCount: number): Uint8Array {
  const writer = new ByteWriter(HEADER_BYTES);
  writer.u32(MAGIC);
  writer.u16(VERSION);
  writer.u16(0);
  writer.u48(start);
  writer.u48(end);
  writer.u32(count);
  writer.u32(blockCount);
  writer.u32(crc32(writer.view()));
  return writer.view();
}

function decodeHeader(path: string, header: Buffer) {
  const reader = new ByteReader(header);
  if (reader.u32() !== MAGIC) throw new KeyFileDamage(path, 'does not begin as a file of keys');
  const version = reader.u16();
  reader.u16();
  const [start, end, count, blockCount, crc] = [reader.u48(), reader.u48(), reader.u32(), reader.u32(), reader.u32()];
  if (crc !== crc32(header.subarray(0, HEADER_BYTES - 4))) throw new KeyFileDamage(path, 'has a damaged header');
  if (version !== VERSION) throw new KeyFileDamage(path, `has format version ${version}, known is ${VERSION}`);
  return { start, end, count, blockCount };
}
