import { CODES, MqError, quoted } from '@orbitmq/base';
import { checkTopicForm, isSystemTopic, typesKnownTo } from '@orbitmq/protocol';
import {
  type MessageQueue,
  MessageType,
  type QueryRouteRequest,
  type QueryRouteResponse,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Call } from '@orbitmq/rpc';
import { topicNotFound } from './answers.ts';
import { checkedEndpoints } from './dialled-endpoints.ts';
import type { RelayContext } from './relay-context.ts';

/**
 * QueryRoute, from memory: the brokers' own endpoints for clients that can reach them, see `DialledAddress`; for others,
 * and for lite topics on several brokers, those that the client dialled, so that all its calls come here.
 * @throws MqError CLIENT_ID_REQUIRED, ILLEGAL_TOPIC, TOPIC_NOT_FOUND, ILLEGAL_ACCESS_POINT
 */
export async function answerRoute(
  context: RelayContext,
  request: QueryRouteRequest,
  call: Call,
): Promise<QueryRouteResponse> {
  if ((call.metadata.get('x-mq-client-id') ?? '').trim() === '') {
    throw new MqError('CLIENT_ID_REQUIRED', 'The header x-mq-client-id is missing or blank; every call needs one.');
  }
  const topicName = request.topic?.name ?? '';
  checkTopicForm(topicName);
  if (isSystemTopic(topicName)) {
    throw new MqError('ILLEGAL_TOPIC', `topics of the server are not open to clients; found ${quoted(topicName)}`);
  }
  const { queues } = await context.lookup.routeOf(topicName);
  if (queues.length === 0) throw topicNotFound(topicName);
  // The topic goes back as the client wrote it, with its namespace.
  const [language, version] = [call.metadata.get('x-mq-language'), call.metadata.get('x-mq-client-version')];
  const endpoints = isLiteOnSeveral(queues)
    ? checkedEndpoints(request.endpoints)
    : context.dialled.relayedEndpoints(request.endpoints, call.peer);
  const messageQueues = queues.map((queue) => ({
    ...queue,
    ...(endpoints && { broker: { ...queue.broker!, endpoints } }),
    topic: request.topic,
    acceptMessageTypes: [...typesKnownTo(queue.acceptMessageTypes, language, version)],
  }));
  return { status: { code: CODES.OK, message: 'OK' }, messageQueues };
}

/**
 * Clients spread the messages of a lite topic over the brokers, and its order would be lost: so the route of its parent
 * shows the way through here, where all messages of a lite topic are sent to the same broker. On one broker there is
 * nothing to lose.
 */
function isLiteOnSeveral(queues: readonly MessageQueue[]): boolean {
  const first = queues[0]!;
  if (!first.acceptMessageTypes.includes(MessageType.LITE)) return false;
  return queues.some(({ broker }) => broker!.name !== first.broker!.name);
}
