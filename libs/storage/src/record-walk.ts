import type { VfsFile } from '@orbitmq/vfs';
import { ByteWindow, claimedLength, HEADER_BYTES, isIntact, meaningfulLength, StoredRecord } from './record.ts';
import type { Segment } from './segment.ts';

const READ_BYTES = 1024 * 1024;
/** Room before what is read, for the begin of a record whose end comes with the next read. */
const HEADROOM_BYTES = 64 * 1024;

/** A part of a segment's file in memory; `firstOffset` is the physical offset of byte 0. */
interface Loaded extends ByteWindow {
  readonly firstOffset: number;
  /** Physical offset behind the last byte that is there. */
  readonly endOffset: number;
}

/**
 * Walks the records of one segment that begin in [from, to), reading ahead while the visitor works.
 * @param visit called for each whole record, blanks included; false ends the walk before it
 * @returns the boundary reached: ≥ `to` when all went well, else where something lies that is not a whole record
 */
export async function walkRecords(
  file: VfsFile,
  segment: Segment,
  from: number,
  to: number,
  visit: (record: StoredRecord) => boolean,
): Promise<number> {
  let position = from;
  let loaded = await load(file, segment, position, readBytes(position, to));
  for (;;) {
    const { endOffset } = loaded;
    const ahead = endOffset < to ? load(file, segment, endOffset, readBytes(endOffset, to), HEADROOM_BYTES) : undefined;
    // The walk may end without it; its failure then means nothing.
    ahead?.catch(() => {});
    const step = walkLoaded(loaded, segment, position, to, visit);
    position = step.position;
    if (step.wantedBytes === 0) return position;
    const next = ahead && join(loaded, await ahead, position);
    if (next !== undefined && next.endOffset - position >= step.wantedBytes) {
      loaded = next;
      continue;
    }
    loaded = await load(file, segment, position, Math.max(readBytes(position, to), step.wantedBytes));
    if (loaded.endOffset - position < step.wantedBytes) return position;
  }
}

/** The record at `physicalOffset` when it is there whole, else undefined. */
export async function readRecord(
  file: VfsFile,
  segment: Segment,
  physicalOffset: number,
  lengthHint: number,
): Promise<StoredRecord | undefined> {
  const room = segment.endOffset - physicalOffset;
  let loaded = await load(file, segment, physicalOffset, Math.min(room, lengthHint));
  for (;;) {
    const available = loaded.endOffset - physicalOffset;
    const at = physicalOffset - loaded.firstOffset;
    if (available < HEADER_BYTES) return undefined;
    const length = claimedLength(loaded.view, at, physicalOffset, room);
    if (length === 0) return undefined;
    const meaningful = meaningfulLength(loaded.view, at, length);
    if (meaningful <= available) return isIntact(loaded, at, meaningful) ? new StoredRecord(loaded, at) : undefined;
    if (meaningful <= lengthHint) return undefined;
    loaded = await load(file, segment, physicalOffset, meaningful);
    if (loaded.endOffset - physicalOffset < meaningful) return undefined;
  }
}

/** Walks what is loaded. `wantedBytes` > 0: the record at `position` needs that many bytes and they are not there. */
function walkLoaded(
  loaded: Loaded,
  segment: Segment,
  from: number,
  to: number,
  visit: (record: StoredRecord) => boolean,
): { position: number; wantedBytes: number } {
  let position = from;
  while (position < to) {
    const available = loaded.endOffset - position;
    if (available < HEADER_BYTES) return { position, wantedBytes: HEADER_BYTES };
    const at = position - loaded.firstOffset;
    const length = claimedLength(loaded.view, at, position, segment.endOffset - position);
    if (length === 0) break;
    const meaningful = meaningfulLength(loaded.view, at, length);
    if (available < meaningful) return { position, wantedBytes: meaningful };
    if (!isIntact(loaded, at, meaningful) || !visit(new StoredRecord(loaded, at))) break;
    position += length;
  }
  return { position, wantedBytes: 0 };
}

/** How much of what is walked is read next: a short walk reads no more than it walks. */
function readBytes(from: number, to: number): number {
  return Math.min(READ_BYTES, Math.max(to - from, HEADER_BYTES));
}

/** @param headroomBytes left free before what is read, see `join` */
async function load(
  file: VfsFile,
  segment: Segment,
  from: number,
  sizeBytes: number,
  headroomBytes = 0,
): Promise<Loaded> {
  const wanted = Math.min(sizeBytes, segment.endOffset - from);
  const bytes = Buffer.allocUnsafeSlow(headroomBytes + wanted);
  const count = await file.read(bytes.subarray(headroomBytes), from - segment.startOffset);
  return Object.assign(new ByteWindow(bytes), { firstOffset: from - headroomBytes, endOffset: from + count });
}

/** Puts what is left of `loaded` from `position` on before `next`, which was read with headroom, where that is enough. */
function join(loaded: Loaded, next: Loaded, position: number): Loaded | undefined {
  const left = loaded.endOffset - position;
  if (left > HEADROOM_BYTES) return undefined;
  const from = position - loaded.firstOffset;
  next.bytes.set(loaded.bytes.subarray(from, from + left), HEADROOM_BYTES - left);
  return next;
}
