import { MqError, quoted } from '@orbitmq/base';
import type { Shard } from '@orbitmq/shard';
import type { Group, Topic } from '@orbitmq/views';

/** @throws MqError TOPIC_NOT_FOUND */
export function topicNamed(shard: Shard, name: string): Topic {
  const topic = shard.metadata.topic(name);
  if (!topic) throw noTopic(name);
  return topic;
}

/** @throws MqError CONSUMER_GROUP_NOT_FOUND */
export function groupNamed(shard: Shard, name: string): Group {
  const group = shard.metadata.group(name);
  if (!group) throw noGroup(name);
  return group;
}

export function noTopic(name: string): MqError {
  return new MqError(
    'TOPIC_NOT_FOUND',
    `this broker has no topic ${quoted(name)}; topicList shows those that are there`,
  );
}

export function noGroup(name: string): MqError {
  return new MqError(
    'CONSUMER_GROUP_NOT_FOUND',
    `this broker has no consumer group ${quoted(name)}; consumerProgress shows those that are there`,
  );
}
