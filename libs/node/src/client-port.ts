import { hostname } from 'node:os';
import { MIB, SECOND_MS, systemClock } from '@orbitmq/base';
import {
  type BoundMethod,
  type ConfiguredTls,
  HealthService,
  type RpcServer,
  type RpcServerLimits,
  reflectionMethods,
  resolveTlsIdentity,
  startRpcServer,
  type TlsIdentity,
  TlsRenewal,
} from '@orbitmq/rpc';
import { textFiles } from '@orbitmq/runtime';
import type { BrokerContext } from './broker-context.ts';
import type { BrokerConfig } from './config/spec.ts';
import { listening } from './listen-failure.ts';
import type { BrokerObservation } from './observation.ts';

const MESSAGING_SERVICE = 'apache.rocketmq.v2.MessagingService';

/** Opens the port for clients: the messaging service, health and reflection, in plain and over TLS. */
export async function openClientPort(
  context: BrokerContext,
  messaging: readonly BoundMethod[],
  observation: BrokerObservation,
): Promise<RpcServer> {
  const { config, logger, lifecycle, health } = context;
  const healthService = new HealthService([MESSAGING_SERVICE]);
  health.onChange((ready) => healthService.set(ready));
  const served = [...messaging, ...healthService.methods()];
  const methods = [...served, ...reflectionMethods(served)];
  const tls = await tlsIdentity(context);
  const server = await listening('listenPort', config.listenPort, () =>
    startRpcServer({
      host: config.bindAddress,
      port: config.listenPort,
      methods,
      tls,
      limits: limitsOf(config),
      engine: config.rpcEngine,
      onLimit: observation.onLimit,
      logger: logger.child({ module: 'rpc' }),
      onUnexpectedError: (error, path) => lifecycle.fatal(error, `an unexpected error in ${path} ends the process`),
      onCallEnd: observation.callEndListener(methods),
    }),
  );
  const configured = configuredTls(config);
  if (configured) {
    const use = (identity: TlsIdentity): void => server.setTlsIdentity(identity);
    const tlsLogger = logger.child({ module: 'tls' });
    await lifecycle.start(
      new TlsRenewal({ configured, identity: tls, files: textFiles, clock: systemClock, logger: tlsLogger, use }),
    );
  }
  return server;
}

function configuredTls({ tlsCertPath, tlsKeyPath }: BrokerConfig): ConfiguredTls | undefined {
  if (tlsCertPath === undefined || tlsKeyPath === undefined) return undefined;
  return { certificateFile: tlsCertPath, keyFile: tlsKeyPath };
}

function limitsOf(config: BrokerConfig): RpcServerLimits {
  return {
    // Batches are larger than one message, and what is too large is to get its own answer.
    receiveMessageBytesMax: 4 * config.maxMessageSize + MIB,
    concurrentStreamsMax: 1_000,
    metadataBytesMax: 16 * 1024,
    connectionsMax: config.maxConnections,
    connectionsPerAddressMax: config.maxConnectionsPerAddress,
    handshakeTimeoutMs: 10 * SECOND_MS,
  };
}

async function tlsIdentity({ config, logger }: BrokerContext): Promise<TlsIdentity> {
  const configured = configuredTls(config);
  const directory = `${config.storePathRootDir}/tls`;
  const own = { certificateFile: `${directory}/certificate.pem`, keyFile: `${directory}/key.pem` };
  const isKept = (await textFiles.read(own.certificateFile)) !== undefined;
  const names = [...new Set([config.brokerIP1, hostname(), 'localhost', '127.0.0.1', '::1'])];
  const identity = await resolveTlsIdentity({ configured, own, names, clock: systemClock }, textFiles);
  const source = configured
    ? 'configured'
    : isKept
      ? 'self-signed, kept from an earlier start'
      : 'self-signed, made now';
  logger.info(
    { module: 'tls', source, certificateFile: (configured ?? own).certificateFile },
    'the client port speaks TLS and plaintext',
  );
  return identity;
}
