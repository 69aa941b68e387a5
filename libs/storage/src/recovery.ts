import type { Clock } from '@orbitmq/base';
import type { Vfs, VfsFile } from '@orbitmq/vfs';
import type { DurableMark } from './durable-mark.ts';
import { Epochs } from './epochs.ts';
import { brokenSequence, damagedRecord } from './errors.ts';
import { type Remains, searchRemains } from './evidence.ts';
import { checkVersion, type FoundSegment, type Inventory, takeInventory } from './inventory.ts';
import type { RecoveryReport } from './log.ts';
import { RECORD_TYPES, type StoredRecord } from './record.ts';
import { walkRecords } from './record-walk.ts';
import { recoverEpochs } from './recover-epochs.ts';
import type { Segment } from './segment.ts';

const COPY_BYTES = 1024 * 1024;

/** A log whose files have been brought in order; nothing is open. */
export interface Recovered {
  /** Oldest first, the last one is to be written on; empty when there was no log. */
  readonly segments: Segment[];
  readonly endOffset: number;
  /** Undefined when the log has no record yet. */
  readonly logId: string | undefined;
  /** Of the last record, 0 when there is none. */
  readonly epoch: number;
  /** Largest epoch seen, 0 when none: also of what was cut, so that its bytes never look like new ones. */
  readonly epochMax: number;
  readonly epochs: Epochs;
  readonly shardTimeMs: number;
  /** Type of the last record, 0 when there is none. */
  readonly lastType: number;
  readonly report: RecoveryReport;
}

/** What the walk over the newest segments has gathered. */
interface Walked {
  /** Behind the last whole record. */
  endOffset: number;
  /** Everything before this is known to have been fsynced. */
  flushedOffset: number;
  epoch: number;
  shardTimeMs: number;
  lastType: number;
  recordsChecked: number;
  /** Index of the segment in which the log ends. */
  lastIndex: number;
  /** Epochs that were seen to begin, or to go on at the first record. */
  readonly epochs: Epochs;
  /** What records from here on say of fsyncs is true of this copy. */
  readonly authoredFrom: number;
}

/**
 * Finds the end of the log and makes the files end there.
 *
 *   newest two segments walked whole, older ones by their heads
 *        │
 *        ├─ bad record, and a later one proves that it had been fsynced ──▶ CorruptionError, nothing changed
 *        ▼
 *   bytes behind the last point known to be fsynced are written again and fsynced: what can be read after a failed fsync
 *   or a crash may be in the page cache only
 *        ▼
 *   later segments removed (newest first), the rest of the last one cut off and extended again with zeros, fsynced
 *
 * A crash anywhere in here leaves a log that recovers to the same end, and a second recovery changes no byte.
 * @param segmentSizeBytes size of a segment that has no record yet
 * @param mark what this copy knows of its own durability: records of another node prove nothing here
 * @throws CorruptionError
 */
export async function recover(
  vfs: Vfs,
  clock: Clock,
  directory: string,
  segmentSizeBytes: number,
  mark: DurableMark,
): Promise<Recovered> {
  const startedMs = clock.monotonicMs();
  const inventory = await takeInventory(vfs, directory, segmentSizeBytes);
  if (isUnbegun(inventory, mark)) {
    await removeNewestFirst(vfs, directory, inventory.found);
    return emptyLog();
  }
  if (inventory.found.length === 0) throw allGone(directory, mark);
  checkStart(inventory);
  const walked = await walkNewest(vfs, inventory, mark);
  const remains = await judgeRemains(vfs, inventory, walked, mark);
  const segments = await rebuildEnd(vfs, directory, inventory, walked, remains.sizeBytes);
  const logId = inventory.found[0]!.head?.logId;
  return {
    segments,
    endOffset: walked.endOffset,
    logId,
    epoch: walked.epoch,
    epochMax: Math.max(walked.epoch, remains.epochMax),
    epochs: await recoverEpochs(vfs, directory, inventory, walked, logId),
    shardTimeMs: walked.shardTimeMs,
    lastType: walked.lastType,
    report: {
      cleanEnd: remains.sizeBytes === 0 && hasCleanEnd(walked, mark),
      segmentCount: segments.length,
      startOffset: segments[0]!.startOffset,
      endOffset: walked.endOffset,
      cutBytes: remains.sizeBytes,
      recordsChecked: walked.recordsChecked,
      durationMs: clock.monotonicMs() - startedMs,
    },
  };
}

/** A follower closes its log without a record of its own: its mark says that all of it was stored. */
function hasCleanEnd({ lastType, endOffset }: Walked, mark: DurableMark): boolean {
  if (lastType === RECORD_TYPES.cleanEnd || lastType === 0) return true;
  return mark.isFollowers && mark.flushedOffset === endOffset;
}

/** There is no log, or only files that were made for the first records of a follower's copy and did not get them. */
function isUnbegun({ found, headedCount }: Inventory, mark: DurableMark): boolean {
  if (found.length === 0) return mark.flushedOffset === 0;
  return headedCount === 0 && mark.isFollowers && mark.flushedOffset <= found[0]!.segment.startOffset;
}

function allGone(directory: string, { flushedOffset }: DurableMark): Error {
  return brokenSequence(
    directory,
    0,
    `${directory} has no segment, although the log had been stored up to physical offset ${flushedOffset}`,
  );
}

function emptyLog(): Recovered {
  return {
    segments: [],
    endOffset: 0,
    logId: undefined,
    epoch: 0,
    epochMax: 0,
    epochs: new Epochs(),
    shardTimeMs: 0,
    lastType: 0,
    report: {
      cleanEnd: true,
      segmentCount: 0,
      startOffset: 0,
      endOffset: 0,
      cutBytes: 0,
      recordsChecked: 0,
      durationMs: 0,
    },
  };
}

/** Segments are only removed when something behind them is fsynced, so a log that doesn't begin at 0 has a head. */
function checkStart({ found, headedCount }: Inventory): void {
  const { segment } = found[0]!;
  if (headedCount > 0 || segment.startOffset === 0) return;
  throw brokenSequence(
    segment.path,
    segment.startOffset,
    `the first record of its oldest file ${segment.path} is damaged`,
  );
}

/** Walks the last two segments that have a head, and what follows them. */
async function walkNewest(vfs: Vfs, { found, headedCount }: Inventory, mark: DurableMark): Promise<Walked> {
  const firstIndex = Math.max(0, headedCount - 2);
  const startOffset = found[firstIndex]!.segment.startOffset;
  const walked: Walked = {
    endOffset: startOffset,
    flushedOffset: Math.max(startOffset, mark.flushedOffset),
    epoch: 0,
    shardTimeMs: 0,
    lastType: 0,
    recordsChecked: 0,
    lastIndex: firstIndex,
    epochs: new Epochs(),
    authoredFrom: mark.authoredFrom,
  };
  // The first record of a segment is not older than the last one of the segment before.
  for (let index = 0; index < firstIndex; index++) {
    found[index]!.segment.newestTimestampMs = found[index + 1]!.head!.record.storeTimestampMs;
  }
  for (let index = firstIndex; index < found.length; index++) {
    const { segment } = found[index]!;
    if (index >= headedCount) break;
    walked.lastIndex = index;
    await withFile(vfs, segment, 'read', async (file) => {
      walked.endOffset = await walkRecords(file, segment, segment.startOffset, segment.endOffset, (record) =>
        takeRecord(walked, segment, record),
      );
    });
    if (walked.endOffset < segment.endOffset) break;
  }
  return walked;
}

function takeRecord(walked: Walked, segment: Segment, record: StoredRecord): boolean {
  checkVersion(segment, record.physicalOffset, record.formatVersion);
  // Epochs never fall along the log: an older one is a left-over of bytes that had been cut.
  if (record.epoch < walked.epoch) return false;
  walked.epoch = record.epoch;
  walked.epochs.note(record.epoch, record.physicalOffset);
  if (record.physicalOffset >= walked.authoredFrom) {
    walked.flushedOffset = Math.max(walked.flushedOffset, record.flushedOffset);
  }
  walked.shardTimeMs = record.shardTimeMs;
  walked.lastType = record.type;
  walked.recordsChecked++;
  segment.newestTimestampMs = Math.max(segment.newestTimestampMs, record.storeTimestampMs);
  return true;
}

/** Looks through all that lies behind the end. @throws CorruptionError when it shows that the end is no end */
async function judgeRemains(vfs: Vfs, { found }: Inventory, walked: Walked, mark: DurableMark): Promise<Remains> {
  const { authoredFrom, endOffset: cutOffset } = walked;
  if (mark.flushedOffset > cutOffset) {
    throw damaged(found, walked, `the mark of this copy says that everything before ${mark.flushedOffset} was fsynced`);
  }
  const total: Remains = { sizeBytes: 0, proof: undefined, epochMax: 0 };
  for (let index = walked.lastIndex; index < found.length; index++) {
    const { segment } = found[index]!;
    const from = Math.max(walked.endOffset, segment.startOffset);
    const remains = await withFile(vfs, segment, 'read', (file) =>
      searchRemains(file, segment, from, { cutOffset, authoredFrom }),
    );
    if (remains.proof !== undefined) throw damaged(found, walked, evidenceOf(remains.proof));
    total.sizeBytes += remains.sizeBytes;
    total.epochMax = Math.max(total.epochMax, remains.epochMax);
  }
  return total;
}

function evidenceOf({ physicalOffset, flushedOffset }: NonNullable<Remains['proof']>): string {
  return `the record at physical offset ${physicalOffset} says that everything before ${flushedOffset} was fsynced`;
}

function damaged(found: readonly FoundSegment[], walked: Walked, evidence: string): Error {
  const at = walked.endOffset;
  const holder = found.find(({ segment }) => at >= segment.startOffset && at < segment.endOffset) ?? found.at(-1)!;
  return damagedRecord(holder.segment, at, `although it had been stored: ${evidence}`);
}

/** Changes the files so that the log ends where its last whole record does, on disk too. Returns what is left. */
async function rebuildEnd(
  vfs: Vfs,
  directory: string,
  { found }: Inventory,
  walked: Walked,
  remainsBytes: number,
): Promise<Segment[]> {
  await removeNewestFirst(vfs, directory, found.slice(walked.lastIndex + 1));
  const kept = found.slice(0, walked.lastIndex + 1);
  for (const { segment, fileBytes } of kept) {
    const from = Math.max(walked.flushedOffset, segment.startOffset);
    const to = Math.min(walked.endOffset, segment.endOffset);
    const isLast = segment === kept.at(-1)!.segment;
    if (from >= to && !isLast) continue;
    await withFile(vfs, segment, 'write', async (file) => {
      await rewrite(file, segment, from, to);
      if (isLast && remainsBytes > 0) await file.truncate(walked.endOffset - segment.startOffset);
      if (isLast && (remainsBytes > 0 || fileBytes !== segment.sizeBytes)) await file.truncate(segment.sizeBytes);
      await file.sync();
    });
  }
  await vfs.syncDirectory(directory);
  return kept.map(({ segment }) => segment);
}

/** Removes segments one by one: no gap may ever be durable. */
export async function removeNewestFirst(
  vfs: Vfs,
  directory: string,
  segments: readonly { readonly segment: Segment }[],
): Promise<void> {
  for (const { segment } of segments.toReversed()) {
    await vfs.remove(segment.path);
    await vfs.syncDirectory(directory);
  }
}

/** Writes the same bytes to the same place. */
async function rewrite(file: VfsFile, segment: Segment, from: number, to: number): Promise<void> {
  const buffer = Buffer.allocUnsafeSlow(Math.max(0, Math.min(COPY_BYTES, to - from)));
  for (let position = from; position < to; position += COPY_BYTES) {
    const part = buffer.subarray(0, Math.min(COPY_BYTES, to - position));
    const count = await file.read(part, position - segment.startOffset);
    await file.write([part.subarray(0, count)], position - segment.startOffset);
  }
}

/** Opens a segment's file for a while. */
export async function withFile<T>(
  vfs: Vfs,
  segment: Segment,
  mode: 'read' | 'write',
  action: (file: VfsFile) => Promise<T>,
): Promise<T> {
  const file = await vfs.open(segment.path, mode);
  try {
    return await action(file);
  } finally {
    await file.close();
  }
}
