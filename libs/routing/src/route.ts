import { type MessageQueue, MessageType, Permission } from '@orbitmq/protocol/apache.rocketmq.v2';
import { type Topic, TopicType } from '@orbitmq/protocol/orbitmq.route.v1';
import { isAutoCreatable } from './auto-create.ts';
import { type BrokerEntry, PERMISSION_READ, PERMISSION_WRITE } from './broker-entry.ts';

/** What clients are told about a topic. */
export interface Route {
  /** Some master has the topic; otherwise the queues are those that the first message would make. */
  readonly exists: boolean;
  /** Masters only, by broker name, ids 0…n−1 of each broker. Empty: there is no such topic, and nobody would make it. */
  readonly queues: readonly MessageQueue[];
}

const NO_ROUTE: Route = { exists: false, queues: [] };

/** Message types that a topic of each type takes. Clients fail on an unspecified one, so a topic without type is NORMAL. */
const ACCEPTED: Readonly<Record<number, readonly MessageType[]>> = {
  [TopicType.TOPIC_TYPE_NORMAL]: [MessageType.NORMAL],
  [TopicType.TOPIC_TYPE_FIFO]: [MessageType.FIFO],
  [TopicType.TOPIC_TYPE_DELAY]: [MessageType.DELAY],
  [TopicType.TOPIC_TYPE_TRANSACTION]: [MessageType.TRANSACTION],
  [TopicType.TOPIC_TYPE_LITE]: [MessageType.LITE],
  [TopicType.TOPIC_TYPE_PRIORITY]: [MessageType.PRIORITY],
  [TopicType.TOPIC_TYPE_MIXED]: [MessageType.NORMAL, MessageType.FIFO, MessageType.DELAY, MessageType.TRANSACTION],
};

/**
 * Builds the route of a topic from the masters. Brokers that have it give its queues; a topic that was only ever made
 * by first messages, or not at all, also shows the queues that the other brokers would make for it, so that it spreads
 * over the cluster. A topic that somebody made by name stays where it was put.
 */
export function buildRoute(topicName: string, masters: readonly BrokerEntry[]): Route {
  const holders = masters.filter((master) => master.topics.has(topicName));
  const queues: MessageQueue[] = [];
  const isWidened = holders.every((holder) => holder.topics.get(topicName)!.autoCreated) && isAutoCreatable(topicName);
  const typesElsewhere = holders.length > 0 ? acceptedTypes(holders[0]!.topics.get(topicName)!) : undefined;
  for (const master of masters) {
    const topic = master.topics.get(topicName);
    if (topic) queues.push(...queuesOf(topic, master));
    else if (isWidened) queues.push(...queuesWouldBe(topicName, typesElsewhere, master));
  }
  if (queues.length === 0) return NO_ROUTE;
  // Clients go through the list in turns: simple consumers that wait at one broker after the other must not meet the
  // same broker for as many turns as it has queues.
  queues.sort((one, other) => one.id - other.id);
  const usable = queues.filter((queue) => queue.permission !== Permission.NONE);
  return { exists: holders.length > 0, queues: usable.length > 0 ? usable : queues };
}

/**
 * Queues of a topic that a broker has. While the numbers of read and write queues differ, those are shown that are
 * both: the server takes receives from all queues whatever the client asks, and clients mistake ids that don't begin at 0.
 */
function queuesOf(topic: Topic, master: BrokerEntry): MessageQueue[] {
  const permission = permissionOf(topic.permission & master.status.permission);
  const count = Math.min(topic.readQueueCount, topic.writeQueueCount);
  return messageQueues(topic.name, count, permission, acceptedTypes(topic), master);
}

function queuesWouldBe(
  topicName: string,
  typesElsewhere: readonly MessageType[] | undefined,
  master: BrokerEntry,
): MessageQueue[] {
  const policy = master.status.autoCreate;
  if (!policy?.enabled || (master.status.permission & PERMISSION_WRITE) === 0) return [];
  const types = typesElsewhere ?? policy.messageTypes;
  if (types.length === 0 || !types.every((type) => policy.messageTypes.includes(type))) return [];
  return messageQueues(topicName, policy.queueCount, permissionOf(master.status.permission), types, master);
}

function messageQueues(
  topicName: string,
  count: number,
  permission: Permission,
  types: readonly MessageType[],
  master: BrokerEntry,
): MessageQueue[] {
  // Clients know a shard's master by id 0, also after a failover has made another replica the master.
  const broker = { name: master.identity.brokerName, id: 0, endpoints: master.identity.clientEndpoints };
  const topic = { resourceNamespace: '', name: topicName };
  const acceptMessageTypes = [...types];
  return Array.from({ length: count }, (_, id) => ({ topic, id, permission, broker, acceptMessageTypes }));
}

function acceptedTypes(topic: Topic): readonly MessageType[] {
  return ACCEPTED[topic.type] ?? [MessageType.NORMAL];
}

function permissionOf(bits: number): Permission {
  const [canRead, canWrite] = [(bits & PERMISSION_READ) !== 0, (bits & PERMISSION_WRITE) !== 0];
  if (canRead && canWrite) return Permission.READ_WRITE;
  if (canRead) return Permission.READ;
  return canWrite ? Permission.WRITE : Permission.NONE;
}
