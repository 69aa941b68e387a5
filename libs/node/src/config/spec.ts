import { resolve } from 'node:path';
import { KIB } from '@orbitmq/base';
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

/** Largest record that a message makes. Bytes. */
export function recordBytesMax(config: Pick<BrokerConfig, 'maxMessageSize'>): number {
  return config.maxMessageSize + MESSAGE_OVERHEAD_BYTES;
}

/** Port of the admin API: its own key, or two below the client port as RocketMQ's fast port is. */
export function adminPort(config: Pick<BrokerConfig, 'adminListenPort' | 'listenPort'>): number {
  return config.adminListenPort ?? config.listenPort - 2;
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
  return [...problems, ...checkPorts(config)];
}

function checkPorts(config: BrokerConfig): string[] {
  const admin = adminPort(config);
  const ports = [config.listenPort, admin, config.metricsPromExporterPort].filter((value) => value !== 0);
  if (new Set(ports).size === ports.length) return [];
  return [
    `listenPort (${config.listenPort}), adminListenPort (${admin}) and metricsPromExporterPort (${config.metricsPromExporterPort}) must differ`,
  ];
}
