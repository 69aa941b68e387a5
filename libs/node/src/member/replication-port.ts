import { MIB } from '@orbitmq/base';
import { replicationService } from '@orbitmq/replication';
import { configuredLimits, type RpcServer, startRpcServer } from '@orbitmq/rpc';
import { listening } from '@orbitmq/runtime';
import type { BrokerContext } from '../broker-context.ts';
import { type BrokerConfig, recordBytesMax, replicationPort } from '../config/spec.ts';
import type { BrokerObservation } from '../observation.ts';
import type { ShardMember } from './shard-member.ts';

/** A follower has a connection for its stream, which is meant to last. */
const LIMITS = {
  concurrentStreamsMax: 4,
  connectionsMax: 256,
  connectionsPerAddressMax: 64,
  connectionAgeMsMax: Number.POSITIVE_INFINITY,
};

const LOOPBACK = /^(127\.|::1$|localhost$)/;

/** What surrounds a record in a message. Bytes. */
const AROUND_BYTES = 4096;

/** Followers say little but of their epochs, and what a leader asks them for of the log: records that it has lost. */
function receiveMessageBytesMax(config: BrokerConfig): number {
  return Math.max(MIB, recordBytesMax(config) + AROUND_BYTES);
}

/** Opens the port on which this member takes followers while it leads, or is about to. */
export function openReplicationPort(
  { config, logger, lifecycle }: BrokerContext,
  member: () => Pick<ShardMember, 'replication' | 'catchUp'>,
  observation: BrokerObservation,
): Promise<RpcServer> {
  const port = replicationPort(config);
  const host = config.haBindAddress ?? config.bindAddress;
  if (config.haAccessKey === undefined && !LOOPBACK.test(host)) {
    logger.warn(
      { module: 'replication', host, port },
      'whoever reaches the replication port can read all messages and pose as a slave: set haAccessKey, or haBindAddress ' +
        'to an address that others do not reach',
    );
  }
  return listening('haListenPort', port, () =>
    startRpcServer({
      engine: config.rpcEngine,
      host,
      port,
      methods: replicationService({
        leader: () => member().replication,
        beginner: () => member().catchUp,
        accessKey: config.haAccessKey,
      }),
      tls: undefined,
      limits: { ...configuredLimits(config), ...LIMITS, receiveMessageBytesMax: receiveMessageBytesMax(config) },
      onLimit: observation.onLimit('replication'),
      logger: logger.child({ module: 'replication' }),
      onUnexpectedError: (error, path) => lifecycle.fatal(error, `an unexpected error in ${path} ends the process`),
    }),
  );
}
