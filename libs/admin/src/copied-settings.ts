import type { Group as WireGroup, Topic as WireTopic } from '@orbitmq/protocol/orbitmq.admin.v1';
import type { GroupConfig, TopicConfig } from '@orbitmq/views';
import { type GroupDefaults, groupConfigOf } from './group-request.ts';
import { topicConfigOf } from './topic-request.ts';

/**
 * A topic as another broker has it, to be made here.
 * @throws MqError as `putTopic` does, for what a later version brings
 */
export function copiedTopicOf(topic: WireTopic): TopicConfig {
  const { name, readQueueCount, writeQueueCount, permission, attributes, autoCreated } = topic;
  const counts = { readQueueCount, writeQueueCount, permission };
  const config = topicConfigOf({ name, ...counts, attributesPut: attributes, attributesRemoved: [] }, undefined);
  return { ...config, autoCreated };
}

/**
 * A group as another broker has it, to be made here.
 * @throws MqError as `putGroup` does, for what a later version brings
 */
export function copiedGroupOf(group: WireGroup, defaults: GroupDefaults): GroupConfig {
  const { name, consumeEnable, consumeMessageOrderly, retryMaxTimes, retryPolicy, attributes, autoCreated } = group;
  const rules = { consumeEnable, consumeMessageOrderly, retryMaxTimes, retryPolicy };
  const request = { name, ...rules, attributesPut: attributes, attributesRemoved: [] };
  return { ...groupConfigOf(request, undefined, defaults), autoCreated };
}
