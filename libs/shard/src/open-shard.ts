import type { Clock, Random } from '@orbitmq/base';
import type { Logger } from '@orbitmq/runtime';
import { openCommitLog } from '@orbitmq/storage';
import type { Vfs } from '@orbitmq/vfs';
import { ShardCore } from './core.ts';
import { DiskWatch } from './disk-watch.ts';
import { KeyIndexing } from './key-indexing.ts';
import { LogScrub } from './log-scrub.ts';
import { LogShard, type OpenedShard } from './log-shard.ts';
import { Maintenance } from './maintenance.ts';
import { type ShardOptions, shardSettings } from './options.ts';
import { RECORD } from './records.ts';
import { recoverViews, type ViewDirectories } from './recovery.ts';

const SECRET_BYTES = 32;

/** What a shard needs from outside. */
export interface OpenShardArguments {
  readonly vfs: Vfs;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** All files of the shard are below it; it belongs to this process until `close`. */
  readonly directory: string;
  readonly options: ShardOptions;
  /** See `CommitLogArguments.defer`; a live process hands in `setImmediate`. */
  readonly defer?: (callback: () => void) => void;
  /**
   * Called once when the shard can't go on: a write or fsync of the log failed, or something happened that nobody
   * expects. Nothing is acknowledged afterwards; the process should end.
   */
  readonly onFailure?: (error: Error) => void;
}

/** Directories of the views' files below the shard's. */
export function viewDirectories(directory: string): ViewDirectories {
  return { index: `${directory}/queueindex`, snapshots: `${directory}/snapshots` };
}

/**
 * Opens the shard in a directory, or begins one: recovers the log, then the views from the newest snapshot that can be
 * trusted and the records behind it.
 * @throws VfsError `LOCKED` when another process has it; CorruptionError when the log can't be trusted; MqError for options
 */
export async function openShard(args: OpenShardArguments): Promise<OpenedShard> {
  const settings = shardSettings(args.options);
  await args.vfs.makeDirectory(args.directory);
  const lock = await args.vfs.lock(args.directory);
  try {
    return await openLocked(args, settings, () => lock.release());
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function openLocked(
  args: OpenShardArguments,
  settings: ReturnType<typeof shardSettings>,
  release: () => Promise<void>,
): Promise<OpenedShard> {
  const { vfs, clock, random, logger, directory } = args;
  const onFailure = (error: Error): void => {
    logger.error({ err: error }, 'the shard can not go on');
    args.onFailure?.(error);
  };
  const log = await openCommitLog({
    vfs,
    clock,
    random,
    directory,
    options: settings.log,
    onFailure,
    onStall: (error) => logger.error({ err: error }, 'the log waits for room on the disk'),
    ...(args.defer === undefined ? {} : { defer: args.defer }),
  });
  logger.info({ ...log.recovery }, 'the commit log is open');
  const directories = viewDirectories(directory);
  const sentKeys = { windowMs: settings.dedupWindowMs, countMax: settings.dedupCountMax };
  const { state, report } = await recoverViews({ vfs, log, logger, directories, sentKeys });
  logger.info({ ...report }, 'the views are at the end of the log');
  const core = new ShardCore(log, state, clock, logger, settings);
  const maintenance = new Maintenance(core, {
    vfs,
    snapshotDirectory: directories.snapshots,
    isCrowded: () => disk.isCrowded,
    onFatal: onFailure,
  });
  const disk = new DiskWatch(core, vfs, directory, () => void maintenance.retain());
  state.onUnconsumed = (groupUid, queueUid, count) => {
    const topicUid = state.metadata.queueByUid(queueUid)?.topicUid;
    const group = state.metadata.groupByUid(groupUid);
    const topic = topicUid === undefined ? undefined : state.metadata.topicByUid(topicUid);
    if (group !== undefined && topic !== undefined) core.subscription(group, topic).counters.unconsumedCount += count;
  };
  const scrub = new LogScrub(core, onFailure);
  const keysDirectory = `${directory}/keyindex`;
  await vfs.makeDirectory(keysDirectory);
  const keys = new KeyIndexing(core, vfs, keysDirectory);
  const shard = new LogShard({ core, disk, maintenance, keys, scrub, viewsRecovery: report, release });
  if (state.metadata.secret.length === 0) {
    core.append(RECORD.secret, [random.bytes(SECRET_BYTES)]);
    await log.settled();
  }
  await keys.start();
  await disk.start();
  maintenance.start();
  scrub.start();
  return shard;
}
