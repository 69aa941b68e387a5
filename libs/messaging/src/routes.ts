import { MqError, quoted } from '@orbitmq/base';
import { checkGroupName, checkTopicForm, isSystemTopic, typesKnownTo } from '@orbitmq/protocol';
import {
  type Assignment,
  type MessageQueue,
  Permission,
  type QueryAssignmentRequest,
  type QueryAssignmentResponse,
  type QueryRouteRequest,
  type QueryRouteResponse,
  type Resource,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Call } from '@orbitmq/rpc';
import { OK_STATUS } from './answers.ts';
import { clientIdOf } from './caller.ts';
import type { MessagingContext } from './context.ts';
import { liteRulesOf } from './lite-mode.ts';

/** Queue id of an assignment that stands for all queues of a broker. */
const ANY_QUEUE_ID = -1;

/** QueryRoute: where the queues of a topic are. */
export async function queryRoute(
  context: MessagingContext,
  request: QueryRouteRequest,
  call: Call,
): Promise<QueryRouteResponse> {
  seen(context, call);
  const messageQueues = await queuesOf(context, request.topic, call);
  return { status: OK_STATUS, messageQueues };
}

/**
 * QueryAssignment: what a push consumer polls. Groups share messages, not queues, so each client gets each broker as a
 * whole; in an ordered group each client gets each queue, and the queue itself lets one client in at a time. Lite topics are
 * in no queue of the topic.
 */
export async function queryAssignment(
  context: MessagingContext,
  request: QueryAssignmentRequest,
  call: Call,
): Promise<QueryAssignmentResponse> {
  seen(context, call);
  const groupName = request.group?.name ?? '';
  checkGroupName(groupName);
  const queues = await queuesOf(context, request.topic, call);
  const readable = queues.filter(
    ({ permission }) => permission === Permission.READ_WRITE || permission === Permission.READ,
  );
  if (readable.length === 0) {
    throw new MqError(
      'FORBIDDEN',
      `topic ${quoted(request.topic?.name ?? '')} has a readable queue; found none; give it read permission with mqadmin updateTopicPerm`,
    );
  }
  const group = context.shard.metadata.group(groupName);
  const ordered = group?.consumeMessageOrderly === true && !liteRulesOf(group);
  return { status: OK_STATUS, assignments: ordered ? readable.map(toAssignment) : oneForEachBroker(readable) };
}

function seen(context: MessagingContext, call: Call): void {
  context.sessions.seen(clientIdOf(call));
}

async function queuesOf(context: MessagingContext, topic: Resource | undefined, call: Call): Promise<MessageQueue[]> {
  const name = topic?.name ?? '';
  checkTopicForm(name);
  if (isSystemTopic(name)) {
    throw new MqError(
      'ILLEGAL_TOPIC',
      `topics of the server are not open to clients; found ${quoted(name)}; choose another name`,
    );
  }
  const queues = await context.routes.routeOf(name);
  if (queues === undefined || queues.length === 0) {
    throw new MqError(
      'TOPIC_NOT_FOUND',
      `the topic exists on a broker of this cluster; found none named ${quoted(name)}; create it with mqadmin updateTopic`,
    );
  }
  // clients compare the topic of a queue with their own, namespace included
  const [language, version] = [call.metadata.get('x-mq-language'), call.metadata.get('x-mq-client-version')];
  return queues.map((queue) => ({
    ...queue,
    topic: topic!,
    acceptMessageTypes: [...typesKnownTo(queue.acceptMessageTypes, language, version)],
  }));
}

function toAssignment(queue: MessageQueue): Assignment {
  return { messageQueue: { ...queue, permission: Permission.READ } };
}

function oneForEachBroker(queues: readonly MessageQueue[]): Assignment[] {
  const byBroker = new Map<string, Assignment>();
  for (const queue of queues) {
    const brokerName = queue.broker?.name ?? '';
    if (byBroker.has(brokerName)) continue;
    byBroker.set(brokerName, { messageQueue: { ...queue, id: ANY_QUEUE_ID, permission: Permission.READ } });
  }
  return [...byBroker.values()];
}
