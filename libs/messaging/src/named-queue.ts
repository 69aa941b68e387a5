import { MqError, quoted } from '@orbitmq/base';
import type { MessageQueue } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Topic } from '@orbitmq/views';
import type { MessagingContext } from './context.ts';
import { READ_BIT } from './route-source.ts';

/** A queue of this broker, as a client names it who keeps offsets by himself. */
export interface NamedQueue {
  readonly topic: Topic;
  readonly queueId: number;
}

/**
 * The queue that a request names: its id and its broker count here, unlike in a receive.
 * @throws MqError ILLEGAL_TOPIC, TOPIC_NOT_FOUND, FORBIDDEN, BAD_REQUEST for a queue that this broker does not have
 */
export function namedQueue(context: MessagingContext, queue: MessageQueue | undefined): NamedQueue {
  const topic = context.provision.topic(queue?.topic?.name ?? '');
  const brokerName = queue?.broker?.name ?? '';
  if (brokerName !== '' && brokerName !== context.config.brokerName) {
    throw new MqError(
      'BAD_REQUEST',
      `this broker is ${quoted(context.config.brokerName)}; found a queue of broker ${quoted(brokerName)}; ask that one`,
    );
  }
  if ((topic.permission & READ_BIT) === 0) {
    throw new MqError(
      'FORBIDDEN',
      `topic ${quoted(topic.name)} may be read; found permission ${topic.permission}; give it read permission with mqadmin updateTopicPerm`,
    );
  }
  const queueId = queue?.id ?? 0;
  if (queueId >= 0 && queueId < topic.readQueueCount) return { topic, queueId };
  throw new MqError(
    'BAD_REQUEST',
    `topic ${quoted(topic.name)} has the queues 0 to ${topic.readQueueCount - 1} here; found ${queueId}; take one of them`,
  );
}
