import { type Clock, MqError } from '@orbitmq/base';
import type { Vfs } from '@orbitmq/vfs';
import { LOG_DIRECTORY } from './commit-log.ts';
import { DurableMark } from './durable-mark.ts';
import { removeEpochs, writeEpochs } from './epochs.ts';
import { commitLogSettings } from './options.ts';
import { walkRecords } from './record-walk.ts';
import { type Recovered, recover, removeNewestFirst, withFile } from './recovery.ts';
import { Segment, segmentIndexOf, segmentStart } from './segment.ts';

const NOTHING = Number.POSITIVE_INFINITY;

/** What a log is cut with; nobody has it open. */
export interface TruncateLogArguments {
  readonly vfs: Vfs;
  readonly clock: Clock;
  /** Directory of the shard. The caller holds its lock. */
  readonly directory: string;
  /** Size of a segment that has no record yet; as in `CommitLogOptions`. */
  readonly segmentSizeBytes?: number;
}

/**
 * Cuts a log so that it ends at `to`: for a copy whose end its leader does not have. Durable when it resolves, and from then on a
 * follower's log. A crash on the way leaves a log that ends anywhere from `to` on, and is to be cut again.
 *
 *   recovered, so that all before `to` is known to be durable ──▶ mark: nothing here proves anything beyond `to`
 *   ──▶ file of epochs ──▶ later segments, newest first ──▶ the rest of the last one, zeros in its place ──▶ fsync
 *
 * @param to a record boundary; at or before the log's start everything goes, at or behind its end nothing
 * @param confirmedOffset what is known to be confirmed: it is never cut
 * @throws MqError BAD_REQUEST when `to` is before what is confirmed, or no record boundary; CorruptionError
 */
export async function truncateLog(args: TruncateLogArguments, to: number, confirmedOffset: number): Promise<void> {
  if (to < confirmedOffset) {
    throw new MqError(
      'BAD_REQUEST',
      `the log is to be cut at ${to}, but everything before ${confirmedOffset} is confirmed: it may have been answered or delivered`,
    );
  }
  const { vfs } = args;
  const directory = `${args.directory}/${LOG_DIRECTORY}`;
  const { segmentSizeBytes } = commitLogSettings({ ...args, flushDiskType: 'SYNC_FLUSH' });
  const mark = await DurableMark.read(vfs, directory);
  const recovered = await recover(vfs, args.clock, directory, segmentSizeBytes, mark);
  if (recovered.segments.length === 0 || to >= recovered.endOffset) return;
  if (to <= recovered.segments[0]!.startOffset) {
    await wipeLog(args);
    return;
  }
  await checkBoundary(vfs, recovered, to);
  await mark.write(NOTHING, to);
  await mark.close();
  await cutEpochs(vfs, directory, recovered, to);
  await cutSegments(vfs, directory, recovered, to);
}

/**
 * Removes a log, for a copy that shares nothing with its leader or ends before its leader begins. Durable when it resolves. A crash
 * on the way leaves a log that ends earlier, or none.
 */
export async function wipeLog(args: TruncateLogArguments): Promise<void> {
  const { vfs } = args;
  const directory = `${args.directory}/${LOG_DIRECTORY}`;
  const mark = await DurableMark.read(vfs, directory);
  // First of all nothing may prove that something is missing.
  await mark.write(NOTHING, 0);
  await mark.close();
  const starts = (await vfs.list(directory)).map(segmentStart).filter((start) => start !== undefined);
  await removeNewestFirst(
    vfs,
    directory,
    starts.map((start) => ({ segment: new Segment(directory, start, 0) })),
  );
  await removeEpochs(vfs, directory);
}

async function checkBoundary(vfs: Vfs, { segments }: Recovered, to: number): Promise<void> {
  const segment = segments[segmentIndexOf(segments, to)]!;
  const reached = await withFile(vfs, segment, 'read', (file) =>
    walkRecords(file, segment, segment.startOffset, to, () => true),
  );
  if (reached === to) return;
  throw new MqError('BAD_REQUEST', `the log is to be cut at ${to}, which is within a record of it`);
}

async function cutEpochs(
  vfs: Vfs,
  directory: string,
  { epochs, logId, segments }: Recovered,
  to: number,
): Promise<void> {
  const starts = epochs.within(segments[0]!.startOffset, to);
  const isWritten = await writeEpochs(vfs, directory, { logId: logId!, coveredTo: to, starts });
  // What it says of bytes that go would be wrong when others take their place.
  if (!isWritten) await removeEpochs(vfs, directory);
}

async function cutSegments(vfs: Vfs, directory: string, { segments }: Recovered, to: number): Promise<void> {
  const kept = segments.filter(({ startOffset }) => startOffset < to);
  await removeNewestFirst(
    vfs,
    directory,
    segments.slice(kept.length).map((segment) => ({ segment })),
  );
  const last = kept.at(-1)!;
  if (last.endOffset === to) return;
  await withFile(vfs, last, 'write', async (file) => {
    await file.truncate(to - last.startOffset);
    await file.truncate(last.sizeBytes);
    await file.sync();
  });
}
