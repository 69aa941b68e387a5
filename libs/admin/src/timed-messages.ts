import { MqError, quoted } from '@orbitmq/base';
import { readKeys, readMessageId, readTag } from '@orbitmq/protocol';
import type {
  TimedMessageSelection,
  TimedMessagesResponse,
  TimedMessage as WireTimedMessage,
} from '@orbitmq/protocol/orbitmq.admin.v1';
import type { Shard, TimedMessage } from '@orbitmq/shard';
import type { Topic } from '@orbitmq/views';

const LIMIT_MAX = 1000;

/**
 * One page of a topic's timed messages.
 * @throws MqError TOPIC_NOT_FOUND, BAD_REQUEST
 */
export async function listTimedMessages(
  shard: Shard,
  selection: TimedMessageSelection | undefined,
): Promise<TimedMessagesResponse> {
  const { topic, found, next } = await select(shard, selection);
  return answerOf(shard, topic, found, next);
}

/**
 * Cancels those of one page that have the id or the key.
 * @throws MqError TOPIC_NOT_FOUND, BAD_REQUEST
 */
export async function cancelTimedMessages(
  shard: Shard,
  selection: TimedMessageSelection | undefined,
): Promise<TimedMessagesResponse> {
  if (!selection?.messageId && !selection?.key) {
    throw new MqError('BAD_REQUEST', 'message_id and key are empty; one of them must say which messages to cancel');
  }
  const { topic, found, next } = await select(shard, selection);
  const cancelled = found.filter(({ timer }) => shard.cancelTimer(topic, timer));
  await shard.settled();
  return answerOf(shard, topic, cancelled, next);
}

interface Selected {
  readonly topic: Topic;
  readonly found: readonly TimedMessage[];
  readonly next: number | undefined;
}

async function select(shard: Shard, selection: TimedMessageSelection | undefined): Promise<Selected> {
  const name = selection?.topic ?? '';
  const topic = shard.metadata.topic(name);
  if (topic === undefined) {
    throw new MqError(
      'TOPIC_NOT_FOUND',
      `this broker has no topic ${quoted(name)}; topicList shows those that are there`,
    );
  }
  const { messageId, key, limit } = selection!;
  const position = Number(selection!.position);
  if (!(position >= 0 && Number.isSafeInteger(position))) {
    throw new MqError('BAD_REQUEST', `position is ${position}; it must be 0, or what the answer before says`);
  }
  if (limit < 0 || limit > LIMIT_MAX) {
    throw new MqError('BAD_REQUEST', `limit is ${limit}; it must be 1…${LIMIT_MAX}, or 0 for ${LIMIT_MAX}`);
  }
  const { messages, next } = await shard.timers(topic, position, limit || LIMIT_MAX);
  const found = messages.filter(({ message: { system } }) => {
    if (messageId !== '' && readMessageId(system) !== messageId) return false;
    return key === '' || readKeys(system).includes(key);
  });
  return { topic, found, next };
}

function answerOf(
  shard: Shard,
  topic: Topic,
  messages: readonly TimedMessage[],
  next: number | undefined,
): TimedMessagesResponse {
  return {
    messages: messages.map(wireTimedMessageOf),
    next: next === undefined ? undefined : BigInt(next),
    waitingCount: BigInt(shard.timerCount(topic)),
  };
}

function wireTimedMessageOf({ queueId, deliveryTimestampMs, message }: TimedMessage): WireTimedMessage {
  return {
    messageId: readMessageId(message.system),
    keys: readKeys(message.system),
    tag: readTag(message.system) ?? '',
    deliveryMs: BigInt(deliveryTimestampMs),
    queueId,
    sizeBytes: BigInt(message.system.length + message.rest.length),
  };
}
