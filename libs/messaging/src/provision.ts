import { MqError, quoted } from '@orbitmq/base';
import { checkGroupName, checkTopicForm, checkTopicName, isDerivedTopic, isSystemTopic } from '@orbitmq/protocol';
import type { Shard } from '@orbitmq/shard';
import type { Group, Topic, TopicMessageType } from '@orbitmq/views';
import { DEFAULT_RETRY_POLICY } from './backoff.ts';
import type { MessagingConfig } from './config.ts';
import { CREATABLE_TYPES, READ_BIT, WRITE_BIT } from './route-source.ts';

/** Names of topics that a first send may make; administrators may use a few more characters. */
const MAKEABLE_NAME = /^[a-zA-Z0-9_-]{1,127}$/;
const NO_ATTRIBUTES: ReadonlyMap<string, string> = new Map();

/** Finds topics and groups, and makes those that may be made when they are first used. */
export class Provision {
  private readonly shard: Shard;
  private readonly config: MessagingConfig;
  private readonly topicsBeingMade = new Map<string, Promise<Topic>>();
  private readonly groupsBeingMade = new Map<string, Promise<Group>>();

  constructor(shard: Shard, config: MessagingConfig) {
    this.shard = shard;
    this.config = config;
  }

  /** Whether a first send would make this topic. */
  mayMakeTopic(name: string): boolean {
    return this.config.autoCreateTopicEnable && MAKEABLE_NAME.test(name) && !isSystemTopic(name);
  }

  /**
   * Makes the topic of a first message, of the message's type, when the policy allows it.
   * @throws MqError ILLEGAL_TOPIC, TOPIC_NOT_FOUND
   */
  topicOfFirstMessage(name: string, messageType: TopicMessageType): Promise<Topic> {
    checkTopicName(name);
    if (!this.mayMakeTopic(name)) throw topicNotFound(name);
    return once(this.topicsBeingMade, name, () => this.makeTopic(name, messageType));
  }

  /**
   * The topic that a consumer names.
   * @throws MqError ILLEGAL_TOPIC, TOPIC_NOT_FOUND
   */
  topic(name: string): Topic {
    const known = this.shard.metadata.topic(name);
    if (known) return known;
    // a group's dead letters may be read; before the first of them there is no such topic
    if (isDerivedTopic(name)) checkTopicForm(name);
    else checkTopicName(name);
    throw topicNotFound(name);
  }

  /**
   * The group of a consumer, made when there is none and the policy allows it.
   * @throws MqError ILLEGAL_CONSUMER_GROUP, CONSUMER_GROUP_NOT_FOUND
   */
  group(name: string): Group | Promise<Group> {
    const known = this.shard.metadata.group(name);
    if (known) return known;
    checkGroupName(name);
    if (!this.config.autoCreateSubscriptionGroup) {
      throw new MqError(
        'CONSUMER_GROUP_NOT_FOUND',
        `the consumer group exists on this broker; found none named ${quoted(name)}; create it with mqadmin updateSubGroup`,
      );
    }
    return once(this.groupsBeingMade, name, () => this.makeGroup(name));
  }

  private makeTopic(name: string, messageType: TopicMessageType): Promise<Topic> {
    if (!CREATABLE_TYPES.includes(messageType)) {
      throw new MqError(
        'TOPIC_NOT_FOUND',
        `a first message may make a topic of type ${CREATABLE_TYPES.join(' or ')}; found a ${messageType} message for ${quoted(name)}; create the topic with mqadmin updateTopic -a +message.type=${messageType}`,
      );
    }
    if (countAutoCreated(this.shard.metadata.topics()) >= this.config.limits.autoCreatedTopicsMax) {
      throw new MqError(
        'TOPIC_NOT_FOUND',
        `first messages may make ${this.config.limits.autoCreatedTopicsMax} topics; found as many, and none named ${quoted(name)}; create it with mqadmin updateTopic`,
      );
    }
    return this.shard.putTopic({
      name,
      readQueueCount: this.config.defaultTopicQueueNums,
      writeQueueCount: this.config.defaultTopicQueueNums,
      permission: READ_BIT | WRITE_BIT,
      messageType,
      retentionMs: undefined,
      retentionBytes: undefined,
      autoCreated: true,
      attributes: NO_ATTRIBUTES,
    });
  }

  private makeGroup(name: string): Promise<Group> {
    if (countAutoCreated(this.shard.metadata.groups()) >= this.config.limits.autoCreatedGroupsMax) {
      throw new MqError(
        'CONSUMER_GROUP_NOT_FOUND',
        `first clients may make ${this.config.limits.autoCreatedGroupsMax} groups; found as many, and none named ${quoted(name)}; create it with mqadmin updateSubGroup`,
      );
    }
    return this.shard.putGroup({
      name,
      consumeEnable: true,
      consumeMessageOrderly: false,
      retryMaxTimes: this.config.retryMaxTimes,
      retryPolicy: DEFAULT_RETRY_POLICY,
      autoCreated: true,
      attributes: NO_ATTRIBUTES,
    });
  }
}

/** Lets all who ask while something is being made wait for the same one. */
function once<Made>(beingMade: Map<string, Promise<Made>>, name: string, make: () => Promise<Made>): Promise<Made> {
  const pending = beingMade.get(name);
  if (pending) return pending;
  const made = make().finally(() => beingMade.delete(name));
  beingMade.set(name, made);
  return made;
}

function countAutoCreated(all: Iterable<{ readonly autoCreated: boolean }>): number {
  let count = 0;
  for (const { autoCreated } of all) if (autoCreated) count++;
  return count;
}

function topicNotFound(name: string): MqError {
  return new MqError(
    'TOPIC_NOT_FOUND',
    `the topic exists on this broker; found none named ${quoted(name)}; create it with mqadmin updateTopic`,
  );
}
