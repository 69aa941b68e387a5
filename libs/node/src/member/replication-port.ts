import { MIB, SECOND_MS } from '@orbitmq/base';
import { type LeaderReplication, replicationService } from '@orbitmq/replication';
import { type RpcServer, type RpcServerLimits, startRpcServer } from '@orbitmq/rpc';
import type { BrokerContext } from '../broker-context.ts';
import { replicationPort } from '../config/spec.ts';
import { listening } from '../listen-failure.ts';

const LIMITS: RpcServerLimits = {
  // Followers say little; what they say of their epochs is the longest.
  receiveMessageBytesMax: MIB,
  // A follower has a connection for its stream.
  concurrentStreamsMax: 4,
  metadataBytesMax: 16 * 1024,
  connectionsMax: 256,
  connectionsPerAddressMax: 64,
  handshakeTimeoutMs: 10 * SECOND_MS,
};

const LOOPBACK = /^(127\.|::1$|localhost$)/;

/** Opens the port on which this member takes followers while it leads. */
export function openReplicationPort(
  { config, logger, lifecycle }: BrokerContext,
  leader: () => LeaderReplication | undefined,
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
      host,
      port,
      methods: replicationService({ leader, accessKey: config.haAccessKey }),
      tls: undefined,
      limits: LIMITS,
      logger: logger.child({ module: 'replication' }),
      onUnexpectedError: (error, path) => lifecycle.fatal(error, `an unexpected error in ${path} ends the process`),
    }),
  );
}
