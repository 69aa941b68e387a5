import { type Group, LITE_QUEUE_ID_MIN, type Topic } from '@orbitmq/views';
import type { Delivery, MessageBytes, QueueProgress, SentMessage, Waiter } from './common-types.ts';

/**
 * Whether a queue id (of a delivery, a found message, a lease) is that of a lite topic. It stands for one life of it: when
 * the lite topic has expired and is made again, it has another. So a receipt handle of before settles nothing.
 */
export function isLiteQueueId(queueId: number): boolean {
  return queueId >= LITE_QUEUE_ID_MIN;
}

/** A message for a lite topic of `topic`. */
export interface LiteSendRequest {
  readonly topic: Topic;
  /** Name of the lite topic, checked; the message's `lite_topic` is the same. */
  readonly liteTopic: string;
  /** `javaStringHash` of the tag; 0 when there is none. */
  readonly tagHash: number;
  readonly message: MessageBytes;
}

/** One receive of a subscriber. */
export interface LiteReceiveRequest {
  /** 1…32. */
  readonly countMax: number;
  /** Stops before the batch exceeds this; at least one message is given. Bytes. */
  readonly bytesMax: number;
  /** Milliseconds. */
  readonly invisibleMs: number;
  /** The same id as the last time gets the same messages again, as in FIFO groups. */
  readonly attemptId: string | undefined;
}

/**
 * One client of a group, with the lite topics that it has named; lives in memory only. Each lite topic is in order for
 * the group: while messages of it are handed out and neither settled nor given back, nobody of the group gets more of it.
 */
export interface LiteSubscriber {
  /** Names that it was subscribed to, whether there are such lite topics or not (yet). Empty when it takes all. */
  readonly liteTopics: ReadonlySet<string>;
  /** It takes all lite topics of the parent. */
  readonly isWildcard: boolean;
  /** By its own `close`, or because the group or the parent was deleted: it gets nothing any more. */
  readonly isClosed: boolean;
  /** Adds a name. What the lite topic holds for the group is offered at once. @returns false when it was there */
  subscribe(liteTopic: string): boolean;
  /** Takes a name away. What was handed out stays so. @returns false when it was not there */
  unsubscribe(liteTopic: string): boolean;
  /**
   * Hands out what is there now of its lite topics, at once; an empty list when nothing is. The work depends on how many
   * lite topics have something to give, not on how many are subscribed to.
   * @throws MqError TOPIC_NOT_FOUND, CONSUMER_GROUP_NOT_FOUND after a deletion, FORBIDDEN when it is closed or the shard stops,
   *         TOO_MANY_REQUESTS when too many messages are handed out
   */
  receive(request: LiteReceiveRequest): Promise<Delivery[]>;
  /**
   * Waits until a receive may find something: a new message is settled, a lease has ended or was given back, an offset was set.
   * @throws MqError TOO_MANY_REQUESTS when too many wait
   */
  waitForMessages(): Waiter;
  /** Ends all its subscriptions; its waiters settle with false. Idempotent. */
  close(): void;
}

/** Where a group is to go on with a lite topic. */
export type LiteOffsetTarget =
  | { readonly kind: 'earliest' | 'latest' }
  /** Cut to what the lite topic holds. */
  | { readonly kind: 'offset'; readonly offset: number }
  /** So many messages before where the group stands, or before the end when it has not begun. */
  | { readonly kind: 'tail'; readonly count: number }
  /** The first message stored at or after this, milliseconds since 1970. */
  | { readonly kind: 'time'; readonly timestampMs: number };

/** A lite topic as it is now. */
export interface LiteTopicInfo {
  readonly liteTopic: string;
  /** Its queue id, in this life of it. */
  readonly queueId: number;
  readonly minOffset: number;
  readonly maxOffset: number;
  /** When its last message was sent, in shard time, which is the wall clock's but for its jumps. Milliseconds since 1970. */
  readonly lastSentMs: number;
}

/** Lite topics of a parent in the order of their names. */
export interface LiteTopicPage {
  readonly liteTopics: readonly LiteTopicInfo[];
  /** There are more, behind the last name. */
  readonly more: boolean;
}

/** How far a group is behind with a lite topic. */
export interface LiteLag {
  readonly liteTopic: string;
  /** Messages that are not settled, handed out or not. */
  readonly lagCount: number;
}

/** How far a group is behind with the lite topics of its parent: those that it has begun, or that its clients name. */
export interface LiteGroupLag {
  readonly liteTopicCount: number;
  readonly lagCount: number;
  readonly inflightCount: number;
  /** Messages that could be handed out now, if their lite topic were free. */
  readonly readyCount: number;
  /** Those with the most, the greatest first. */
  readonly top: readonly LiteLag[];
}

/** What a shard does with lite topics: very many queues below one topic, made by their first message. */
export interface LiteShard {
  /**
   * Appends a message to a lite topic, which this makes when it isn't there. `queueId` of the answer is the lite topic's.
   * @throws as `send` does; MqError LITE_TOPIC_QUOTA_EXCEEDED when a new lite topic would be one too many on this shard
   */
  sendLite(request: LiteSendRequest): SentMessage;
  /**
   * A client of a group begins to read lite topics of `topic`. It names them by `subscribe`, unless it takes all.
   * @throws MqError TOPIC_NOT_FOUND, CONSUMER_GROUP_NOT_FOUND
   */
  openLiteSubscriber(group: Group, topic: Topic, isWildcard: boolean): LiteSubscriber;
  /** Clients of the group that have named the lite topic, the newest last; no wildcard ones. */
  liteSubscribers(group: Group, topic: Topic, liteTopic: string): readonly LiteSubscriber[];
  /** Names that subscribers hold, of all groups: what RocketMQ's `maxLiteSubscriptionCount` bounds. */
  readonly liteSubscriptionCount: number;
  /**
   * Sets where a group goes on with lite topics; those that are not there are passed over, as the group begins with the
   * first message of a new one. What is in flight there is given up. Resolves when it is stored.
   */
  setLiteOffsets(group: Group, topic: Topic, liteTopics: readonly string[], target: LiteOffsetTarget): Promise<void>;
  /** How many lite topics there are below a topic; without one, on the shard. */
  liteTopicCount(topic?: Topic): number;
  /** undefined when there is none. */
  liteTopic(topic: Topic, liteTopic: string): LiteTopicInfo | undefined;
  /** @param after the page begins behind this name; '' for the first page. @param countMax at least 1 */
  liteTopics(topic: Topic, after: string, countMax: number): LiteTopicPage;
  /** How a group stands to a lite topic; undefined when there is no such lite topic. */
  liteProgress(group: Group, topic: Topic, liteTopic: string): QueueProgress | undefined;
  /** Looks at all lite topics of the group: not for every second. @param topCount of those to be named */
  liteLag(group: Group, topic: Topic, topCount: number): LiteGroupLag;
}
