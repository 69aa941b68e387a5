import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { KIB, MIB, SECOND_MS, systemClock } from '@orbitmq/base';
import { MessagingServiceDefinition } from '@orbitmq/protocol/apache.rocketmq.v2';
import { Relay } from '@orbitmq/relay';
import { RouteLookup, RouteTable } from '@orbitmq/routing';
import {
  type ConfiguredTls,
  configuredLimits,
  configuredPages,
  HealthService,
  limitMetrics,
  type RpcServer,
  reflectionMethods,
  resolveTlsIdentity,
  startRpcServer,
  type TlsFiles,
  type TlsIdentity,
  TlsRenewal,
} from '@orbitmq/rpc';
import { createMetrics, listening, ObservationServer, type ServiceContext, textFiles } from '@orbitmq/runtime';
import { clusterAddressesOf, hostAddresses } from './addresses.ts';
import type { NameServerConfig, nameServerConfigSpec } from './config.ts';
import { Expiry } from './expiry.ts';
import { observeCalls, observeConnections, observeRoutes } from './metrics.ts';
import { routeMethods } from './route-service.ts';

type Context = ServiceContext<(typeof nameServerConfigSpec)['keys']>;

/** Questions for unknown topics wait so long after a start; brokers are back within a second. */
const WARM_UP_MS = 1500;
const SERIES_MAX = 1000;

/** Opens a name server: routes and their port, the relay and its port, and what operators look at. */
export async function composeNameServer(context: Context): Promise<void> {
  const { config, logger, health, lifecycle } = context;
  const clock = systemClock;
  const metrics = createMetrics({
    commonLabels: { cluster: '', node_type: 'namesrv', node_id: hostname() },
    seriesMax: SERIES_MAX,
    processMetrics: true,
  });
  const observation = {
    host: config.metricsPromExporterHost,
    port: config.metricsPromExporterPort,
    logger: logger.child({ module: 'observation' }),
  };
  const pages = new ObservationServer({ ...observation, health, metrics });
  await listening('metricsPromExporterPort', observation.port, () => lifecycle.start(pages));

  const table = new RouteTable({
    silenceMs: config.brokerNotActiveTimeoutMillis,
    graceMs: config.brokerReconnectMillis,
    brokerCountMax: config.maxBrokers,
  });
  const lookup = new RouteLookup(table, clock, warmUpMs(context));
  observeRoutes(metrics, table);
  await lifecycle.start(new Expiry(table, clock, logger.child({ module: 'routing' })));

  const limits = configuredLimits(config);
  const onLimit = limitMetrics(metrics);
  let dialledPort = config.grpcServerPort;
  const relay = new Relay({
    table,
    lookup,
    clock,
    logger: logger.child({ module: 'relay' }),
    answerBytesMax: Math.max(limits.receiveMessageBytesMax, ANSWER_BYTES_MIN),
    engine: config.rpcEngine,
    access: {
      mode: config.routeMode,
      clusterAddresses: clusterAddressesOf(config.clusterAddresses),
      hostName: hostname(),
      hostAddresses: hostAddresses(clock),
      clientPort: () => dialledPort,
    },
  });
  await lifecycle.start(relay);

  const nameServerId = `${hostname()}:${config.listenPort}/${randomUUID()}`;
  const routes = routeMethods({ table, lookup, clock, logger: logger.child({ module: 'routing' }), nameServerId });
  const onUnexpectedError = (error: unknown, path: string): void =>
    lifecycle.fatal(error, `a call of ${path} met an unexpected error`);
  const server = { host: config.bindAddress, onUnexpectedError, clock };

  const healthService = new HealthService([MessagingServiceDefinition.fullName]);
  health.onChange((ready) => healthService.set(ready));
  const clientMethods = [...relay.methods, ...healthService.methods()];
  const tls = await tlsIdentity(context);
  const clientPort = await lifecycle.open(
    'client port',
    () =>
      listening('grpcServerPort', config.grpcServerPort, () =>
        startRpcServer({
          ...server,
          port: config.grpcServerPort,
          methods: [...clientMethods, ...reflectionMethods(clientMethods)],
          tls,
          limits,
          http1: configuredPages(config, { health, metrics, logger: logger.child({ module: 'http' }) }),
          engine: config.rpcEngine,
          onLimit: onLimit('client'),
          logger: logger.child({ module: 'rpc' }),
          onCallEnd: observeCalls(metrics),
        }),
      ),
    stopServer,
  );
  dialledPort = clientPort.port;
  observeConnections(metrics, clientPort);
  const configured = configuredTls(config);
  if (configured) {
    const use = (identity: TlsIdentity): void => clientPort.setTlsIdentity(identity);
    const tlsLogger = logger.child({ module: 'tls' });
    await lifecycle.start(
      new TlsRenewal({ configured, identity: tls, files: textFiles, clock, logger: tlsLogger, use }),
    );
  }

  const routePort = await lifecycle.open(
    'route port',
    () =>
      listening('listenPort', config.listenPort, () =>
        startRpcServer({
          ...server,
          port: config.listenPort,
          methods: [...routes, ...reflectionMethods(routes)],
          tls: undefined,
          limits: ROUTE_LIMITS,
          onLimit: onLimit('route'),
          logger: logger.child({ module: 'rpc' }),
        }),
      ),
    stopServer,
  );
  logger.info({ routePort: routePort.port, clientPort: clientPort.port }, 'name server listens');
}

/** Registrations come in chunks of 1,000 topics, on streams that are meant to last. What clients are allowed (`grpc…`) does not hold here. */
const ROUTE_LIMITS = {
  receiveMessageBytesMax: 4 * MIB,
  concurrentStreamsMax: 1000,
  connectionsMax: 10_000,
  connectionsPerAddressMax: 2000,
  handshakeTimeoutMs: 10_000,
  metadataBytesMax: 16 * KIB,
};

/** What a broker has taken can be received here, also where it is configured to take more than this name server passes on. */
const ANSWER_BYTES_MIN = 64 * MIB;

function stopServer(server: RpcServer, deadlineMs: number): Promise<void> {
  return server.stop(deadlineMs / 2);
}

function warmUpMs({ config, health, lifecycle }: Context): number {
  if (!config.needWaitForService) return WARM_UP_MS;
  const waitMs = config.waitSecondsForService * SECOND_MS;
  health.hold('warm-up', `waiting ${config.waitSecondsForService} s for brokers to register (needWaitForService)`);
  const timer = systemClock.setTimer(waitMs, () => health.clear('warm-up'));
  void lifecycle.open(
    'warm-up',
    () => timer,
    (started) => started.cancel(),
  );
  return waitMs;
}

function tlsIdentity({ config, logger }: Context): Promise<TlsIdentity> {
  const configured = configuredTls(config);
  if (!configured) logger.info({}, 'TLS on the client port uses a self-signed pair, made now and kept in memory only');
  return resolveTlsIdentity(
    {
      configured,
      own: { certificateFile: 'certificate', keyFile: 'key' },
      names: ['localhost', '127.0.0.1', '::1', hostname()],
      clock: systemClock,
    },
    configured ? textFiles : memoryFiles(),
  );
}

function configuredTls({ tlsCertPath, tlsKeyPath }: NameServerConfig): ConfiguredTls | undefined {
  if (tlsCertPath === undefined || tlsKeyPath === undefined) return undefined;
  return { certificateFile: tlsCertPath, keyFile: tlsKeyPath };
}

/** A name server keeps nothing on disk. */
function memoryFiles(): TlsFiles {
  const texts = new Map<string, string>();
  return {
    read: async (path) => texts.get(path),
    write: async (path, text) => {
      texts.set(path, text);
    },
  };
}
