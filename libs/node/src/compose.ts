import { systemClock } from '@orbitmq/base';
import { BrokerRegistration, NameServers } from '@orbitmq/client';
import { MisdirectedCalls } from '@orbitmq/messaging';
import { ObservationServer, textFiles, VERSION } from '@orbitmq/runtime';
import { openAdminPort } from './admin-port.ts';
import type { BrokerContext } from './broker-context.ts';
import { BrokerStatusReport } from './broker-status.ts';
import { openClientPort } from './client-port.ts';
import { addressOf } from './endpoints.ts';
import { nextIncarnation } from './incarnation.ts';
import { listening } from './listen-failure.ts';
import { BrokerObservation } from './observation.ts';
import { openData } from './open-data.ts';
import { openMessaging, routesOf } from './open-messaging.ts';
import { registrationSource } from './registration-source.ts';

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
