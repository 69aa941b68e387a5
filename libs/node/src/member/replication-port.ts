import { KIB, MIB } from '@orbitmq/base';
import { replicationService } from '@orbitmq/replication';
import { type RpcServer, type RpcServerLimits, startRpcServer } from '@orbitmq/rpc';
import { listening } from '@orbitmq/runtime';
import type { BrokerContext } from '../broker-context.ts';
import { type BrokerConfig, recordBytesMax, replicationPort } from '../config/spec.ts';
import type { BrokerObservation } from '../observation.ts';
import type { ShardMember } from './shard-member.ts';

/**
 * A follower has a connection for its stream, which is meant to last. What an operator allows clients (`grpc…`) does not
 * hold here: little of it would cut the members from each other. Followers tell what they have in frames of a few bytes,
 * several for each write.
 */
const LIMITS = {
  concurrentStreamsMax: 4,
  connectionsMax: 256,
  connectionsPerAddressMax: 64,
  handshakeTimeoutMs: 10_000,
  metadataBytesMax: 16 * KIB,
  controlFramesPerSecondMax: 1_000_000,
};

const LOOPBACK = /^(127\.|::1$|localhost$)/;

/** What surrounds a record in a message. Bytes. */
const AROUND_BYTES = 4096;

/** The limits of the port: whatever clients are allowed, the members of a shard reach each other. */
export function replicationLimits(config: BrokerConfig): RpcServerLimits {
  // Followers say little but of their epochs, and what a leader asks them for of the log: records that it has lost.
  return { ...LIMITS, receiveMessageBytesMax: Math.max(MIB, recordBytesMax(config) + AROUND_BYTES) };
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
      limits: replicationLimits(config),
      onLimit: observation.onLimit('replication'),
      logger: logger.child({ module: 'replication' }),
      onUnexpectedError: (error, path) => lifecycle.fatal(error, `an unexpected error in ${path} ends the process`),
    }),
  );
}
