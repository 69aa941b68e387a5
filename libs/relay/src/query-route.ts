import { CODES, MqError, quoted } from '@orbitmq/base';
import { checkTopicForm, isSystemTopic, typesKnownTo } from '@orbitmq/protocol';
import {
  type Endpoints,
  type MessageQueue,
  MessageType,
  type QueryRouteRequest,
  type QueryRouteResponse,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Call } from '@orbitmq/rpc';
import { topicNotFound } from './answers.ts';
import type { RelayContext } from './relay-context.ts';

/**
 * QueryRoute: the brokers' own endpoints, from memory; but for lite topics on several brokers, see `endpointsFor`.
 * @throws MqError CLIENT_ID_REQUIRED, ILLEGAL_TOPIC, TOPIC_NOT_FOUND
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
  const endpoints = endpointsFor(queues, request.endpoints);
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
 * @param accessPoint where the client reaches this server, as it says itself
 * @returns undefined: each broker's own
 */
function endpointsFor(queues: readonly MessageQueue[], accessPoint: Endpoints | undefined): Endpoints | undefined {
  if (!accessPoint || accessPoint.addresses.length === 0) return undefined;
  const first = queues[0]!;
  if (!first.acceptMessageTypes.includes(MessageType.LITE)) return undefined;
  return queues.some(({ broker }) => broker!.name !== first.broker!.name) ? accessPoint : undefined;
}
