import { type CommitLog, type LogRole, openCommitLog } from '@orbitmq/storage';
import type { LeaderArguments, OpenShardArguments } from './open-arguments.ts';
import { type ShardSettings, shardSettings } from './options.ts';
import { type ViewRecovery, viewDirectories } from './recovery.ts';

/** A directory that is being opened. */
export interface Opening {
  readonly settings: ShardSettings;
  readonly onFatal: (error: Error) => void;
  readonly release: () => Promise<void>;
}

/** Takes the directory for this process; gives it back when `open` fails. */
export async function locked<Opened>(
  args: OpenShardArguments,
  open: (opening: Opening) => Promise<Opened>,
): Promise<Opened> {
  const settings = shardSettings(args.options);
  await args.vfs.makeDirectory(args.directory);
  const lock = await args.vfs.lock(args.directory);
  const onFatal = (error: Error): void => {
    args.logger.error({ err: error }, 'the shard can not go on');
    args.onFailure?.(error);
  };
  try {
    return await open({ settings, onFatal, release: () => lock.release() });
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** Recovers the log of a shard, or begins one. */
export async function openLog(
  args: LeaderArguments,
  { settings, onFatal }: Opening,
  role: LogRole,
): Promise<CommitLog> {
  const { vfs, clock, random, logger, directory, defer, lead } = args;
  const log = await openCommitLog({
    vfs,
    clock,
    random,
    directory,
    role,
    options: settings.log,
    onFailure: onFatal,
    onStall: (error) => logger.error({ err: error }, 'the log waits for room on the disk'),
    ...(defer === undefined ? {} : { defer }),
    ...(lead === undefined ? {} : { lead }),
  });
  logger.info({ ...log.recovery }, 'the commit log is open');
  return log;
}

/** What the views are brought back with. */
export function recoveryOf(
  { vfs, logger, directory }: OpenShardArguments,
  { settings }: Opening,
  log: CommitLog,
): ViewRecovery {
  const directories = viewDirectories(directory);
  const sentKeys = { windowMs: settings.dedupWindowMs, countMax: settings.dedupCountMax };
  return { vfs, log, logger, directories, sentKeys };
}
