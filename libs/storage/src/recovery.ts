import type { Clock } from '@orbitmq/base';
import type { Vfs, VfsFile } from '@orbitmq/vfs';
import { brokenSequence, damagedRecord } from './errors.ts';
import { type Remains, searchRemains } from './evidence.ts';
import { checkVersion, type FoundSegment, type Inventory, takeInventory } from './inventory.ts';
import type { RecoveryReport } from './log.ts';
import { RECORD_TYPES, type StoredRecord } from './record.ts';
import { walkRecords } from './record-walk.ts';
import type { Segment } from './segment.ts';

const COPY_BYTES = 1024 * 1024;

/** A log whose files have been brought in order; nothing is open. */
export interface Recovered {
  /** Oldest first, the last one is to be written on; empty when there was no log. */
  readonly segments: Segment[];
  readonly endOffset: number;
  /** Undefined when the log has no record yet. */
  readonly logId: string | undefined;
  /** Largest epoch seen, 0 when none: also of what was cut, so that its bytes never look like new ones. */
  readonly epoch: number;
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
 * @throws CorruptionError
 */
export async function recover(vfs: Vfs, clock: Clock, directory: string, segmentSizeBytes: number): Promise<Recovered> {
  const startedMs = clock.monotonicMs();
  const inventory = await takeInventory(vfs, directory, segmentSizeBytes);
  if (inventory.found.length === 0) return emptyLog(0);
  checkStart(inventory);
  const walked = await walkNewest(vfs, inventory);
  const remains = await judgeRemains(vfs, inventory, walked);
  const segments = await rebuildEnd(vfs, directory, inventory, walked, remains.sizeBytes);
  return {
    segments,
    endOffset: walked.endOffset,
    logId: inventory.found[0]!.head?.logId,
    epoch: Math.max(walked.epoch, remains.epochMax),
    shardTimeMs: walked.shardTimeMs,
    lastType: walked.lastType,
    report: {
      cleanEnd: remains.sizeBytes === 0 && (walked.lastType === RECORD_TYPES.cleanEnd || walked.lastType === 0),
      segmentCount: segments.length,
      startOffset: segments[0]!.startOffset,
      endOffset: walked.endOffset,
      cutBytes: remains.sizeBytes,
      recordsChecked: walked.recordsChecked,
      durationMs: clock.monotonicMs() - startedMs,
    },
  };
}

function emptyLog(startOffset: number): Recovered {
  return {
    segments: [],
    endOffset: startOffset,
    logId: undefined,
    epoch: 0,
    shardTimeMs: 0,
    lastType: 0,
    report: {
      cleanEnd: true,
      segmentCount: 0,
      startOffset,
      endOffset: startOffset,
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
async function walkNewest(vfs: Vfs, { found, headedCount }: Inventory): Promise<Walked> {
  const firstIndex = Math.max(0, headedCount - 2);
  const startOffset = found[firstIndex]!.segment.startOffset;
  const walked: Walked = {
    endOffset: startOffset,
    flushedOffset: startOffset,
    epoch: 0,
    shardTimeMs: 0,
    lastType: 0,
    recordsChecked: 0,
    lastIndex: firstIndex,
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
  walked.flushedOffset = Math.max(walked.flushedOffset, record.flushedOffset);
  walked.shardTimeMs = record.shardTimeMs;
  walked.lastType = record.type;
  walked.recordsChecked++;
  segment.newestTimestampMs = Math.max(segment.newestTimestampMs, record.storeTimestampMs);
  return true;
}

/** Looks through all that lies behind the end. @throws CorruptionError when it shows that the end is no end */
async function judgeRemains(vfs: Vfs, { found }: Inventory, walked: Walked): Promise<Remains> {
  const total: Remains = { sizeBytes: 0, proof: undefined, epochMax: 0 };
  for (let index = walked.lastIndex; index < found.length; index++) {
    const { segment } = found[index]!;
    const from = Math.max(walked.endOffset, segment.startOffset);
    const remains = await withFile(vfs, segment, 'read', (file) =>
      searchRemains(file, segment, from, walked.endOffset),
    );
    if (remains.proof !== undefined) throw damaged(found, walked, remains.proof);
    total.sizeBytes += remains.sizeBytes;
    total.epochMax = Math.max(total.epochMax, remains.epochMax);
  }
  return total;
}

function damaged(found: readonly FoundSegment[], walked: Walked, proof: NonNullable<Remains['proof']>): Error {
  const at = walked.endOffset;
  const holder = found.find(({ segment }) => at >= segment.startOffset && at < segment.endOffset)!;
  return damagedRecord(
    holder.segment,
    at,
    `although it had been stored: the record at physical offset ${proof.physicalOffset} says that everything before ` +
      `${proof.flushedOffset} was fsynced`,
  );
}

/** Changes the files so that the log ends where its last whole record does, on disk too. Returns what is left. */
async function rebuildEnd(
  vfs: Vfs,
  directory: string,
  { found }: Inventory,
  walked: Walked,
  remainsBytes: number,
): Promise<Segment[]> {
  for (let index = found.length - 1; index > walked.lastIndex; index--) {
    await vfs.remove(found[index]!.segment.path);
    // One by one: no gap may ever be durable.
    await vfs.syncDirectory(directory);
  }
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

/** Writes the same bytes to the same place. */
async function rewrite(file: VfsFile, segment: Segment, from: number, to: number): Promise<void> {
  const buffer = Buffer.allocUnsafeSlow(Math.max(0, Math.min(COPY_BYTES, to - from)));
  for (let position = from; position < to; position += COPY_BYTES) {
    const part = buffer.subarray(0, Math.min(COPY_BYTES, to - position));
    const count = await file.read(part, position - segment.startOffset);
    await file.write([part.subarray(0, count)], position - segment.startOffset);
  }
}

async function withFile<T>(
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
