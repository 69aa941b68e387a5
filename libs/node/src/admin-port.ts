import { adminMethods } from '@orbitmq/admin';
import { MIB, SECOND_MS, systemClock } from '@orbitmq/base';
import { DEFAULT_RETRY_POLICY, MESSAGING_DEFAULTS, type MessagingService } from '@orbitmq/messaging';
import { type RpcServer, type RpcServerLimits, reflectionMethods, startRpcServer } from '@orbitmq/rpc';
import type { OpenedShard } from '@orbitmq/shard';
import type { BrokerContext } from './broker-context.ts';
import type { BrokerStatusReport } from './broker-status.ts';
import { adminPort } from './config/spec.ts';
import { listening } from './listen-failure.ts';

const LIMITS: RpcServerLimits = {
  receiveMessageBytesMax: MIB,
  concurrentStreamsMax: 100,
  metadataBytesMax: 16 * 1024,
  connectionsMax: 1_000,
  connectionsPerAddressMax: 1_000,
  handshakeTimeoutMs: 10 * SECOND_MS,
};

/** Opens the port for operators: `orbitmq.admin.v1` and reflection. It has no authentication: its address protects it. */
export function openAdminPort(
  context: BrokerContext,
  parts: { readonly shard: OpenedShard; readonly messaging: MessagingService; readonly status: BrokerStatusReport },
): Promise<RpcServer> {
  const { config, configTexts, logger, lifecycle } = context;
  const methods = adminMethods({
    shard: parts.shard,
    clients: parts.messaging,
    endTransaction: (topic, half, end) => parts.messaging.endTransaction(topic, half, end),
    clock: systemClock,
    groupDefaults: { retryMaxTimes: MESSAGING_DEFAULTS.retryMaxTimes, retryPolicy: DEFAULT_RETRY_POLICY },
    status: () => parts.status.entries(),
    config: () => Object.entries(configTexts),
  });
  const port = adminPort(config);
  return listening('adminListenPort', port, () =>
    startRpcServer({
      host: config.adminBindAddress,
      port,
      methods: [...methods, ...reflectionMethods(methods)],
      tls: undefined,
      limits: LIMITS,
      logger: logger.child({ module: 'admin' }),
      onUnexpectedError: (error, path) => lifecycle.fatal(error, `an unexpected error in ${path} ends the process`),
    }),
  );
}
