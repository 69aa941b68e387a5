import { MqError } from '@orbitmq/base';
import type { RouteClient } from '@orbitmq/client';
import type { RouteSource } from '@orbitmq/messaging';
import type { MessageQueue } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Metadata } from '@orbitmq/views';

/**
 * Routes as the name servers know them, so that a broker answers for the whole cluster. What this broker knows of
 * itself counts at once: a topic that was just made here, or all its topics while no name server answers.
 */
export function clusterRoutes(options: {
  readonly client: RouteClient;
  readonly own: RouteSource;
  readonly metadata: Metadata;
  readonly brokerName: string;
}): RouteSource {
  const { client, own, metadata, brokerName } = options;
  return {
    async routeOf(topicName) {
      const route = await askedRoute(client, topicName);
      if (route === undefined) return own.routeOf(topicName);
      const isOurs = metadata.topic(topicName) !== undefined;
      if (!route.exists) {
        if (isOurs) return own.routeOf(topicName);
        return route.queues.length > 0 ? [...route.queues] : undefined;
      }
      if (!isOurs || route.queues.some(({ broker }) => broker?.name === brokerName)) return [...route.queues];
      return [...route.queues, ...((await own.routeOf(topicName)) ?? [])];
    },
  };
}

async function askedRoute(
  client: RouteClient,
  topicName: string,
): Promise<{ readonly exists: boolean; readonly queues: readonly MessageQueue[] } | undefined> {
  try {
    return await client.routeOf(topicName);
  } catch (error) {
    if (error instanceof MqError) return undefined;
    throw error;
  }
}
