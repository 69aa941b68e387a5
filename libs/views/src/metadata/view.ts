import { assert } from '@orbitmq/base';
import type { LiteTopic } from '../lite-topics/lite-topic.ts';
import { LiteTopicsView } from '../lite-topics/view.ts';
import {
  decodeMetadata,
  encodeMetadata,
  groupFromFields,
  groupToFields,
  topicFromFields,
  topicToFields,
} from './codec.ts';
import { NO_STANDING, type ShardStanding, standingFromFields, standingToFields } from './standing.ts';
import type { Group, GroupConfig, Metadata, Queue, Topic, TopicConfig } from './types.ts';

/**
 * Topics, groups and the shard's secret. Numbers (uids) are given out in the order of the log's records and never again,
 * so that what belongs to a deleted topic or group can't be taken for a later one of the same name.
 */
export class MetadataView implements Metadata {
  /** Queues below topics that were made by messages; a snapshot keeps them in a section of their own. */
  readonly liteTopics = new LiteTopicsView();
  readonly #topicsByName = new Map<string, Topic>();
  readonly #topicsByUid = new Map<number, Topic>();
  readonly #groupsByName = new Map<string, Group>();
  readonly #groupsByUid = new Map<number, Group>();
  readonly #queues = new Map<number, Queue>();
  #nextTopicUid = 1;
  #nextQueueUid = 1;
  #nextGroupUid = 1;
  #version = 0;
  #secret = new Uint8Array(0);
  #standing = NO_STANDING;

  get version(): number {
    return this.#version;
  }

  /** 32 bytes; empty until the record that makes it was applied. */
  get secret(): Uint8Array {
    return this.#secret;
  }

  get isNew(): boolean {
    return this.#nextTopicUid === 1 && this.#nextGroupUid === 1;
  }

  get standing(): ShardStanding {
    return this.#standing;
  }

  topic(name: string): Topic | undefined {
    return this.#topicsByName.get(name);
  }

  topicByUid(uid: number): Topic | undefined {
    return this.#topicsByUid.get(uid);
  }

  topics(): IterableIterator<Topic> {
    return this.#topicsByName.values();
  }

  group(name: string): Group | undefined {
    return this.#groupsByName.get(name);
  }

  groupByUid(uid: number): Group | undefined {
    return this.#groupsByUid.get(uid);
  }

  groups(): IterableIterator<Group> {
    return this.#groupsByName.values();
  }

  /** Number of the next queue, lite or not. */
  get nextQueueUid(): number {
    return this.#nextQueueUid;
  }

  queueByUid(uid: number): Queue | undefined {
    return this.#queues.get(uid) ?? this.liteTopics.get(uid);
  }

  /** A queue of a topic, lite or not, by the id that clients know; undefined when there is none (any more). */
  queueById(topicUid: number, queueId: number): Queue | undefined {
    return this.#topicsByUid.get(topicUid)?.queues[queueId] ?? this.liteTopics.ofQueueId(topicUid, queueId);
  }

  /** A lite topic of a topic that is there. */
  applyLiteTopic(topicUid: number, queueUid: number, name: string, nowMs: number): LiteTopic {
    assert(queueUid === this.#nextQueueUid, 'a lite topic has a number out of order');
    this.#nextQueueUid++;
    return this.liteTopics.applyMade(topicUid, queueUid, name, nowMs);
  }

  applySecret(secret: Uint8Array): void {
    this.#secret = Uint8Array.from(secret);
    this.#version++;
  }

  applyStanding(standing: ShardStanding): void {
    this.#standing = standing;
    this.#version++;
  }

  /** Creates or alters a topic. Altering keeps uid and queues; more queues are added, none is removed. */
  applyTopic(config: TopicConfig, timestampMs: number): Topic {
    const former = this.#topicsByName.get(config.name);
    const uid = former?.uid ?? this.#nextTopicUid++;
    const queues = former === undefined ? [] : [...former.queues];
    while (queues.length < Math.max(config.readQueueCount, config.writeQueueCount)) {
      queues.push({ uid: this.#nextQueueUid++, id: queues.length, topicUid: uid });
    }
    const topic: Topic = { ...config, uid, queues, createdMs: former?.createdMs ?? timestampMs };
    this.#hold(topic);
    this.#version++;
    return topic;
  }

  /** Returns the topic that is gone, or undefined when there was none. */
  applyTopicDeletion(uid: number): Topic | undefined {
    const topic = this.#topicsByUid.get(uid);
    if (topic === undefined) return undefined;
    this.#topicsByUid.delete(uid);
    this.#topicsByName.delete(topic.name);
    for (const queue of topic.queues) this.#queues.delete(queue.uid);
    this.#version++;
    return topic;
  }

  applyGroup(config: GroupConfig, timestampMs: number): Group {
    const former = this.#groupsByName.get(config.name);
    const group: Group = {
      ...config,
      uid: former?.uid ?? this.#nextGroupUid++,
      createdMs: former?.createdMs ?? timestampMs,
    };
    this.#groupsByName.set(group.name, group);
    this.#groupsByUid.set(group.uid, group);
    this.#version++;
    return group;
  }

  applyGroupDeletion(uid: number): Group | undefined {
    const group = this.#groupsByUid.get(uid);
    if (group === undefined) return undefined;
    this.#groupsByUid.delete(uid);
    this.#groupsByName.delete(group.name);
    this.#version++;
    return group;
  }

  /** The same state gives the same bytes. */
  snapshot(): Uint8Array {
    const byUid = (a: { uid: number }, b: { uid: number }): number => a.uid - b.uid;
    return encodeMetadata({
      version: this.#version,
      secret: Buffer.from(this.#secret).toString('base64'),
      nextTopicUid: this.#nextTopicUid,
      nextQueueUid: this.#nextQueueUid,
      nextGroupUid: this.#nextGroupUid,
      ...(this.#standing === NO_STANDING ? {} : { standing: standingToFields(this.#standing) }),
      topics: [...this.#topicsByUid.values()].sort(byUid).map((topic) => ({
        uid: topic.uid,
        createdMs: topic.createdMs,
        queueUids: topic.queues.map((queue) => queue.uid),
        ...topicToFields(topic),
      })),
      groups: [...this.#groupsByUid.values()].sort(byUid).map((group) => ({
        uid: group.uid,
        createdMs: group.createdMs,
        ...groupToFields(group),
      })),
    });
  }

  /** Fills a new, empty view. */
  restore(bytes: Uint8Array): void {
    assert(this.#version === 0, 'metadata can only be restored into an empty view');
    const fields = decodeMetadata(bytes);
    for (const topic of fields.topics) {
      const queues = topic.queueUids.map((uid, id) => ({ uid, id, topicUid: topic.uid }));
      this.#hold({ ...topicFromFields(topic), uid: topic.uid, queues, createdMs: topic.createdMs });
    }
    for (const fieldsOfGroup of fields.groups) {
      const group: Group = {
        ...groupFromFields(fieldsOfGroup),
        uid: fieldsOfGroup.uid,
        createdMs: fieldsOfGroup.createdMs,
      };
      this.#groupsByName.set(group.name, group);
      this.#groupsByUid.set(group.uid, group);
    }
    this.#nextTopicUid = fields.nextTopicUid;
    this.#nextQueueUid = fields.nextQueueUid;
    this.#nextGroupUid = fields.nextGroupUid;
    this.#secret = Uint8Array.from(Buffer.from(fields.secret, 'base64'));
    this.#standing = fields.standing === undefined ? NO_STANDING : standingFromFields(fields.standing);
    this.#version = fields.version;
  }

  #hold(topic: Topic): void {
    this.#topicsByName.set(topic.name, topic);
    this.#topicsByUid.set(topic.uid, topic);
    for (const queue of topic.queues) this.#queues.set(queue.uid, queue);
  }
}
