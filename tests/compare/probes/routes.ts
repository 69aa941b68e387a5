import {
  AddressScheme,
  type Endpoints,
  type MessageQueue,
  MessageType,
  Permission,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import { nameIn } from '../answer.ts';
import type { Outcome } from '../outcome.ts';
import type { Probe } from '../probe.ts';
import { consumerSettings, endpointsOf, resource } from '../requests.ts';
import type { TopicWish } from '../targets.ts';
import type { World } from '../world.ts';
import { outcomesOf } from './cases.ts';

const TOPICS: Readonly<Record<string, TopicWish>> = {
  NORMAL: { type: 'NORMAL' },
  FIFO: { type: 'FIFO' },
  DELAY: { type: 'DELAY' },
  TRANSACTION: { type: 'TRANSACTION' },
  PRIORITY: { type: 'PRIORITY' },
  MIXED: { type: 'MIXED' },
  'read-only': { type: 'NORMAL', permission: 4 },
  'write-only': { type: 'NORMAL', permission: 2 },
  'neither-nor': { type: 'NORMAL', permission: 0 },
  'more-to-read': { type: 'NORMAL', readQueueCount: 4, writeQueueCount: 2 },
  'more-to-write': { type: 'NORMAL', readQueueCount: 2, writeQueueCount: 4 },
};

/** Endpoints that clients ask with. */
const ENDPOINTS: Readonly<Record<string, (address: string) => Endpoints | undefined>> = {
  'as the client was given': endpointsOf,
  none: () => undefined,
  'without an address': () => ({ scheme: AddressScheme.IPv4, addresses: [] }),
  'a host name': (address) => ({ scheme: AddressScheme.DOMAIN_NAME, addresses: [addressOf('localhost', address)] }),
  'two addresses': (address) => ({
    scheme: AddressScheme.IPv4,
    addresses: [addressOf('127.0.0.1', address), addressOf('127.0.0.2', address)],
  }),
  'without a scheme': (address) => ({
    scheme: AddressScheme.ADDRESS_SCHEME_UNSPECIFIED,
    addresses: [addressOf('127.0.0.1', address)],
  }),
};

function addressOf(host: string, address: string): { host: string; port: number } {
  return { host, port: endpointsOf(address).addresses[0]!.port };
}

function describeQueue(world: World, queue: MessageQueue): Outcome {
  const { broker, topic } = queue;
  const addresses = broker?.endpoints?.addresses.map(({ host, port }) => `${host}:${port}`);
  const types = queue.acceptMessageTypes.map((type) => nameIn(MessageType, type)).sort();
  return [
    `${topic?.resourceNamespace}/${world.withoutNames(topic?.name ?? 'none')} ${queue.id}`,
    nameIn(Permission, queue.permission),
    `broker ${broker?.name === world.target.brokerName ? '' : 'of another name '}${broker?.id}`,
    addresses?.join() === world.target.address ? 'at the address of the target' : 'elsewhere',
    nameIn(AddressScheme, broker?.endpoints?.scheme ?? 0),
    types.join(' '),
  ].join(', ');
}

function describeQueues(world: World, queues: readonly MessageQueue[]): Outcome {
  return queues.map((queue) => describeQueue(world, queue)).sort();
}

/** Routes to topics of each type, permission and number of queues. */
const routes: Probe = {
  id: 'route.contents',
  topics: TOPICS,
  run: (world) =>
    outcomesOf(TOPICS, async (_, key) => {
      const endpoints = endpointsOf(world.target.address);
      const request = { topic: resource(world.name(key)), endpoints };
      const { code, response } = await world.client().call('queryRoute', request);
      return { code, queues: describeQueues(world, response?.messageQueues ?? []) };
    }),
};

const namespace: Probe = {
  id: 'route.namespace',
  topics: { topic: { type: 'NORMAL', readQueueCount: 1, writeQueueCount: 1 } },
  run: async (world) => {
    const request = { topic: resource(world.name('topic'), 'space'), endpoints: endpointsOf(world.target.address) };
    const { code, response } = await world.client().call('queryRoute', request);
    return { code, queues: describeQueues(world, response?.messageQueues ?? []) };
  },
};

const endpoints: Probe = {
  id: 'route.endpoints-of-the-request',
  topics: { topic: { type: 'NORMAL', readQueueCount: 1, writeQueueCount: 1 } },
  run: (world) =>
    outcomesOf(ENDPOINTS, async (of) => {
      const request = { topic: resource(world.name('topic')), endpoints: of(world.target.address) };
      const { code, response } = await world.client().call('queryRoute', request);
      return { code, queues: describeQueues(world, response?.messageQueues ?? []) };
    }),
};

const ASSIGNED: Readonly<Record<string, TopicWish>> = {
  FIFO: { type: 'FIFO' },
  'read-only': { type: 'NORMAL', permission: 4 },
  'write-only': { type: 'NORMAL', permission: 2 },
  'more-to-read': { type: 'NORMAL', readQueueCount: 4, writeQueueCount: 2 },
};

/** Assignments to push consumers of ordinary and ordered groups. */
const assignments: Probe = {
  id: 'assignment.contents',
  topics: ASSIGNED,
  groups: { ordinary: {}, ordered: { isFifo: true }, closed: { isConsumable: false } },
  run: (world) =>
    outcomesOf({ ordinary: '', ordered: '', closed: '', new: '' }, async (_, group) => {
      return outcomesOf(ASSIGNED, async (__, key) => {
        const settings = consumerSettings(world.name(group), [world.name(key)]);
        const clientId = `client-host@1@${group}-${key}-${world.name('')}`;
        const client = await world.clientWith(settings, { clientId });
        const { code, response } = await client.call('queryAssignment', {
          topic: resource(world.name(key)),
          group: resource(world.name(group)),
          endpoints: endpointsOf(world.target.address),
        });
        const queues = response?.assignments.flatMap(({ messageQueue }) => messageQueue ?? []) ?? [];
        return { code, queues: describeQueues(world, queues) };
      });
    }),
};

const assignmentsWithoutSettings: Probe = {
  id: 'assignment.before-settings',
  topics: { topic: { type: 'NORMAL', readQueueCount: 1, writeQueueCount: 1 } },
  groups: { group: {} },
  run: async (world) => {
    const { code, response } = await world.client().call('queryAssignment', {
      topic: resource(world.name('topic'), 'space'),
      group: resource(world.name('group'), 'space'),
      endpoints: endpointsOf(world.target.address),
    });
    const queues = response?.assignments.flatMap(({ messageQueue }) => messageQueue ?? []) ?? [];
    return { code, queues: describeQueues(world, queues) };
  },
};

/** QueryRoute and QueryAssignment. */
export const routeProbes: readonly Probe[] = [routes, namespace, endpoints, assignments, assignmentsWithoutSettings];
