import { crc32 } from 'node:zlib';
import type { Vfs } from '@orbitmq/vfs';
import { ByteReader, ByteWriter } from '../bytes.ts';
import { writeWhole } from '../whole-file.ts';
import { ENTRY_BYTES, type MemoryPart, type MemoryRun } from './memory-part.ts';

/*
 * The index of one sealed segment, written once. Little-endian.
 *
 *   offset  size  field
 *   0       4     magic
 *   4       2     format version
 *   6       2     0
 *   8       6     physical offset of the segment's first byte
 *   14      6     physical offset behind its last byte
 *   20      4     number of entries (n)
 *   24      4     number of queues (q)
 *   28      4     number of blocks (b = n ÷ 4096, rounded up)
 *   32      4     CRC-32 of bytes 0…31
 *   36      12 n  entries, sorted by queue uid and queue offset, each
 *                   u32 (physical offset − segment start) ÷ 8 · u32 record length · i32 tag hash
 *           4 b   CRC-32 of each block of 4096 entries
 *           24 q  queues, sorted by uid, each u32 uid · u32 entries · u32 index of the first entry ·
 *                   u48 first queue offset · u48 bytes of its records
 *           4     CRC-32 of the blocks' CRCs and the queues
 */
const MAGIC = 0x5849_514f;
const VERSION = 1;
const HEADER_BYTES = 36;
const QUEUE_BYTES = 24;
/** Entries that are read and checked together: 48 KiB. */
export const BLOCK_ENTRIES = 4096;
const BLOCK_BYTES = BLOCK_ENTRIES * ENTRY_BYTES;

/** A queue's share of a segment. */
export interface SegmentQueue {
  readonly queueUid: number;
  readonly firstOffset: number;
  readonly count: number;
  /** Index of its first entry in the file. */
  readonly entryIndex: number;
  /** Sum of its records' lengths. */
  readonly bytes: number;
}

/** What is kept in memory of an index file. */
export interface IndexFile {
  readonly path: string;
  readonly segmentStart: number;
  readonly segmentEnd: number;
  readonly entryCount: number;
  readonly queueCount: number;
  /** One for each block. */
  readonly blockCrcs: Uint32Array;
}

/** The file is absent, of another format, or not what was written. It is to be made again from its segment. */
export class IndexFileDamage extends Error {
  constructor(path: string, what: string) {
    super(`${path}: ${what}`);
    this.name = 'IndexFileDamage';
  }
}

/** File name of a segment's index. */
export function indexFileName(segmentStart: number): string {
  return `${segmentStart.toString().padStart(20, '0')}.index`;
}

/** Segment start that a file name says, or undefined for other names. */
export function segmentOfIndexFile(name: string): number | undefined {
  return /^\d{20}\.index$/.test(name) ? Number.parseInt(name, 10) : undefined;
}

/** Writes a segment's index as a whole: temporary file, fsync, rename, fsync of the directory. */
export async function writeIndexFile(
  vfs: Vfs,
  directory: string,
  part: MemoryPart,
  segmentEnd: number,
): Promise<{ file: IndexFile; queues: SegmentQueue[] }> {
  const path = `${directory}/${indexFileName(part.segmentStart)}`;
  // Queues that are deleted while the file is being written stay in it; nobody looks them up.
  const runs = sortedRuns(part);
  const queues = queuesOf(runs);
  const entryCount = queues.reduce((sum, queue) => sum + queue.count, 0);
  const blockCrcs = new Uint32Array(Math.ceil(entryCount / BLOCK_ENTRIES));
  await writeWhole(vfs, directory, path, async (file) => {
    await file.write([encodeHeader(part.segmentStart, segmentEnd, entryCount, queues.length, blockCrcs.length)], 0);
    let block = 0;
    for (const bytes of blocksOf(runs)) {
      blockCrcs[block] = crc32(bytes);
      await file.write([bytes], HEADER_BYTES + block * BLOCK_BYTES);
      block++;
    }
    await file.write([encodeFooter(blockCrcs, queues)], HEADER_BYTES + entryCount * ENTRY_BYTES);
  });
  const { segmentStart } = part;
  return { file: { path, segmentStart, segmentEnd, entryCount, queueCount: queues.length, blockCrcs }, queues };
}

/**
 * Reads and checks header and footer.
 * @throws IndexFileDamage
 */
export async function readIndexFile(vfs: Vfs, path: string): Promise<{ file: IndexFile; queues: SegmentQueue[] }> {
  const stat = await vfs.stat(path);
  if (stat === undefined) throw new IndexFileDamage(path, 'is not there');
  if (stat.sizeBytes < HEADER_BYTES + 4) throw new IndexFileDamage(path, `is too short with ${stat.sizeBytes} bytes`);
  const handle = await vfs.open(path, 'read');
  try {
    const header = Buffer.alloc(HEADER_BYTES);
    await handle.read(header, 0);
    const facts = decodeHeader(path, header);
    const footerStart = HEADER_BYTES + facts.entryCount * ENTRY_BYTES;
    const footerBytes = facts.blockCount * 4 + facts.queueCount * QUEUE_BYTES + 4;
    if (stat.sizeBytes !== footerStart + footerBytes) throw new IndexFileDamage(path, 'has a wrong size');
    const footer = Buffer.alloc(footerBytes);
    await handle.read(footer, footerStart);
    return decodeFooter(path, facts, footer);
  } finally {
    await handle.close();
  }
}

/** Bytes in the file of a block: position and length. */
export function blockRange(file: IndexFile, block: number): { position: number; length: number } {
  const length = Math.min(BLOCK_ENTRIES, file.entryCount - block * BLOCK_ENTRIES) * ENTRY_BYTES;
  return { position: HEADER_BYTES + block * BLOCK_BYTES, length };
}

/** @throws IndexFileDamage when the bytes are not that block */
export function checkBlock(file: IndexFile, block: number, bytes: Uint8Array): void {
  if (crc32(bytes) !== file.blockCrcs[block]) throw new IndexFileDamage(file.path, `block ${block} has a wrong CRC`);
}

/** Queues of a part as its file would list them. */
export function segmentQueues(part: MemoryPart): SegmentQueue[] {
  return queuesOf(sortedRuns(part));
}

function sortedRuns(part: MemoryPart): [number, MemoryRun][] {
  return [...part.runs.entries()].sort(([a], [b]) => a - b);
}

function queuesOf(runs: readonly [number, MemoryRun][]): SegmentQueue[] {
  let entryIndex = 0;
  return runs.map(([queueUid, run]) => {
    const queue = { queueUid, firstOffset: run.firstOffset, count: run.count, entryIndex, bytes: run.bytes() };
    entryIndex += run.count;
    return queue;
  });
}

/** All entries in file order, in full blocks; the last may be shorter. */
function* blocksOf(runs: readonly [number, MemoryRun][]): IterableIterator<Uint8Array> {
  let block = new Uint8Array(BLOCK_BYTES);
  let filled = 0;
  for (const [, run] of runs) {
    const source = run.view();
    for (let from = 0; from < source.length; ) {
      const size = Math.min(source.length - from, BLOCK_BYTES - filled);
      block.set(source.subarray(from, from + size), filled);
      from += size;
      filled += size;
      if (filled < BLOCK_BYTES) continue;
      yield block;
      block = new Uint8Array(BLOCK_BYTES);
      filled = 0;
    }
  }
  if (filled > 0) yield block.subarray(0, filled);
}

function encodeHeader(
  start: number,
  end: number,
  entryCount: number,
  queueCount: number,
  blockCount: number,
): Uint8Array {
  const writer = new ByteWriter(HEADER_BYTES);
  writer.u32(MAGIC);
  writer.u16(VERSION);
  writer.u16(0);
  writer.u48(start);
  writer.u48(end);
  writer.u32(entryCount);
  writer.u32(queueCount);
  writer.u32(blockCount);
  writer.u32(crc32(writer.view()));
  return writer.view();
}

function decodeHeader(path: string, header: Buffer) {
  const reader = new ByteReader(header);
  if (reader.u32() !== MAGIC) throw new IndexFileDamage(path, 'does not begin as an index file');
  const version = reader.u16();
  reader.u16();
  const segmentStart = reader.u48();
  const segmentEnd = reader.u48();
  const [entryCount, queueCount, blockCount, crc] = [reader.u32(), reader.u32(), reader.u32(), reader.u32()];
  if (crc !== crc32(header.subarray(0, HEADER_BYTES - 4))) throw new IndexFileDamage(path, 'has a damaged header');
  if (version !== VERSION) throw new IndexFileDamage(path, `has format version ${version}, known is ${VERSION}`);
  return { segmentStart, segmentEnd, entryCount, queueCount, blockCount };
}

function encodeFooter(blockCrcs: Uint32Array, queues: readonly SegmentQueue[]): Uint8Array {
  const writer = new ByteWriter(blockCrcs.length * 4 + queues.length * QUEUE_BYTES + 4);
  for (const crc of blockCrcs) writer.u32(crc);
  for (const queue of queues) {
    writer.u32(queue.queueUid);
    writer.u32(queue.count);
    writer.u32(queue.entryIndex);
    writer.u48(queue.firstOffset);
    writer.u48(queue.bytes);
  }
  writer.u32(crc32(writer.view()));
  return writer.view();
}

function decodeFooter(path: string, facts: ReturnType<typeof decodeHeader>, footer: Buffer) {
  if (crc32(footer.subarray(0, -4)) !== footer.readUInt32LE(footer.length - 4)) {
    throw new IndexFileDamage(path, 'has a damaged footer');
  }
  const reader = new ByteReader(footer);
  const blockCrcs = Uint32Array.from({ length: facts.blockCount }, () => reader.u32());
  const queues: SegmentQueue[] = [];
  for (let index = 0; index < facts.queueCount; index++) {
    const [queueUid, count, entryIndex] = [reader.u32(), reader.u32(), reader.u32()];
    queues.push({ queueUid, count, entryIndex, firstOffset: reader.u48(), bytes: reader.u48() });
  }
  const { segmentStart, segmentEnd, entryCount, queueCount } = facts;
  return { file: { path, segmentStart, segmentEnd, entryCount, queueCount, blockCrcs }, queues };
}
