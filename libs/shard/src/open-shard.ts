import { ConfirmedApplier } from './confirmed-applier.ts';
import type { FollowerShard } from './follower-shard.ts';
import { LogFollower } from './log-follower.ts';
import type { OpenedShard } from './log-shard.ts';
import type { LeaderArguments, OpenShardArguments } from './open-arguments.ts';
import { locked, type Opening, openLog, recoveryOf } from './opening.ts';
import { recoverFollowerViews, recoverViews } from './recovery.ts';
import { makeParts, startBackground, startLeading } from './shard-parts.ts';

/**
 * Opens the shard in a directory as its leader, or begins one: recovers the log, then the views from the newest snapshot that can be
 * trusted and the records behind it.
 * @throws VfsError `LOCKED` when another process has it; CorruptionError when the log can't be trusted; MqError for options
 */
export function openShard(args: LeaderArguments): Promise<OpenedShard> {
  return locked(args, (opening) => openLeader(args, opening));
}

/**
 * Opens a copy of a shard that follows its leader, or begins one, which is empty. Its state is that of the newest snapshot until the
 * leader says how far it is confirmed.
 * @throws as `openShard` does
 */
export function openFollower(args: OpenShardArguments): Promise<FollowerShard> {
  return locked(args, (opening) => openFollowing(args, opening));
}

async function openLeader(args: LeaderArguments, opening: Opening): Promise<OpenedShard> {
  const log = await openLog(args, opening, 'leader');
  const recovery = recoveryOf(args, opening, log);
  const views = await recoverViews(recovery);
  args.logger.info({ ...views.report }, 'the views are at the end of the log');
  if (args.lead !== undefined) log.beginEpoch();
  const { holdsDeadLetters = false } = args;
  const material = { args, ...opening, log, views, directories: recovery.directories };
  const parts = makeParts(material, undefined, { holdsDeadLetters });
  const shard = await startLeading(parts);
  await startBackground(parts);
  return shard;
}

async function openFollowing(args: OpenShardArguments, opening: Opening): Promise<FollowerShard> {
  const log = await openLog(args, opening, 'follower');
  const recovery = recoveryOf(args, opening, log);
  const views = await recoverFollowerViews(recovery);
  args.logger.info({ ...views.report }, 'the views are at their newest snapshot, and wait for the leader');
  const metadataListeners = new Set<() => void>();
  const applier = new ConfirmedApplier({
    log,
    state: views.state,
    logger: args.logger,
    position: views.position,
    defer: args.defer ?? queueMicrotask,
    onMetadataChange: () => {
      for (const listener of metadataListeners) listener();
    },
    onFatal: opening.onFatal,
  });
  const shard = makeParts({ args, ...opening, log, views, directories: recovery.directories }, applier);
  await startBackground(shard);
  return new LogFollower({ shard, applier, metadataListeners });
}
