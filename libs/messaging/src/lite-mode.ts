import { MqError, quoted } from '@orbitmq/base';
import { type LiteGroup, liteGroupOf } from '@orbitmq/protocol';
import { ClientType, type Settings } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Group, Topic } from '@orbitmq/views';

/** Whether clients of this type read lite topics. */
export function isLiteClient(clientType: ClientType | undefined): boolean {
  return clientType === ClientType.LITE_PUSH_CONSUMER || clientType === ClientType.LITE_SIMPLE_CONSUMER;
}

/** How a group reads lite topics; undefined when it reads none, or is not there. */
export function liteRulesOf(group: Group | undefined): LiteGroup | undefined {
  return group && liteGroupOf(group.attributes);
}

/**
 * A group reads either lite topics or whole topics, and so do its clients.
 * @param group undefined while there is none of this name
 * @throws MqError ILLEGAL_CONSUMER_GROUP, ILLEGAL_TOPIC
 */
export function checkLiteMode(groupName: string, group: Group | undefined, settings: Settings): void {
  const rules = liteRulesOf(group);
  if (!isLiteClient(settings.clientType)) {
    if (!rules) return;
    throw new MqError(
      'ILLEGAL_CONSUMER_GROUP',
      `the consumer group ${quoted(groupName)} reads lite topics of ${quoted(rules.bindTopic)}; found a consumer of whole topics; use a lite consumer, or another group`,
    );
  }
  if (!rules) throw readsNoLiteTopics(groupName);
  const topicName = settings.subscription?.subscriptions[0]?.topic?.name;
  if (topicName !== undefined) checkBoundTopic(groupName, rules, topicName);
}

/** @throws MqError ILLEGAL_TOPIC */
export function checkBoundTopic(groupName: string, { bindTopic }: LiteGroup, topicName: string): void {
  if (bindTopic === topicName) return;
  throw new MqError(
    'ILLEGAL_TOPIC',
    `the consumer group ${quoted(groupName)} reads lite topics of ${quoted(bindTopic)}; found the topic ${quoted(topicName)}; name the topic of the group, or use another group`,
  );
}

/**
 * Makes sure that a topic and a group fit: lite topics are read by groups that are bound to their parent, and by no other.
 * @throws MqError ILLEGAL_TOPIC, ILLEGAL_CONSUMER_GROUP
 */
export function checkFitting(topic: Topic, groupName: string, rules: LiteGroup | undefined): void {
  const isLite = topic.messageType === 'LITE';
  if (isLite === (rules !== undefined)) return;
  throw isLite
    ? readsNoLiteTopics(groupName)
    : new MqError(
        'ILLEGAL_TOPIC',
        `the consumer group ${quoted(groupName)} reads lite topics; found that ${quoted(topic.name)} is of type ${topic.messageType}; make it of type LITE with mqadmin updateTopic, or use another group`,
      );
}

function readsNoLiteTopics(groupName: string): MqError {
  return new MqError(
    'ILLEGAL_CONSUMER_GROUP',
    `lite topics are read by a consumer group that is bound to their topic; found that ${quoted(groupName)} is not there or is not bound; bind it with mqadmin updateSubGroup --attributes +lite.bind.topic=…`,
  );
}
