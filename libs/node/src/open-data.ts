import { HOUR_MS, systemClock, systemRandom } from '@orbitmq/base';
import { memoryBytes } from '@orbitmq/runtime';
import type { ShardOptions } from '@orbitmq/shard';
import { nodeVfs } from '@orbitmq/vfs';
import type { BrokerContext } from './broker-context.ts';
import { type BrokerConfig, copyBehindBytes, recordBytesMax } from './config/spec.ts';
import { explainOpenFailure, refuseForeignStore } from './data-directory.ts';
import type { ShardFiles } from './member/member-options.ts';
import { shardFiles } from './member/shard-files.ts';

/**
 * The shard's data directory, checked; what is there is recovered when it is opened. A write or flush that fails later ends the
 * process: nothing is acknowledged after it, and nothing is tried twice.
 */
export async function openShardFiles(context: BrokerContext): Promise<ShardFiles> {
  const { config, logger, lifecycle, health } = context;
  const directory = config.storePathRootDir;
  const vfs = nodeVfs;
  const explaining = async <T>(action: () => Promise<T>): Promise<T> => {
    health.hold('data', `reading ${directory}`);
    try {
      const result = await action();
      health.clear('data');
      return result;
    } catch (error) {
      throw explainOpenFailure(error, directory);
    }
  };
  await explaining(() => refuseForeignStore(vfs, directory));
  const files = shardFiles({
    vfs,
    clock: systemClock,
    random: systemRandom,
    logger: logger.child({ module: 'shard' }),
    directory,
    options: shardOptionsOf(config),
    defer: setImmediate,
    onFailure: (error: Error) =>
      lifecycle.fatal(error, 'the shard can not go on; the process ends and acknowledges nothing more'),
  });
  return {
    openLeader: (lead, options) => explaining(() => files.openLeader(lead, options)),
    openFollower: () => explaining(() => files.openFollower()),
    openActing: (confirmedOffset) => explaining(() => files.openActing(confirmedOffset)),
    hasBranch: (copy) => explaining(() => files.hasBranch(copy)),
    cutBranch: () => explaining(() => files.cutBranch()),
    setAside: (copy, from) => files.setAside(copy, from),
    truncate: (to, confirmedOffset) => explaining(() => files.truncate(to, confirmedOffset)),
    wipe: () => explaining(() => files.wipe()),
  };
}

function shardOptionsOf(config: BrokerConfig): ShardOptions {
  return {
    log: {
      flushDiskType: config.flushDiskType,
      segmentSizeBytes: config.mappedFileSizeCommitLog,
      recordBytesMax: recordBytesMax(config),
      flushIntervalMs: config.flushIntervalCommitLog,
      copyBehindBytes: copyBehindBytes(config, memoryBytes()),
    },
    retentionMs: config.fileReservedTime * HOUR_MS,
    retentionBytes: config.commitLogSizeMax === 0 ? Number.POSITIVE_INFINITY : config.commitLogSizeMax,
    retentionIntervalMs: config.cleanResourceInterval,
    dedupWindowMs: config.dedupWindowMs,
    messageIndexEnable: config.messageIndexEnable,
    dedupCountMax: config.dedupCountMax,
    timersMax: config.timerPendingMax,
    priorityOrderAsc: config.priorityOrderAsc,
    transactionsMax: config.transactionOpenMax,
    liteTopicsMax: config.liteTopicMax,
    liteLifeMsMin: config.minLiteTTl,
    liteCheckIntervalMs: config.liteTtlCheckInterval,
    diskCleanRatio: config.cleanFileForciblyEnable ? config.diskSpaceCleanForciblyRatio / 100 : 1,
    diskFullRatio: config.diskSpaceWarningLevelRatio / 100,
    scrubBytesPerSecond: config.scrubBytesPerSecond,
    scrubPauseMs: config.scrubInterval,
  };
}
