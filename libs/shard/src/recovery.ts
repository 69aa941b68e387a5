import type { Logger } from '@orbitmq/runtime';
import { type CommitLog, CorruptionError, type SegmentInfo } from '@orbitmq/storage';
import { type Vfs, VfsError } from '@orbitmq/vfs';
import {
  findSnapshot,
  QueueIndex,
  type SegmentRange,
  type SentKeysOptions,
  type Snapshot,
  type SnapshotSection,
} from '@orbitmq/views';
import { indexedLength } from './pointer.ts';
import { isMessage, messageQueueUid, messageTagHash, queueOffsetOf, RECORD } from './records.ts';
import { openIndexBytes, ShardState } from './state.ts';
import { findState } from './state-records.ts';

/** Where the views' files are, below the shard's directory. */
export interface ViewDirectories {
  readonly index: string;
  readonly snapshots: string;
  readonly keys: string;
}

/** Directories of the views' files below the shard's. */
export function viewDirectories(directory: string): ViewDirectories {
  return { index: `${directory}/queueindex`, snapshots: `${directory}/snapshots`, keys: `${directory}/keyindex` };
}

/** What a start found of the views and made again. */
export interface ViewsReport {
  /** Where the state came from that the log's records were applied to. */
  readonly base: 'snapshot' | 'state in the log' | 'nothing';
  readonly basePosition: number;
  readonly replayedRecords: number;
  readonly rebuiltIndexFiles: number;
}

export interface ViewRecovery {
  readonly vfs: Vfs;
  readonly log: CommitLog;
  readonly logger: Logger;
  readonly directories: ViewDirectories;
  readonly sentKeys: SentKeysOptions;
  /** Of the log only what lies before this byte is confirmed: nothing behind it is shown, or goes to files. Default: all of it. */
  readonly confirmedOffset?: number;
}

/** The views as they were brought back. */
export interface RecoveredViews {
  readonly state: ShardState;
  readonly report: ViewsReport;
}

/**
 * Brings the views to the end of the log: the newest state that can be trusted, then the records behind it.
 * @throws CorruptionError when the log can't be read
 */
export async function recoverViews(recovery: ViewRecovery): Promise<RecoveredViews> {
  const files = await prepareFiles(recovery);
  const base = await findBase(recovery, files);
  const { state } = base;
  await recoverIndex(state, recovery.log, base);
  const replayedRecords = await replay(recovery, state, base.position);
  await state.index.removeStrays();
  return { state, report: reportOf(base, files, replayedRecords) };
}

/**
 * Brings the views of a follower to their newest base: what of the log is confirmed, its leader will say. The base position is
 * undefined when there is none: the log begins at a later byte, and the state that it begins with is yet to come.
 */
export async function recoverFollowerViews(
  recovery: ViewRecovery,
): Promise<RecoveredViews & { readonly position: number | undefined }> {
  const { log } = recovery;
  const files = await prepareFiles(recovery);
  const base = (await findSnapshotBase(recovery, files)) ?? nothingBase(recovery, files);
  const { state } = base;
  // Where an empty log will begin, its first record says.
  const isUnknown = base.kind === 'nothing' && (log.startOffset > 0 || log.logId === undefined);
  const position = isUnknown ? undefined : base.position;
  if (position !== undefined) await recoverIndex(state, log, base);
  await state.index.removeStrays();
  return { state, report: reportOf(base, files, 0), position };
}

/** Makes the index again for what lies before the base state's position. */
export async function recoverIndex(
  state: ShardState,
  log: CommitLog,
  { position, sections }: Pick<Base, 'position' | 'sections'>,
): Promise<void> {
  const segments = log.segments();
  for (const segment of segments) {
    if (segment.endOffset > position) break;
    await state.index.recoverSealed(segment);
  }
  const holding = segments.find((segment) => segment.startOffset < position && position < segment.endOffset);
  if (holding !== undefined) await recoverHolding(state, sections, holding, position);
}

async function prepareFiles({ vfs, directories }: ViewRecovery): Promise<{ rebuilt: number }> {
  await vfs.makeDirectory(directories.keys);
  await vfs.makeDirectory(directories.index);
  await vfs.makeDirectory(directories.snapshots);
  return { rebuilt: 0 };
}

function reportOf({ kind, position }: Base, files: { rebuilt: number }, replayedRecords: number): ViewsReport {
  return { base: kind, basePosition: position, replayedRecords, rebuiltIndexFiles: files.rebuilt };
}

interface Base {
  readonly kind: ViewsReport['base'];
  readonly state: ShardState;
  readonly position: number;
  readonly sections: readonly SnapshotSection[];
}

function restored(recovery: ViewRecovery, files: { rebuilt: number }, { sections }: Snapshot): ShardState {
  const state = emptyState(recovery, files);
  state.restore(sections);
  return state;
}

function nothingBase(recovery: ViewRecovery, files: { rebuilt: number }): Base {
  return { kind: 'nothing', state: emptyState(recovery, files), position: 0, sections: [] };
}

async function findSnapshotBase(recovery: ViewRecovery, files: { rebuilt: number }): Promise<Base | undefined> {
  const { vfs, log, logger, directories } = recovery;
  // Where an empty log begins nobody knows yet: a snapshot of its own begin, from before it was wiped, would be taken for it.
  if (log.logId === undefined) return undefined;
  const accepted: ShardState[] = [];
  const snapshot = await findSnapshot(vfs, directories.snapshots, {
    positionMin: log.startOffset,
    positionMax: log.endOffset,
    accept: (candidate) => accepted.push(restored(recovery, files, candidate)),
    onIgnored: (file, reason) => logger.warn({ file, reason }, 'a snapshot is not used'),
  });
  if (snapshot === undefined) return undefined;
  return { kind: 'snapshot', state: accepted.at(-1)!, position: snapshot.position, sections: snapshot.sections };
}

async function findBase(recovery: ViewRecovery, files: { rebuilt: number }): Promise<Base> {
  const { log, directories } = recovery;
  const base = await findSnapshotBase(recovery, files);
  if (base !== undefined) return base;
  if (log.startOffset === 0) return nothingBase(recovery, files);
  const found = await findState(log);
  if (found === undefined) {
    throw new CorruptionError(
      directories.snapshots,
      log.startOffset,
      `the commit log begins at ${log.startOffset}, and neither a snapshot in ${directories.snapshots} nor the log says ` +
        'what the state was before: bring the snapshots back, or this copy of the shard from another one',
    );
  }
  return {
    kind: 'state in the log',
    state: restored(recovery, files, found),
    position: found.position,
    sections: found.sections,
  };
}

function emptyState(recovery: ViewRecovery, files: { rebuilt: number }): ShardState {
  const { log } = recovery;
  return new ShardState(
    makeIndex(recovery, files),
    (physicalOffset) => segmentAt(log.segments(), physicalOffset),
    recovery.sentKeys,
  );
}

function makeIndex(recovery: ViewRecovery, files: { rebuilt: number }): QueueIndex {
  const { vfs, log, logger, directories } = recovery;
  return new QueueIndex({
    vfs,
    directory: directories.index,
    segmentAt: (physicalOffset) => segmentAt(log.segments(), physicalOffset),
    scanMessages: async (from, to, visit) => {
      await log.scan(from, to, (record) => {
        if (!isMessage(record.type) && record.type !== RECORD.pointer) return;
        const { payload, physicalOffset } = record;
        visit({
          queueUid: messageQueueUid(payload),
          queueOffset: queueOffsetOf(record),
          tagHash: messageTagHash(payload),
          physicalOffset,
          length: indexedLength(record),
        });
      });
    },
    onRebuilt: (file, reason) => {
      files.rebuilt++;
      logger.warn({ file, reason }, 'an index file is made again from the log');
    },
  });
}

function segmentAt(segments: readonly SegmentInfo[], physicalOffset: number): SegmentRange {
  const segment = segments.findLast((candidate) => candidate.startOffset <= physicalOffset);
  if (segment === undefined || physicalOffset >= segment.endOffset) {
    throw new RangeError(`no segment of the log holds physical offset ${physicalOffset}`);
  }
  return { startOffset: segment.startOffset, endOffset: segment.endOffset };
}

/** The index of the segment in which the base state's position lies, up to there. */
async function recoverHolding(
  state: ShardState,
  sections: readonly SnapshotSection[],
  segment: SegmentInfo,
  position: number,
): Promise<void> {
  const bytes = openIndexBytes(sections);
  if (bytes !== undefined && state.index.restoreOpen(bytes, segment)) return;
  await state.index.recoverOpen(segment, position);
}

/** Applies the log's records from `position` on, and shows what is confirmed of it. */
async function replay(recovery: ViewRecovery, state: ShardState, position: number): Promise<number> {
  const { endOffset } = recovery.log;
  const confirmedOffset = Math.max(position, Math.min(recovery.confirmedOffset ?? endOffset, endOffset));
  let count = await replayWithin(recovery, state, { from: position, to: confirmedOffset, isConfirmed: true });
  state.index.allVisible();
  count += await replayWithin(recovery, state, { from: confirmedOffset, to: endOffset, isConfirmed: false });
  return count;
}

/** @returns number of records. Files the index of each segment that is passed, where that is confirmed */
async function replayWithin(
  { log, logger }: ViewRecovery,
  state: ShardState,
  { from, to, isConfirmed }: { readonly from: number; readonly to: number; readonly isConfirmed: boolean },
): Promise<number> {
  let count = 0;
  for (const segment of log.segments()) {
    if (segment.endOffset <= from || segment.startOffset >= to) continue;
    await log.scan(Math.max(from, segment.startOffset), Math.min(segment.endOffset, to), (record) => {
      state.apply(record);
      count++;
    });
    if (isConfirmed && segment.sealed && segment.endOffset <= to) await fileIndex(state, segment, logger);
  }
  return count;
}

/** A full disk is no reason not to start: the entries stay in memory until there is room. */
async function fileIndex(state: ShardState, segment: SegmentInfo, logger: Logger): Promise<void> {
  try {
    await state.index.file(segment);
  } catch (error) {
    if (!(error instanceof VfsError)) throw error;
    logger.warn({ err: error }, 'an index file could not be written; it is tried again');
  }
}
