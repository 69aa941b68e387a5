import { MIB } from '@orbitmq/base';
import { type BoundMethod, configuredLimits, type RpcServer, reflectionMethods, startRpcServer } from '@orbitmq/rpc';
import { listening } from '@orbitmq/runtime';
import type { BrokerContext } from './broker-context.ts';
import { adminPort } from './config/spec.ts';
import type { BrokerObservation } from './observation.ts';

/** What operators need is not what clients do. */
const LIMITS = {
  receiveMessageBytesMax: MIB,
  concurrentStreamsMax: 100,
  connectionsMax: 1_000,
  connectionsPerAddressMax: 1_000,
};

/** Opens the port for operators: `orbitmq.admin.v1` and reflection. It has no authentication: its address protects it. */
export function openAdminPort(
  context: BrokerContext,
  methods: readonly BoundMethod[],
  observation: BrokerObservation,
): Promise<RpcServer> {
  const { config, logger, lifecycle } = context;
  const port = adminPort(config);
  return listening('adminListenPort', port, () =>
    startRpcServer({
      host: config.adminBindAddress,
      port,
      methods: [...methods, ...reflectionMethods(methods)],
      tls: undefined,
      limits: { ...configuredLimits(config), ...LIMITS },
      onLimit: observation.onLimit('admin'),
      logger: logger.child({ module: 'admin' }),
      onUnexpectedError: (error, path) => lifecycle.fatal(error, `an unexpected error in ${path} ends the process`),
    }),
  );
}
