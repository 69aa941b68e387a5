import { GIB, HOUR_MS, MIB, MINUTE_MS, MqError, SECOND_MS } from '@orbitmq/base';
import type { CommitLogOptions } from '@orbitmq/storage';

/** How a shard behaves. All but the log's own options have defaults. */
export interface ShardOptions {
  readonly log: CommitLogOptions;
  /** Messages handed out and not settled, of all groups together; beyond it nothing new is handed out. Default 1,000,000. */
  readonly outstandingMax?: number;
  /** Receives that wait on one group and topic; default 1,024. */
  readonly waitersMaxPerSubscription?: number;
  /** Receives that wait in all; default 100,000. */
  readonly waitersMax?: number;
  /** Messages older than this may go, where their topic says nothing; RocketMQ's `fileReservedTime`. Milliseconds, default 72 h. */
  readonly retentionMs?: number;
  /** The log may take this much; the oldest segments beyond it go. Bytes, default unlimited. */
  readonly retentionBytes?: number;
  /** How often retention looks for what may go. Milliseconds, default 10 s. */
  readonly retentionIntervalMs?: number;
  /** A message whose lease ran out holds its segment for this long; a leased one always does. Milliseconds, default 1 h. */
  readonly heldAfterExpiryMs?: number;
  /** Timed messages that may wait for their time, about 44 bytes of memory each; beyond it sends of more are refused. Default 2,000,000. */
  readonly timersMax?: number;
  /** Transactions that may be open, about 60 bytes of memory each; beyond it half messages are refused. Default 500,000. */
  readonly transactionsMax?: number;
  /** Lite topics that the shard may hold, about a kilobyte of memory each; beyond it messages make no new ones. Default 500,000. */
  readonly liteTopicsMax?: number;
  /** No lite topic goes sooner after its last message, or after the start; RocketMQ's `minLiteTTl`. Milliseconds, default 15 min. */
  readonly liteLifeMsMin?: number;
  /** How often expired lite topics are looked for; RocketMQ's `liteTtlCheckInterval`. Milliseconds, default 2 min. */
  readonly liteCheckIntervalMs?: number;
  /** The lowest queue id of a priority topic is read first; RocketMQ's key of this name. Default false. */
  readonly priorityOrderAsc?: boolean;
  /** Message ids and keys can be looked up; RocketMQ's key of this name. Default true. */
  readonly messageIndexEnable?: boolean;
  /** A message that was sent within this time before is not stored again; 0 = it is. Milliseconds, default 10 min, at most a day. */
  readonly dedupWindowMs?: number;
  /** Sends that are remembered for it, 40 bytes of memory each; the oldest are forgotten first. Default 1,000,000. */
  readonly dedupCountMax?: number;
  /** How often the room on the disk is looked at. Milliseconds, default 1 s. */
  readonly diskCheckIntervalMs?: number;
  /** Share of the disk in use at which the oldest segments go before their time; RocketMQ's `diskSpaceCleanForciblyRatio`. Default 0.85. */
  readonly diskCleanRatio?: number;
  /** Share of the disk in use at which sends are refused; RocketMQ's `diskSpaceWarningLevelRatio`. Default 0.90. */
  readonly diskFullRatio?: number;
  /** Room that sends leave for acks and leases. Bytes, default two segments, at most 1 GiB. */
  readonly diskReserveBytes?: number;
  /** How fast sealed segments are read again to find bits that have turned on the disk; 0 = never. Bytes a second, default 8 MiB. */
  readonly scrubBytesPerSecond?: number;
  /** Rest between two such rounds through the log. Milliseconds, default 24 h. */
  readonly scrubPauseMs?: number;
}

export type ShardSettings = Required<ShardOptions>;

/**
 * Fills in the defaults and checks the whole.
 * @throws MqError BAD_REQUEST naming the value that is wrong
 */
export function shardSettings(options: ShardOptions): ShardSettings {
  const segmentSizeBytes = options.log.segmentSizeBytes ?? 256 * MIB;
  const settings: ShardSettings = {
    log: options.log,
    outstandingMax: options.outstandingMax ?? 1_000_000,
    waitersMaxPerSubscription: options.waitersMaxPerSubscription ?? 1024,
    waitersMax: options.waitersMax ?? 100_000,
    retentionMs: options.retentionMs ?? 72 * HOUR_MS,
    retentionBytes: options.retentionBytes ?? Number.POSITIVE_INFINITY,
    retentionIntervalMs: options.retentionIntervalMs ?? 10 * SECOND_MS,
    heldAfterExpiryMs: options.heldAfterExpiryMs ?? HOUR_MS,
    timersMax: options.timersMax ?? 2_000_000,
    transactionsMax: options.transactionsMax ?? 500_000,
    liteTopicsMax: options.liteTopicsMax ?? 500_000,
    liteLifeMsMin: options.liteLifeMsMin ?? 15 * MINUTE_MS,
    liteCheckIntervalMs: options.liteCheckIntervalMs ?? 2 * MINUTE_MS,
    priorityOrderAsc: options.priorityOrderAsc ?? false,
    messageIndexEnable: options.messageIndexEnable ?? true,
    dedupWindowMs: options.dedupWindowMs ?? 10 * MINUTE_MS,
    dedupCountMax: options.dedupCountMax ?? 1_000_000,
    diskCheckIntervalMs: options.diskCheckIntervalMs ?? SECOND_MS,
    diskCleanRatio: options.diskCleanRatio ?? 0.85,
    diskFullRatio: options.diskFullRatio ?? 0.9,
    diskReserveBytes: options.diskReserveBytes ?? Math.min(2 * segmentSizeBytes, GIB),
    scrubBytesPerSecond: options.scrubBytesPerSecond ?? 8 * MIB,
    scrubPauseMs: options.scrubPauseMs ?? 24 * HOUR_MS,
  };
  for (const [name, value] of Object.entries(settings)) {
    if (typeof value === 'number' && !(value >= 0)) refuse(name, value, 'a number of 0 or more');
  }
  if (settings.outstandingMax < 1) refuse('outstandingMax', settings.outstandingMax, 'at least 1');
  for (const name of ['diskCleanRatio', 'diskFullRatio'] as const) {
    if (settings[name] > 1) refuse(name, settings[name], 'at most 1');
  }
  return settings;
}

function refuse(name: string, value: number, wanted: string): never {
  throw new MqError('BAD_REQUEST', `${name} must be ${wanted}, but is ${value}`);
}
