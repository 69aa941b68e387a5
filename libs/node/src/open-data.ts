import { HOUR_MS, systemClock, systemRandom } from '@orbitmq/base';
import { type OpenedShard, openShard, type ShardOptions } from '@orbitmq/shard';
import { nodeVfs } from '@orbitmq/vfs';
import type { BrokerContext } from './broker-context.ts';
import { type BrokerConfig, recordBytesMax } from './config/spec.ts';
import { explainOpenFailure, refuseForeignStore } from './data-directory.ts';

/**
 * Opens the shard in the data directory, recovering what is there. A write or flush that fails later ends the process:
 * nothing is acknowledged after it, and nothing is tried twice.
 */
export async function openData(context: BrokerContext): Promise<OpenedShard> {
  const { config, logger, lifecycle, health } = context;
  const directory = config.storePathRootDir;
  const vfs = nodeVfs;
  health.hold('data', `reading ${directory}`);
  try {
    await refuseForeignStore(vfs, directory);
    const shard = await openShard({
      vfs,
      clock: systemClock,
      random: systemRandom,
      logger: logger.child({ module: 'shard' }),
      directory,
      options: shardOptionsOf(config),
      defer: setImmediate,
      onFailure: (error) =>
        lifecycle.fatal(error, 'the shard can not go on; the process ends and acknowledges nothing more'),
    });
    health.clear('data');
    return shard;
  } catch (error) {
    throw explainOpenFailure(error, directory);
  }
}

function shardOptionsOf(config: BrokerConfig): ShardOptions {
  return {
    log: {
      flushDiskType: config.flushDiskType,
      segmentSizeBytes: config.mappedFileSizeCommitLog,
      recordBytesMax: recordBytesMax(config),
      flushIntervalMs: config.flushIntervalCommitLog,
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
