import { MIB, SECOND_MS } from '@orbitmq/base';
import {
  type BoundMethod,
  type RpcServer,
  type RpcServerLimits,
  reflectionMethods,
  startRpcServer,
} from '@orbitmq/rpc';
import type { BrokerContext } from './broker-context.ts';
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
export function openAdminPort(context: BrokerContext, methods: readonly BoundMethod[]): Promise<RpcServer> {
  const { config, logger, lifecycle } = context;
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
