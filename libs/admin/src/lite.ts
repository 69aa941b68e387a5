import { MqError, quoted } from '@orbitmq/base';
import { LITE_EXPIRATION_ATTRIBUTE, liteGroupOf } from '@orbitmq/protocol';
import type {
  BrokerLiteInfoResponse,
  LiteClientInfoRequest,
  LiteClientInfoResponse,
  LiteGroupInfoRequest,
  LiteGroupInfoResponse,
  LiteSubscriber,
  LiteTopicInfoRequest,
  LiteTopicInfoResponse,
  ParentTopicInfoResponse,
} from '@orbitmq/protocol/orbitmq.admin.v1';
import type { Shard } from '@orbitmq/shard';
import type { Group, Topic } from '@orbitmq/views';
import type { ClientDirectory } from './client-directory.ts';
import { groupNamed, topicNamed } from './lookup.ts';
import { wireProgressOf } from './progress.ts';

const NAMED_MAX = 10_000;
const TOP_MAX = 1_000;

/** What there is of lite topics on this broker. */
export function brokerLiteInfo(shard: Shard, clients: ClientDirectory): BrokerLiteInfoResponse {
  const parents = [...shard.metadata.topics()].filter(({ messageType }) => messageType === 'LITE');
  parents.sort((left, right) => (left.name < right.name ? -1 : 1));
  return {
    liteTopicCount: BigInt(shard.liteTopicCount()),
    subscriptionCount: BigInt(shard.liteSubscriptionCount),
    clientCount: BigInt(clients.liteReaders().length),
    topics: parents.map((topic) => parentInfoOf(shard, topic)),
  };
}

/** @throws MqError TOPIC_NOT_FOUND, BAD_REQUEST when it is not of type LITE */
export function parentTopicInfo(shard: Shard, name: string): ParentTopicInfoResponse {
  return parentInfoOf(shard, parentNamed(shard, name));
}

/** @throws MqError TOPIC_NOT_FOUND, BAD_REQUEST */
export function liteTopicInfo(
  shard: Shard,
  clients: ClientDirectory,
  { topic: name, liteTopic }: LiteTopicInfoRequest,
): LiteTopicInfoResponse {
  const topic = parentNamed(shard, name);
  const found = shard.liteTopic(topic, liteTopic);
  const subscribers = new Map<string, LiteSubscriber>();
  for (const { clientId, group, topic: read, liteTopics, isWildcard } of clients.liteReaders()) {
    if (read !== name || (!isWildcard && !liteTopics.has(liteTopic))) continue;
    const shown = isWildcard ? '*' : clientId;
    subscribers.set(`${group} ${shown}`, { group, clientId: shown });
  }
  return {
    state: found && {
      minOffset: BigInt(found.minOffset),
      maxOffset: BigInt(found.maxOffset),
      lastSentMs: BigInt(found.lastSentMs),
    },
    subscribers: [...subscribers.values()],
  };
}

/** @throws MqError TOPIC_NOT_FOUND, CONSUMER_GROUP_NOT_FOUND, BAD_REQUEST when they do not belong together */
export function liteClientInfo(
  shard: Shard,
  clients: ClientDirectory,
  request: LiteClientInfoRequest,
  nowMs: number,
): LiteClientInfoResponse {
  const { topic, clientId, limit } = request;
  parentNamed(shard, topic);
  const { group } = boundGroup(shard, request.group);
  checkLimit('limit', limit, NAMED_MAX);
  const found = clients.liteReaders().find((reader) => reader.clientId === clientId && reader.group === group.name);
  if (!found) return { liteTopicCount: -1n, liteTopics: [], refreshedAgoMs: 0n };
  return {
    liteTopicCount: BigInt(found.liteTopics.size),
    liteTopics: [...found.liteTopics].sort().slice(0, limit),
    refreshedAgoMs: BigInt(Math.max(0, Math.round(nowMs - found.refreshedMs))),
  };
}

/** @throws MqError CONSUMER_GROUP_NOT_FOUND, TOPIC_NOT_FOUND, BAD_REQUEST when it reads no lite topics */
export function liteGroupInfo(shard: Shard, request: LiteGroupInfoRequest): LiteGroupInfoResponse {
  const { group, topic } = boundGroup(shard, request.group);
  checkLimit('top', request.top, TOP_MAX);
  if (request.liteTopic !== '') {
    const progress = shard.liteProgress(group, topic, request.liteTopic);
    const wire = progress && wireProgressOf(topic.name, progress);
    return {
      topic: topic.name,
      lagCount: wire?.lag ?? 0n,
      inflightCount: wire?.inflightCount ?? 0n,
      liteTopicCount: progress ? 1n : 0n,
      top: [],
      progress: wire,
    };
  }
  const lag = shard.liteLag(group, topic, request.top);
  return {
    topic: topic.name,
    lagCount: BigInt(lag.lagCount),
    inflightCount: BigInt(lag.inflightCount),
    liteTopicCount: BigInt(lag.liteTopicCount),
    top: lag.top.map(({ liteTopic, lagCount }) => ({ liteTopic, lagCount: BigInt(lagCount) })),
    progress: undefined,
  };
}

function parentInfoOf(shard: Shard, topic: Topic): ParentTopicInfoResponse {
  const groups = [...shard.metadata.groups()].filter(
    ({ attributes }) => liteGroupOf(attributes)?.bindTopic === topic.name,
  );
  return {
    topic: topic.name,
    expirationMinutes: Number(topic.attributes.get(LITE_EXPIRATION_ATTRIBUTE) ?? -1),
    liteTopicCount: BigInt(shard.liteTopicCount(topic)),
    groups: groups.map(({ name }) => name).sort(),
  };
}

function parentNamed(shard: Shard, name: string): Topic {
  const topic = topicNamed(shard, name);
  if (topic.messageType === 'LITE') return topic;
  throw new MqError(
    'BAD_REQUEST',
    `lite topics belong to a topic of type LITE; found that ${quoted(name)} is of type ${topic.messageType}; name another one`,
  );
}

function boundGroup(shard: Shard, name: string): { group: Group; topic: Topic } {
  const group = groupNamed(shard, name);
  const rules = liteGroupOf(group.attributes);
  if (rules) return { group, topic: parentNamed(shard, rules.bindTopic) };
  throw new MqError(
    'BAD_REQUEST',
    `a group that reads lite topics is bound to their parent; found that ${quoted(name)} is not; name another one, or bind it with updateSubGroup --attributes +lite.bind.topic=…`,
  );
}

function checkLimit(field: string, value: number, max: number): void {
  if (value >= 0 && value <= max) return;
  throw new MqError('BAD_REQUEST', `${field} is ${value}; it must be 0…${max}`);
}
