import { resolve } from 'node:path';
import { KIB } from '@orbitmq/base';
import { REPLICATION_DEFAULTS, type ReplicationSettings } from '@orbitmq/replication';
import { limitProblems } from '@orbitmq/rpc';
import type { ConfigOf, ConfigSpec } from '@orbitmq/runtime';
import { brokerKeys } from './keys.ts';
import { withoutEffect } from './without-effect.ts';

/** A broker's configuration. */
export type BrokerConfig = ConfigOf<typeof brokerKeys>;

/** System properties, user properties and frames of a message, on top of its body. Bytes. */
const MESSAGE_OVERHEAD_BYTES = 64 * KIB;

/** Everything that may be said to `mqbroker`. */
export const brokerConfigSpec: ConfigSpec<typeof brokerKeys> = {
  program: 'mqbroker',
  keys: brokerKeys,
  withoutEffect,
  check: checkRelations,
};

/** Everything that may be said to `mqreplica`: the same, with the defaults of a slave. */
export const replicaConfigSpec: ConfigSpec<typeof brokerKeys> = {
  ...brokerConfigSpec,
  program: 'mqreplica',
  keys: {
    ...brokerKeys,
    brokerId: { ...brokerKeys.brokerId, defaultValue: 1, defaultText: '1' },
    brokerRole: { ...brokerKeys.brokerRole, defaultValue: 'SLAVE', defaultText: 'SLAVE' },
  },
};

/** Largest record that a message makes. Bytes. */
export function recordBytesMax(config: Pick<BrokerConfig, 'maxMessageSize'>): number {
  return config.maxMessageSize + MESSAGE_OVERHEAD_BYTES;
}

/** Port of the admin API: its own key, or two below the client port as RocketMQ's fast port is. */
export function adminPort(config: Pick<BrokerConfig, 'adminListenPort' | 'listenPort'>): number {
  return config.adminListenPort ?? config.listenPort - 2;
}

/** Port for slaves: its own key, or one above the client port as RocketMQ's is. */
export function replicationPort(config: Pick<BrokerConfig, 'haListenPort' | 'listenPort'>): number {
  return config.haListenPort ?? config.listenPort + 1;
}

function checkRelations(config: BrokerConfig): string[] {
  const problems: string[] = [];
  const segmentMin = 2 * recordBytesMax(config);
  if (config.mappedFileSizeCommitLog < segmentMin) {
    problems.push(
      `mappedFileSizeCommitLog (${config.mappedFileSizeCommitLog}) must hold two of the largest messages: at least ${segmentMin} bytes with maxMessageSize ${config.maxMessageSize}; raise the one or lower the other`,
    );
  }
  if (config.mappedFileSizeCommitLog % 4096 !== 0) {
    problems.push(`mappedFileSizeCommitLog (${config.mappedFileSizeCommitLog}) must be a multiple of 4096`);
  }
  if (config.commitLogSizeMax > 0 && config.commitLogSizeMax < 2 * config.mappedFileSizeCommitLog) {
    problems.push(
      `commitLogSizeMax (${config.commitLogSizeMax}) must be 0 or at least two segments: ${2 * config.mappedFileSizeCommitLog} bytes with mappedFileSizeCommitLog ${config.mappedFileSizeCommitLog}`,
    );
  }
  if (config.cleanFileForciblyEnable && config.diskSpaceCleanForciblyRatio > config.diskSpaceWarningLevelRatio) {
    problems.push(
      `diskSpaceCleanForciblyRatio (${config.diskSpaceCleanForciblyRatio}) must not be above diskSpaceWarningLevelRatio (${config.diskSpaceWarningLevelRatio}): sends would be refused before room is made`,
    );
  }
  const logDirectory = resolve(config.storePathRootDir, 'commitlog');
  if (config.storePathCommitLog !== undefined && resolve(config.storePathCommitLog) !== logDirectory) {
    problems.push(
      `storePathCommitLog (${config.storePathCommitLog}) must be ${logDirectory} or left out: the log lies in the data directory; to have it on another disk, set storePathRootDir to a directory there`,
    );
  }
  if ((config.tlsCertPath === undefined) !== (config.tlsKeyPath === undefined)) {
    problems.push('tlsCertPath and tlsKeyPath belong together: set both, or none for a self-signed pair');
  }
  if (config.brokerPermission % 2 !== 0) {
    problems.push(`brokerPermission must be 0, 2 (write), 4 (read) or 6 (both); found ${config.brokerPermission}`);
  }
  return [...problems, ...checkRole(config), ...checkPorts(config), ...limitProblems(config)];
}

function checkRole({
  brokerRole,
  brokerId,
  coordinator,
  leaseDuration,
  leaderSuspicion,
  ...rest
}: BrokerConfig): string[] {
  const problems: string[] = [];
  if (coordinator === 'none' && (brokerRole === 'SLAVE') !== brokerId > 0) {
    problems.push(
      `brokerRole ${brokerRole} does not fit brokerId ${brokerId}: without a coordinator 0 is the master, and a SLAVE has a higher one`,
    );
  }
  if (coordinator !== 'none' && brokerRole === 'SLAVE') {
    problems.push(
      'brokerRole SLAVE with a coordinator: say ASYNC_MASTER or SYNC_MASTER, the kind of master that this member would be',
    );
  }
  if (leaderSuspicion > leaseDuration) {
    problems.push(`leaderSuspicion (${leaderSuspicion}) must not be above leaseDuration (${leaseDuration})`);
  }
  if (rest.haSendHeartbeatInterval * 2 > leaderSuspicion && coordinator !== 'none') {
    problems.push(
      `haSendHeartbeatInterval (${rest.haSendHeartbeatInterval}) must be at most half of leaderSuspicion (${leaderSuspicion})`,
    );
  }
  if (rest.haSendHeartbeatInterval * 2 > rest.haHousekeepingInterval) {
    problems.push(
      `haSendHeartbeatInterval (${rest.haSendHeartbeatInterval}) must be at most half of haHousekeepingInterval (${rest.haHousekeepingInterval}): streams would be closed between two heartbeats`,
    );
  }
  return problems;
}

function checkPorts(config: BrokerConfig): string[] {
  const admin = adminPort(config);
  const replication = replicationPort(config);
  const ports = [config.listenPort, admin, replication, config.metricsPromExporterPort].filter((value) => value !== 0);
  if (new Set(ports).size === ports.length) return [];
  return [
    `listenPort (${config.listenPort}), adminListenPort (${admin}), haListenPort (${replication}) and metricsPromExporterPort (${config.metricsPromExporterPort}) must differ`,
  ];
}

/** Copies in sync with fewer of which sends are refused. */
export function inSyncMin(config: Pick<BrokerConfig, 'minInSyncReplicas' | 'brokerRole'>): number {
  if (config.minInSyncReplicas > 0) return config.minInSyncReplicas;
  return config.brokerRole === 'SYNC_MASTER' ? 2 : 1;
}

/** What lies further than this behind the end of the log, slaves read for their master; Infinity = nothing. */
export function copyBehindBytes(
  {
    slaveReadEnable,
    accessMessageInMemoryMaxRatio,
  }: Pick<BrokerConfig, 'slaveReadEnable' | 'accessMessageInMemoryMaxRatio'>,
  memoryBytes: number,
): number {
  if (!slaveReadEnable || accessMessageInMemoryMaxRatio === 0) return Number.POSITIVE_INFINITY;
  return Math.floor((memoryBytes * accessMessageInMemoryMaxRatio) / 100);
}

/** How the stream between master and slaves is kept. */
export function replicationSettings(config: BrokerConfig): ReplicationSettings {
  return {
    ...REPLICATION_DEFAULTS,
    heartbeatIntervalMs: config.haSendHeartbeatInterval,
    silenceMs: config.haHousekeepingInterval,
    notCaughtUpMs: config.haMaxTimeSlaveNotCatchup,
    chunkBytes: config.haTransferBatchSize,
    readBytesMax: recordBytesMax(config),
  };
}
