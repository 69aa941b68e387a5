import { hostname } from 'node:os';
import { systemClock } from '@orbitmq/base';
import {
  type BoundMethod,
  type ConfiguredTls,
  configuredLimits,
  configuredPages,
  HealthService,
  type RpcServer,
  reflectionMethods,
  resolveTlsIdentity,
  startRpcServer,
  type TlsIdentity,
  TlsRenewal,
} from '@orbitmq/rpc';
import { listening, textFiles } from '@orbitmq/runtime';
import type { BrokerContext } from './broker-context.ts';
import type { BrokerConfig } from './config/spec.ts';
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
      limits: configuredLimits(config),
      http1: configuredPages(config, {
        health,
        metrics: observation.metrics,
        logger: logger.child({ module: 'http' }),
      }),
      engine: config.rpcEngine,
      onLimit: observation.onLimit('client'),
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
