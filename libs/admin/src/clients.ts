import { ClientType } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Client } from '@orbitmq/protocol/orbitmq.admin.v1';
import type { ConnectedClient } from './client-directory.ts';

const TYPE_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(ClientType).map(([name, number]) => [number, name]),
);

/** Consumers of a group. */
export function consumersOf(clients: readonly ConnectedClient[], group: string): ConnectedClient[] {
  return clients.filter((client) => client.group === group);
}

/** Producers that have told this topic; of all topics when it is empty. */
export function producersOf(clients: readonly ConnectedClient[], topic: string): ConnectedClient[] {
  const producers = clients.filter(({ clientType }) => clientType === ClientType.PRODUCER);
  return topic === '' ? producers : producers.filter(({ topics }) => topics.some((told) => told.topic === topic));
}

/** Topics that the consumers of a group subscribe to. */
export function topicsSubscribed(clients: readonly ConnectedClient[], group: string): Set<string> {
  return new Set(consumersOf(clients, group).flatMap(({ topics }) => topics.map(({ topic }) => topic)));
}

/** A client as operators see it. */
export function wireClientOf(client: ConnectedClient, nowMs: number): Client {
  const isProducer = client.clientType === ClientType.PRODUCER;
  const subscriptions = client.topics.map(({ topic, expression }) => ({ topic, expression: expression ?? '*' }));
  return {
    clientId: client.clientId,
    language: client.language,
    version: client.version,
    clientType: TYPE_NAMES.get(client.clientType) ?? 'CLIENT_TYPE_UNSPECIFIED',
    subscriptions: isProducer ? [] : subscriptions,
    topics: isProducer ? client.topics.map(({ topic }) => topic) : [],
    silentMs: BigInt(Math.max(0, Math.round(nowMs - client.lastSeenMs))),
  };
}
