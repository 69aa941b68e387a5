import { HOUR_MS, SECOND_MS, systemClock, systemRandom } from '@orbitmq/base';
import { BrokerRegistration, NameServers, RouteClient } from '@orbitmq/client';
import {
  createMessagingService,
  MESSAGING_DEFAULTS,
  type MessagingService,
  MisdirectedCalls,
  ownRoutes,
  type RouteSource,
} from '@orbitmq/messaging';
import { ObservationServer, textFiles, VERSION } from '@orbitmq/runtime';
import type { OpenedShard } from '@orbitmq/shard';
import { openAdminPort } from './admin-port.ts';
import type { BrokerContext } from './broker-context.ts';
import { BrokerStatusReport } from './broker-status.ts';
import { openClientPort } from './client-port.ts';
import type { BrokerConfig } from './config/spec.ts';
import { addressOf } from './endpoints.ts';
import { nextIncarnation } from './incarnation.ts';
import { listening } from './listen-failure.ts';
import { BrokerObservation } from './observation.ts';
import { openData } from './open-data.ts';
import { registrationSource } from './registration-source.ts';
import { clusterRoutes } from './route-source.ts';

/**
 * A broker from bottom to top: observation port, shard over the log, messaging, client port, admin port, registration.
 * It stops in reverse: taken out of the routes first, observed to the last.
 */
export async function composeBroker(context: BrokerContext): Promise<void> {
  const { config, lifecycle, logger, health } = context;
  const startedMs = systemClock.wallMs();
  const observation = new BrokerObservation(config);
  const observationServer = new ObservationServer({
    host: config.metricsPromExporterHost,
    port: config.metricsPromExporterPort,
    health,
    metrics: observation.metrics,
    logger: logger.child({ module: 'http' }),
  });
  await listening('metricsPromExporterPort', config.metricsPromExporterPort, () => lifecycle.start(observationServer));

  const shard = await lifecycle.open(
    'shard',
    () => openData(context),
    (opened) => opened.close(),
  );
  observation.shard = shard;

  const nameServers = await lifecycle.open(
    'connections to name servers',
    () => new NameServers({ addresses: config.namesrvAddr }),
    (opened) => opened.close(),
  );
  const routes = routesOf(config, shard, nameServers);
  const messaging = await lifecycle.open(
    'messaging',
    () => openMessaging(context, shard, routes, observation),
    (opened) => opened.stop(),
  );
  observation.messaging = messaging;

  const misdirected = await lifecycle.open(
    'ways to other brokers',
    () =>
      new MisdirectedCalls({
        brokerName: config.brokerName,
        routes,
        clock: systemClock,
        events: observation.messagingEvents,
      }),
    (opened) => opened.stop(),
  );
  const clientPort = await lifecycle.open(
    'client port',
    () => openClientPort(context, misdirected.wrap(messaging.methods), observation),
    (opened, deadlineMs) => opened.stop(deadlineMs / 2),
  );
  observation.clientPort = clientPort;

  const status = new BrokerStatusReport(shard, startedMs);
  await lifecycle.open(
    'status',
    () => status.start(),
    () => status.stop(),
  );
  const admin = await lifecycle.open(
    'admin port',
    () => openAdminPort(context, { shard, messaging, status }),
    (opened, deadlineMs) => opened.stop(deadlineMs / 4),
  );
  const adminHost = config.adminBindAddress === '0.0.0.0' ? config.brokerIP1 : config.adminBindAddress;
  const registration = new BrokerRegistration({
    nameServers,
    source: registrationSource(config, {
      metadata: shard.metadata,
      epoch: shard.epoch,
      incarnation: await nextIncarnation(config.storePathRootDir, startedMs, textFiles, logger),
      clientPort: clientPort.port,
      adminAddress: addressOf(adminHost, admin.port),
      version: VERSION,
    }),
    clock: systemClock,
    logger: logger.child({ module: 'registration' }),
  });
  await lifecycle.start(registration);
  shard.onMetadataChange(() => registration.changed());
  logServing(context, clientPort.port);
}

function openMessaging(
  context: BrokerContext,
  shard: OpenedShard,
  routes: RouteSource,
  observation: BrokerObservation,
): MessagingService {
  const { config, logger } = context;
  const service = createMessagingService({
    shard,
    routes,
    clock: systemClock,
    random: systemRandom,
    logger: logger.child({ module: 'messaging' }),
    config: {
      ...MESSAGING_DEFAULTS,
      brokerName: config.brokerName,
      storeHost: addressOf(config.brokerIP1, config.listenPort),
      brokerPermission: config.brokerPermission,
      autoCreateTopicEnable: config.autoCreateTopicEnable,
      autoCreateSubscriptionGroup: config.autoCreateSubscriptionGroup,
      enablePropertyFilter: config.enablePropertyFilter,
      refuseDifferentSubscriptions: config.refuseDifferentSubscriptions,
      recallMessageEnable: config.recallMessageEnable,
      defaultTopicQueueNums: config.defaultTopicQueueNums,
      transactions: {
        reject: config.rejectTransactionMessage,
        timeOutMs: config.transactionTimeOut,
        checkIntervalMs: config.transactionCheckInterval,
        checkMax: config.transactionCheckMax,
        ageMaxMs: config.transactionOpenHoursMax * HOUR_MS,
      },
      messageLimits: {
        ...MESSAGING_DEFAULTS.messageLimits,
        bodyBytesMax: config.maxMessageSize,
        deliveryDelayMsMax:
          config.timerMaxDelaySec === 0 ? Number.POSITIVE_INFINITY : config.timerMaxDelaySec * SECOND_MS,
      },
    },
    events: observation.messagingEvents,
  });
  service.start();
  return service;
}

function routesOf(config: BrokerConfig, shard: OpenedShard, nameServers: NameServers): RouteSource {
  const { metadata } = shard;
  const { brokerName, autoCreateTopicEnable, defaultTopicQueueNums } = config;
  const own = ownRoutes({
    metadata,
    brokerName,
    host: config.brokerIP1,
    port: config.listenPort,
    autoCreateTopicEnable,
    defaultTopicQueueNums,
  });
  if (config.namesrvAddr.length === 0) return own;
  return clusterRoutes({ client: new RouteClient({ nameServers, clock: systemClock }), own, metadata, brokerName });
}

function logServing({ config, logger }: BrokerContext, port: number): void {
  const fields = {
    brokerName: config.brokerName,
    endpoint: addressOf(config.brokerIP1, port),
    nameServers: config.namesrvAddr,
  };
  logger.info(fields, 'serving');
  if (config.namesrvAddr.length === 0) {
    logger.warn({ module: 'registration' }, 'namesrvAddr is empty: clients find this broker only by its own address');
  }
}
