import type { Clock } from '@orbitmq/base';
import {
  BrokerAdminDefinition,
  type ConsumerProgressRequest,
  type ConsumerProgressResponse,
  type PutGroupRequest,
  type PutGroupResponse,
  type PutTopicRequest,
  type PutTopicResponse,
  type TopicStatusResponse,
} from '@orbitmq/protocol/orbitmq.admin.v1';
import { type BoundMethod, unary } from '@orbitmq/rpc';
import type { Shard } from '@orbitmq/shard';
import type { ClientDirectory } from './client-directory.ts';
import { consumersOf, producersOf, topicsSubscribed, wireClientOf } from './clients.ts';
import { drainOf, setDrain } from './drain.ts';
import { findMessages, readMessages, tellStory } from './find-messages.ts';
import { type GroupDefaults, groupConfigOf, wireGroupOf } from './group-request.ts';
import { brokerLiteInfo, liteClientInfo, liteGroupInfo, liteTopicInfo, parentTopicInfo } from './lite.ts';
import { groupNamed, noGroup, noTopic, topicNamed } from './lookup.ts';
import { setOffsets } from './offsets.ts';
import { pageOf } from './page.ts';
import { progressOnAll, progressOnLite, progressOnTopic } from './progress.ts';
import { redriveDeadLetters } from './redrive.ts';
import { cancelTimedMessages, listTimedMessages } from './timed-messages.ts';
import { topicConfigOf, wireTopicOf } from './topic-request.ts';
import { type EndTransaction, endTransaction, listTransactions } from './transactions.ts';

export interface AdminServiceOptions {
  readonly shard: Shard;
  readonly clients: ClientDirectory;
  readonly clock: Clock;
  readonly groupDefaults: GroupDefaults;
  readonly endTransaction: EndTransaction;
  /** Running state by the original's keys (`brokerVersionDesc`, `putTps`, …), as it is now. */
  status(): Iterable<readonly [string, string]>;
  /** The configuration in effect, secrets masked. */
  config(): Iterable<readonly [string, string]>;
}

/** `orbitmq.admin.v1.BrokerAdmin` over a shard. Refusals are MqErrors, which `rpc` turns into gRPC statuses. */
export function adminMethods(options: AdminServiceOptions): BoundMethod[] {
  const { shard, clients, clock } = options;
  const { metadata } = shard;
  return [
    unary(BrokerAdminDefinition, 'putTopic', (request) => putTopic(shard, request)),
    unary(BrokerAdminDefinition, 'deleteTopic', ({ name }) => deleteTopic(shard, name)),
    unary(BrokerAdminDefinition, 'getTopic', ({ name }) => ({ topic: wireTopicOf(topicNamed(shard, name)) })),
    unary(BrokerAdminDefinition, 'listTopics', (request) => {
      const { items, more } = pageOf(metadata.topics(), request);
      return { topics: items.map(wireTopicOf), more };
    }),
    unary(BrokerAdminDefinition, 'topicStatus', ({ name }) => topicStatus(shard, name)),
    unary(BrokerAdminDefinition, 'putGroup', (request) => putGroup(shard, request, options.groupDefaults)),
    unary(BrokerAdminDefinition, 'deleteGroup', ({ name }) => deleteGroup(shard, name)),
    unary(BrokerAdminDefinition, 'getGroup', ({ name }) => ({ group: wireGroupOf(groupNamed(shard, name)) })),
    unary(BrokerAdminDefinition, 'listGroups', (request) => {
      const { items, more } = pageOf(metadata.groups(), request);
      return { groups: items.map(wireGroupOf), more };
    }),
    unary(BrokerAdminDefinition, 'consumerProgress', (request) => consumerProgress(shard, clients, request)),
    unary(BrokerAdminDefinition, 'setOffsets', (request) => setOffsets(shard, request)),
    unary(BrokerAdminDefinition, 'redriveDeadLetters', (request) => redriveDeadLetters(shard, request)),
    unary(BrokerAdminDefinition, 'findMessages', (request) => findMessages(shard, request)),
    unary(BrokerAdminDefinition, 'readMessages', (request) => readMessages(shard, request)),
    unary(BrokerAdminDefinition, 'tellStory', (request) => tellStory(shard, request)),
    unary(BrokerAdminDefinition, 'listConsumers', ({ group }) => {
      const found = consumersOf(clients.connections(), group);
      return { clients: found.map((client) => wireClientOf(client, clock.monotonicMs())) };
    }),
    unary(BrokerAdminDefinition, 'listProducers', ({ topic }) => {
      const found = producersOf(clients.connections(), topic);
      return { clients: found.map((client) => wireClientOf(client, clock.monotonicMs())) };
    }),
    unary(BrokerAdminDefinition, 'brokerLiteInfo', () => brokerLiteInfo(shard, clients)),
    unary(BrokerAdminDefinition, 'parentTopicInfo', ({ topic }) => parentTopicInfo(shard, topic)),
    unary(BrokerAdminDefinition, 'liteTopicInfo', (request) => liteTopicInfo(shard, clients, request)),
    unary(BrokerAdminDefinition, 'liteClientInfo', (request) =>
      liteClientInfo(shard, clients, request, clock.monotonicMs()),
    ),
    unary(BrokerAdminDefinition, 'liteGroupInfo', (request) => liteGroupInfo(shard, request)),
    unary(BrokerAdminDefinition, 'listTimedMessages', ({ selection }) => listTimedMessages(shard, selection)),
    unary(BrokerAdminDefinition, 'cancelTimedMessages', ({ selection }) => cancelTimedMessages(shard, selection)),
    unary(BrokerAdminDefinition, 'listTransactions', (request) => listTransactions(shard, request)),
    unary(BrokerAdminDefinition, 'endTransaction', (request) => endTransaction(shard, request, options.endTransaction)),
    unary(BrokerAdminDefinition, 'setDrain', (request) => setDrain(shard, request, clock)),
    unary(BrokerAdminDefinition, 'getDrain', ({ readers }) => drainOf(shard, clients, readers, clock)),
    unary(BrokerAdminDefinition, 'brokerStatus', () => ({ entries: new Map(options.status()) })),
    unary(BrokerAdminDefinition, 'getConfig', () => ({ entries: new Map(options.config()) })),
  ];
}

async function putTopic(shard: Shard, request: PutTopicRequest): Promise<PutTopicResponse> {
  const existing = shard.metadata.topic(request.name);
  const topic = await shard.putTopic(topicConfigOf(request, existing));
  return { topic: wireTopicOf(topic), created: existing === undefined };
}

async function deleteTopic(shard: Shard, name: string): Promise<Record<string, never>> {
  if (await shard.deleteTopic(name)) return {};
  throw noTopic(name);
}

function topicStatus(shard: Shard, name: string): TopicStatusResponse {
  const topic = topicNamed(shard, name);
  const queues = topic.queues.map(({ id }) => {
    const { minOffset, maxOffset } = shard.queueRange(topic, id);
    return { queueId: id, minOffset: BigInt(minOffset), maxOffset: BigInt(maxOffset) };
  });
  return { queues };
}

async function putGroup(shard: Shard, request: PutGroupRequest, defaults: GroupDefaults): Promise<PutGroupResponse> {
  const existing = shard.metadata.group(request.name);
  const group = await shard.putGroup(groupConfigOf(request, existing, defaults));
  return { group: wireGroupOf(group), created: existing === undefined };
}

async function deleteGroup(shard: Shard, name: string): Promise<Record<string, never>> {
  if (await shard.deleteGroup(name)) return {};
  throw noGroup(name);
}

function consumerProgress(
  shard: Shard,
  clients: ClientDirectory,
  request: ConsumerProgressRequest,
): ConsumerProgressResponse {
  const group = groupNamed(shard, request.group);
  if (request.topic !== '') return { queues: progressOnTopic(shard, group, topicNamed(shard, request.topic)) };
  const lite = progressOnLite(shard, group);
  if (lite.length > 0) return { queues: lite };
  return { queues: progressOnAll(shard, group, topicsSubscribed(clients.connections(), group.name)) };
}
