import {
  AddressScheme,
  type Broker,
  type Endpoints,
  type MessageQueue,
  MessageType,
  Permission,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Metadata, TopicMessageType } from '@orbitmq/views';

/** Where the queues of topics are: the name servers' view, or a broker's own when there is none. */
export interface RouteSource {
  /**
   * All queues of a topic, masters only, ids from 0 for each broker; would-be queues for a topic that a first send
   * would make. Undefined when there is no such topic.
   */
  routeOf(topicName: string): Promise<MessageQueue[] | undefined>;
}

/** What a broker without name servers says about itself. */
export interface OwnRouteOptions {
  readonly metadata: Metadata;
  readonly brokerName: string;
  /** As clients reach it: one address. */
  readonly host: string;
  readonly port: number;
  readonly autoCreateTopicEnable: boolean;
  readonly defaultTopicQueueNums: number;
}

/** RocketMQ's permission bits of a topic. */
export const READ_BIT = 4;
export const WRITE_BIT = 2;

/** Message types that a topic of each type takes. */
export const ACCEPTED_TYPES: Readonly<Record<TopicMessageType, readonly MessageType[]>> = {
  NORMAL: [MessageType.NORMAL],
  FIFO: [MessageType.FIFO],
  DELAY: [MessageType.DELAY],
  TRANSACTION: [MessageType.TRANSACTION],
  PRIORITY: [MessageType.PRIORITY],
  LITE: [MessageType.LITE],
  MIXED: [MessageType.NORMAL, MessageType.FIFO, MessageType.DELAY, MessageType.TRANSACTION],
};

/** Types of topics that a first send can make. */
export const CREATABLE_TYPES: readonly TopicMessageType[] = ['NORMAL', 'FIFO', 'DELAY', 'TRANSACTION', 'PRIORITY'];

/** Message types for which a first send can make a topic. */
export const CREATABLE_MESSAGE_TYPES: readonly MessageType[] = CREATABLE_TYPES.flatMap((type) => ACCEPTED_TYPES[type]);

/** Routes of a broker that stands alone. */
export function ownRoutes(options: OwnRouteOptions): RouteSource {
  const endpoints: Endpoints = {
    scheme: schemeOf(options.host),
    addresses: [{ host: options.host, port: options.port }],
  };
  const broker: Broker = { name: options.brokerName, id: 0, endpoints };
  return {
    async routeOf(topicName) {
      const topic = options.metadata.topic(topicName);
      if (topic) {
        // clients mistake ids that don't begin at 0, so only queues that are both read and written are shown
        const count = Math.min(topic.readQueueCount, topic.writeQueueCount);
        return queuesOf(topicName, count, permissionOf(topic.permission), ACCEPTED_TYPES[topic.messageType], broker);
      }
      if (!options.autoCreateTopicEnable) return undefined;
      const count = options.defaultTopicQueueNums;
      return queuesOf(topicName, count, Permission.READ_WRITE, CREATABLE_MESSAGE_TYPES, broker);
    },
  };
}

function queuesOf(
  topicName: string,
  count: number,
  permission: Permission,
  types: readonly MessageType[],
  broker: Broker,
): MessageQueue[] {
  const topic = { resourceNamespace: '', name: topicName };
  const acceptMessageTypes = [...types];
  return Array.from({ length: count }, (_, id) => ({ topic, id, permission, broker, acceptMessageTypes }));
}

function permissionOf(bits: number): Permission {
  const readable = (bits & READ_BIT) !== 0;
  const writable = (bits & WRITE_BIT) !== 0;
  if (readable) return writable ? Permission.READ_WRITE : Permission.READ;
  return writable ? Permission.WRITE : Permission.NONE;
}

function schemeOf(host: string): AddressScheme {
  if (host.includes(':')) return AddressScheme.IPv6;
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(host) ? AddressScheme.IPv4 : AddressScheme.DOMAIN_NAME;
}
