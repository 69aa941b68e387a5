import type { CommitLog } from '@orbitmq/storage';
import { type Confirmation, ShardCore } from './core.ts';
import { DiskWatch } from './disk-watch.ts';
import { KeyIndexing } from './key-indexing.ts';
import { LogScrub } from './log-scrub.ts';
import { LogShard, type OpenedShard } from './log-shard.ts';
import { Maintenance } from './maintenance.ts';
import type { OpenShardArguments } from './open-arguments.ts';
import type { ShardSettings } from './options.ts';
import { RECORD } from './records.ts';
import type { RecoveredViews, ViewDirectories, ViewsReport } from './recovery.ts';

const SECRET_BYTES = 32;

/** What a leader and a follower have in common. */
export interface ShardParts {
  readonly args: OpenShardArguments;
  readonly core: ShardCore;
  readonly disk: DiskWatch;
  readonly maintenance: Maintenance;
  readonly keys: KeyIndexing;
  readonly scrub: LogScrub;
  readonly viewsRecovery: ViewsReport;
  /** See `LogShardParts.holdsDeadLetters`. */
  readonly holdsDeadLetters: boolean;
  /** Gives the data directory back. */
  readonly release: () => Promise<void>;
}

/** What the parts are made of. */
export interface ShardMaterial {
  readonly args: OpenShardArguments;
  readonly settings: ShardSettings;
  readonly log: CommitLog;
  readonly views: RecoveredViews;
  readonly directories: ViewDirectories;
  readonly onFatal: (error: Error) => void;
  readonly release: () => Promise<void>;
}

/** What is different in it from a shard that leads. */
export interface ShardMode {
  /** See `ShardCore.isActing`. */
  readonly isActing?: boolean;
  /** See `LogShardParts.holdsDeadLetters`. */
  readonly holdsDeadLetters?: boolean;
}

/** Puts the parts together; nothing of them runs yet. */
export function makeParts(
  material: ShardMaterial,
  confirmation?: Confirmation,
  { isActing = false, holdsDeadLetters = isActing }: ShardMode = {},
): ShardParts {
  const { args, log, settings, onFatal, release } = material;
  const { vfs, clock, logger, directory } = args;
  const { state, report } = material.views;
  const core = new ShardCore(log, state, clock, logger, settings, confirmation, isActing);
  const maintenance = new Maintenance(core, {
    vfs,
    snapshotDirectory: material.directories.snapshots,
    isCrowded: () => disk.isCrowded,
    onFatal,
  });
  const disk = new DiskWatch(core, vfs, directory, () => void maintenance.retain());
  return {
    args,
    core,
    disk,
    maintenance,
    keys: new KeyIndexing(core, vfs, material.directories.keys),
    scrub: new LogScrub(core, onFatal),
    viewsRecovery: report,
    holdsDeadLetters,
    release,
  };
}

/** Starts what every copy does beside: the index of keys, files of what is sealed, the scrub. */
export async function startBackground({ keys, maintenance, scrub }: ShardParts): Promise<void> {
  await keys.start();
  maintenance.start();
  scrub.start();
}

/** Starts what a copy does that stands in for its leader; see `ShardCore.isActing`. */
export function startActing(parts: ShardParts): LogShard {
  return new LogShard(parts);
}

/** Starts what only a leader does. Its state is at the end of the log. */
export async function startLeading(parts: ShardParts): Promise<OpenedShard> {
  const { core, disk, maintenance, args } = parts;
  const { state, log } = core;
  state.onUnconsumed = (groupUid, queueUid, count) => {
    const topicUid = state.metadata.queueByUid(queueUid)?.topicUid;
    const group = state.metadata.groupByUid(groupUid);
    const topic = topicUid === undefined ? undefined : state.metadata.topicByUid(topicUid);
    if (group !== undefined && topic !== undefined) core.subscription(group, topic).counters.unconsumedCount += count;
  };
  const shard = new LogShard(parts);
  if (state.metadata.secret.length === 0) {
    core.append(RECORD.secret, [args.random.bytes(SECRET_BYTES)]);
    await log.settled();
  }
  await disk.start();
  maintenance.startRetention();
  return shard;
}
