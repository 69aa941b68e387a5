import { HOUR_MS, SECOND_MS, systemClock, systemRandom } from '@orbitmq/base';
import { type NameServers, RouteClient } from '@orbitmq/client';
import {
  createMessagingService,
  MESSAGING_DEFAULTS,
  type MessagingService,
  ownRoutes,
  type RouteSource,
} from '@orbitmq/messaging';
import type { OpenedShard } from '@orbitmq/shard';
import type { BrokerContext } from './broker-context.ts';
import type { BrokerConfig } from './config/spec.ts';
import { addressOf } from './endpoints.ts';
import type { BrokerObservation } from './observation.ts';
import { clusterRoutes } from './route-source.ts';

/** Starts the messaging service over a shard, as the broker is configured. */
export function openMessaging(
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
        liteTopicLengthMax: config.maxLiteTopicSize,
        deliveryDelayMsMax:
          config.timerMaxDelaySec === 0 ? Number.POSITIVE_INFINITY : config.timerMaxDelaySec * SECOND_MS,
      },
      limits: {
        ...MESSAGING_DEFAULTS.limits,
        liteSubscriptionsMax: config.maxLiteSubscriptionCount,
        liteRenewedPerClientMax: config.maxLiteRenewNumPerChannel,
      },
      times: {
        ...MESSAGING_DEFAULTS.times,
        liteSubscriptionTimeoutMs: config.liteSubscriptionCheckTimeoutMills,
        liteSubscriptionCheckMs: config.liteSubscriptionCheckInterval,
      },
    },
    events: observation.messagingEvents,
  });
  service.start();
  return service;
}

/** Routes for the clients of this broker: those of the cluster, or its own where it is alone. */
export function routesOf(config: BrokerConfig, shard: OpenedShard, nameServers: NameServers): RouteSource {
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
