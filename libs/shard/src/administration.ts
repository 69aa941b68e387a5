import { MqError, quoted } from '@orbitmq/base';
import {
  encodeGroupConfig,
  encodeStanding,
  encodeTopicConfig,
  type Group,
  type GroupConfig,
  type ShardStanding,
  type Topic,
  type TopicConfig,
} from '@orbitmq/views';
import type { ShardCore } from './core.ts';
import { encodeUid, RECORD } from './records.ts';

const QUEUES_MAX = 1024;

/** Makes, alters and deletes topics and groups. */
export class Administration {
  readonly #core: ShardCore;
  readonly #listeners = new Set<() => void>();

  constructor(core: ShardCore) {
    this.#core = core;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async putTopic(config: TopicConfig): Promise<Topic> {
    this.#core.checkRunning();
    checkQueues(config, 'readQueueCount');
    checkQueues(config, 'writeQueueCount');
    this.#core.append(RECORD.topic, [encodeTopicConfig(config)]);
    const topic = this.#core.state.metadata.topic(config.name)!;
    // there may be more queues to read than before
    for (const subscription of this.#core.subscriptions.ofTopic(topic.uid)) this.#core.waiters.wake(subscription);
    await this.#stored();
    return topic;
  }

  async deleteTopic(name: string): Promise<boolean> {
    this.#core.checkRunning();
    const topic = this.#core.state.metadata.topic(name);
    if (topic === undefined) return false;
    this.#core.append(RECORD.topicDeletion, [encodeUid(topic.uid)]);
    for (const subscription of this.#core.subscriptions.removeTopic(topic.uid))
      this.#core.waiters.dismiss(subscription);
    this.#core.lite.closeTopic(topic.uid);
    await this.#stored();
    return true;
  }

  async putGroup(config: GroupConfig): Promise<Group> {
    this.#core.checkRunning();
    this.#core.append(RECORD.group, [encodeGroupConfig(config)]);
    const group = this.#core.state.metadata.group(config.name)!;
    await this.#stored();
    return group;
  }

  async deleteGroup(name: string): Promise<boolean> {
    this.#core.checkRunning();
    const group = this.#core.state.metadata.group(name);
    if (group === undefined) return false;
    this.#core.append(RECORD.groupDeletion, [encodeUid(group.uid)]);
    for (const subscription of this.#core.subscriptions.removeGroup(group.uid))
      this.#core.waiters.dismiss(subscription);
    this.#core.lite.closeGroup(group.uid);
    await this.#stored();
    return true;
  }

  /** What `change` leaves out stays as it is. */
  async putStanding(change: Partial<ShardStanding>): Promise<void> {
    this.#core.checkRunning();
    this.#core.append(RECORD.standing, [encodeStanding({ ...this.#core.state.metadata.standing, ...change })]);
    await this.#stored();
  }

  /** Something was made beside an administrator's wish: calls the listeners when it is stored. */
  announce(): void {
    // A log that has failed ends the process; there is nobody left to tell.
    this.#stored().catch(() => {});
  }

  async #stored(): Promise<void> {
    await this.#core.log.settled();
    for (const listener of this.#listeners) listener();
  }
}

function checkQueues(config: TopicConfig, field: 'readQueueCount' | 'writeQueueCount'): void {
  const count = config[field];
  if (Number.isInteger(count) && count >= 1 && count <= QUEUES_MAX) return;
  throw new MqError(
    'BAD_REQUEST',
    `${field} of topic ${quoted(config.name)} must be a whole number from 1 to ${QUEUES_MAX}, but is ${count}`,
  );
}
