import type { RegistrationSource } from '@orbitmq/client';
import { CREATABLE_MESSAGE_TYPES } from '@orbitmq/messaging';
import {
  type BrokerIdentity,
  type BrokerStatus,
  Role,
  type Topic,
  TopicType,
} from '@orbitmq/protocol/orbitmq.route.v1';
import type { Metadata, TopicMessageType } from '@orbitmq/views';
import type { BrokerConfig } from './config/spec.ts';
import { endpointsOf } from './endpoints.ts';

const TOPIC_TYPES: Readonly<Record<TopicMessageType, TopicType>> = {
  NORMAL: TopicType.TOPIC_TYPE_NORMAL,
  FIFO: TopicType.TOPIC_TYPE_FIFO,
  DELAY: TopicType.TOPIC_TYPE_DELAY,
  TRANSACTION: TopicType.TOPIC_TYPE_TRANSACTION,
  LITE: TopicType.TOPIC_TYPE_LITE,
  PRIORITY: TopicType.TOPIC_TYPE_PRIORITY,
  MIXED: TopicType.TOPIC_TYPE_MIXED,
};

/** RocketMQ's bit for sends. */
const WRITE_BIT = 2;

/** What this broker is, beside its configuration. */
export interface BrokerFacts {
  /** Topics and groups of the shard that this member leads; undefined while it leads none. */
  metadata(): Metadata | undefined;
  /** Topics and groups of the shard from which this member serves consumers in the place of its master; undefined while it does not. */
  actingMetadata(): Metadata | undefined;
  /** Epoch that it leads, or follows. */
  epoch(): number;
  /** Number of this start, see `nextIncarnation`. */
  readonly incarnation: number;
  readonly clientPort: number;
  /** `host:port`. */
  readonly adminAddress: string;
  /** `host:port`. */
  readonly replicationAddress: string;
  readonly version: string;
}

/** What a broker tells name servers about itself. */
export function registrationSource(config: BrokerConfig, facts: BrokerFacts): RegistrationSource {
  const identity = (): BrokerIdentity => ({
    cluster: config.brokerClusterName,
    brokerName: config.brokerName,
    brokerId: config.brokerId,
    epoch: BigInt(facts.epoch()),
    incarnation: BigInt(facts.incarnation),
    role: facts.metadata() === undefined ? Role.ROLE_SLAVE : Role.ROLE_MASTER,
    clientEndpoints: endpointsOf(config.brokerIP1, facts.clientPort),
    adminAddress: facts.adminAddress,
    replicationAddress: facts.replicationAddress,
    version: facts.version,
    acting: facts.actingMetadata() !== undefined,
  });
  const autoCreate: BrokerStatus['autoCreate'] = {
    enabled: config.autoCreateTopicEnable,
    queueCount: config.defaultTopicQueueNums,
    messageTypes: [...CREATABLE_MESSAGE_TYPES],
  };
  const status = (): BrokerStatus => {
    if (facts.actingMetadata() !== undefined) {
      const permission = config.brokerPermission & ~WRITE_BIT;
      return { permission, autoCreate: { ...autoCreate, enabled: false }, draining: false };
    }
    const draining = facts.metadata()?.standing.drain !== undefined;
    const permission = draining ? config.brokerPermission & ~WRITE_BIT : config.brokerPermission;
    return { permission, autoCreate, draining };
  };
  return {
    identity,
    status,
    topics: () => registeredTopics(facts.metadata() ?? facts.actingMetadata()),
  };
}

function* registeredTopics(metadata: Metadata | undefined): IterableIterator<Topic> {
  if (metadata === undefined) return;
  for (const topic of metadata.topics()) {
    yield {
      name: topic.name,
      readQueueCount: topic.readQueueCount,
      writeQueueCount: topic.writeQueueCount,
      permission: topic.permission,
      type: TOPIC_TYPES[topic.messageType],
      autoCreated: topic.autoCreated,
    };
  }
}
