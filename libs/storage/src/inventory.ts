import { type Vfs, VfsError } from '@orbitmq/vfs';
import { brokenSequence, damagedRecord } from './errors.ts';
import { decodeHead, HEAD_BYTES, type SegmentHead } from './head.ts';
import type { CorruptionError } from './log.ts';
import { FORMAT_VERSION, type StoredRecord } from './record.ts';
import { readRecord } from './record-walk.ts';
import { Segment, segmentStart } from './segment.ts';

/** A segment as it was found on disk. */
export interface FoundSegment {
  readonly segment: Segment;
  /** Size of its file: less or more than the segment's when a power loss interrupted the making or the cutting of it. */
  readonly fileBytes: number;
  /** First record, when it is a whole epoch start. */
  readonly head: (SegmentHead & { readonly record: StoredRecord }) | undefined;
}

/** The segments of a log, before anything is judged by its content. */
export interface Inventory {
  readonly found: readonly FoundSegment[];
  /** Segments from 0 on whose head is whole. */
  readonly headedCount: number;
}

/**
 * Lists the segments in `directory` and reads their heads. Other files are left alone.
 * @param segmentSizeBytes size of a segment that has no head yet
 * @throws CorruptionError when files are missing, have another length than they must, or belong to another log
 */
export async function takeInventory(vfs: Vfs, directory: string, segmentSizeBytes: number): Promise<Inventory> {
  const starts: number[] = [];
  for (const name of await vfs.list(directory)) {
    const start = segmentStart(name);
    if (start !== undefined) starts.push(start);
  }
  const found: FoundSegment[] = [];
  for (const start of starts) found.push(await inspect(vfs, directory, start));
  checkSequence(found);
  const last = found.at(-1);
  if (last !== undefined) found[found.length - 1] = withProperSize(last, directory, segmentSizeBytes);
  return { found, headedCount: countHeaded(found) };
}

async function inspect(vfs: Vfs, directory: string, startOffset: number): Promise<FoundSegment> {
  const path = new Segment(directory, startOffset, 0).path;
  const file = await vfs.open(path, 'read');
  try {
    const stat = await vfs.stat(path);
    if (stat === undefined) throw new VfsError('ENOENT', 'stat', path);
    const segment = new Segment(directory, startOffset, stat.sizeBytes);
    const record = await readRecord(file, segment, startOffset, HEAD_BYTES);
    const head = record && decodeHead(record);
    if (record === undefined || head === undefined) return { segment, fileBytes: stat.sizeBytes, head: undefined };
    checkVersion(segment, record.physicalOffset, record.formatVersion);
    return { segment, fileBytes: stat.sizeBytes, head: { ...head, record } };
  } finally {
    await file.close();
  }
}

/** The newest file may have been made or cut half: its head says how large it is to be, else the configuration. */
function withProperSize(found: FoundSegment, directory: string, segmentSizeBytes: number): FoundSegment {
  const sizeBytes = found.head?.segmentSizeBytes ?? segmentSizeBytes;
  return { ...found, segment: new Segment(directory, found.segment.startOffset, sizeBytes) };
}

/**
 * Refuses a record of a newer format.
 * @throws CorruptionError
 */
export function checkVersion(segment: Segment, physicalOffset: number, version: number): void {
  if (version <= FORMAT_VERSION) return;
  throw brokenSequence(
    segment.path,
    physicalOffset,
    `${segment.path} has a record of format ${version} at physical offset ${physicalOffset}, and this version knows ` +
      `formats up to ${FORMAT_VERSION}: it was written by a newer version`,
  );
}

function checkSequence(found: readonly FoundSegment[]): void {
  const logId = found[0]?.head?.logId;
  for (let index = 1; index < found.length; index++) {
    const { segment } = found[index - 1]!;
    const { segment: next, head } = found[index]!;
    if (segment.endOffset !== next.startOffset) throw gap(segment, next);
    if (head !== undefined && logId !== undefined && head.logId !== logId) {
      throw brokenSequence(
        next.path,
        next.startOffset,
        `${next.path} belongs to the log ${head.logId}, not to ${logId}`,
      );
    }
  }
}

function gap(segment: Segment, next: Segment): CorruptionError {
  const missing = segment.endOffset < next.startOffset;
  return brokenSequence(
    segment.path,
    segment.endOffset,
    missing
      ? `after ${segment.path}, which ends at physical offset ${segment.endOffset}, the next file is ${next.path}: what ` +
          'lies between is missing, or the file is shorter than it was'
      : `${segment.path} ends at physical offset ${segment.endOffset}, behind the begin of the next file ${next.path}`,
  );
}

/**
 * A segment is begun only when the one before the one before is fsynced: so at most two heads can be torn off by a power loss,
 * and a bad head further back is damage.
 */
function countHeaded(found: readonly FoundSegment[]): number {
  let headed = 0;
  while (headed < found.length && found[headed]!.head !== undefined) headed++;
  for (let index = headed + 2; index < found.length; index++) {
    if (found[index]!.head === undefined) continue;
    const { segment } = found[headed]!;
    throw damagedRecord(
      segment,
      segment.startOffset,
      `although ${found[index]!.segment.path} shows that it was stored`,
    );
  }
  return headed;
}
