import { MqError, quoted } from '@orbitmq/base';
import { readMessageId } from '@orbitmq/protocol';
import type { RecallMessageRequest, RecallMessageResponse } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Call } from '@orbitmq/rpc';
import type { Topic } from '@orbitmq/views';
import { OK_STATUS, stored } from './answers.ts';
import { clientIdOf } from './caller.ts';
import type { MessagingContext } from './context.ts';

/**
 * RecallMessage: cancels a timed message that has not come yet. OK means that it never comes; one that has come, or was
 * recalled before, is a BAD_REQUEST: the Python client takes MESSAGE_NOT_FOUND for success.
 */
export async function recallMessage(
  context: MessagingContext,
  request: RecallMessageRequest,
  call: Call,
): Promise<RecallMessageResponse> {
  const { config, provision, recallHandles, sessions, shard } = context;
  sessions.seen(clientIdOf(call));
  if (!config.recallMessageEnable) {
    throw new MqError(
      'FORBIDDEN',
      'this broker recalls no messages; its operator can allow it with recallMessageEnable=true',
    );
  }
  const topic = provision.topic(request.topic?.name ?? '');
  if (topic.messageType !== 'DELAY' && topic.messageType !== 'MIXED') throw takesNone(topic);
  const { topicUid, slot, id, epoch } = recallHandles.decode(request.recallHandle);
  if (topicUid !== topic.uid) {
    throw new MqError(
      'BAD_REQUEST',
      `the recall handle belongs to a message of another topic than ${quoted(topic.name)}; name the topic that it was sent to`,
    );
  }
  const timed = shard.isKept(epoch, id) ? await shard.findTimer(topic, { slot, id }) : undefined;
  if (timed === undefined || !shard.cancelTimer(topic, { slot, id })) {
    throw new MqError(
      'BAD_REQUEST',
      `the message of topic ${quoted(topic.name)} waits no more: it has been delivered to its queue, or was recalled before`,
    );
  }
  await stored(shard);
  return { status: OK_STATUS, messageId: readMessageId(timed.message.system) };
}

function takesNone(topic: Topic): MqError {
  return new MqError(
    'MESSAGE_PROPERTY_CONFLICT_WITH_TYPE',
    `only messages of topics of type DELAY or MIXED can be recalled; topic ${quoted(topic.name)} takes ${topic.messageType} messages`,
  );
}
