import type { ShardStanding } from './standing.ts';

/** Message types that a topic can hold (attribute `message.type`); MIXED takes all. */
export type TopicMessageType = 'NORMAL' | 'FIFO' | 'DELAY' | 'TRANSACTION' | 'PRIORITY' | 'LITE' | 'MIXED';

/** What an administrator (or the first message) says about a topic. */
export interface TopicConfig {
  readonly name: string;
  /** 1…1024. Consumers see queues 0…readQueueCount−1. */
  readonly readQueueCount: number;
  /** 1…1024. Producers write to queues 0…writeQueueCount−1. */
  readonly writeQueueCount: number;
  /** RocketMQ's bits: 4 read, 2 write. */
  readonly permission: number;
  readonly messageType: TopicMessageType;
  /** Messages older than this may go (attribute `reserve.time`); undefined = the cluster's retention. Milliseconds. */
  readonly retentionMs: number | undefined;
  /** The topic's messages beyond this may go, oldest first; undefined = no limit of its own. Bytes. */
  readonly retentionBytes: number | undefined;
  /** Nobody asked for it by name: the first message made it. */
  readonly autoCreated: boolean;
  /** Further attributes, kept as they were given. */
  readonly attributes: ReadonlyMap<string, string>;
}

/** One message queue of a topic. */
export interface Queue {
  /** Number of this queue in the shard; never used again. */
  readonly uid: number;
  /** Queue id as clients see it. */
  readonly id: number;
  readonly topicUid: number;
}

export interface Topic extends TopicConfig {
  /** Number of this topic in the shard; never used again, also not by a topic of the same name. */
  readonly uid: number;
  /** max(readQueueCount, writeQueueCount) queues, by id; shrinking keeps them, growing adds. */
  readonly queues: readonly Queue[];
  readonly createdMs: number;
}

/** Retry policy of a group: when a message that was not acked is given again. Durations in milliseconds. */
export type RetryPolicy =
  | { readonly kind: 'customized'; readonly delaysMs: readonly number[] }
  | { readonly kind: 'exponential'; readonly initialMs: number; readonly maxMs: number; readonly multiplier: number };

export interface GroupConfig {
  readonly name: string;
  readonly consumeEnable: boolean;
  /** FIFO: order within a message group holds; told to clients in their settings. */
  readonly consumeMessageOrderly: boolean;
  /** Deliveries after the first one, ≥ 0; then the message is a dead letter. */
  readonly retryMaxTimes: number;
  readonly retryPolicy: RetryPolicy;
  readonly autoCreated: boolean;
  readonly attributes: ReadonlyMap<string, string>;
}

export interface Group extends GroupConfig {
  /** Number of this group in the shard; never used again. */
  readonly uid: number;
  readonly createdMs: number;
}

/** Reading side of the metadata view. */
export interface Metadata {
  topic(name: string): Topic | undefined;
  topicByUid(uid: number): Topic | undefined;
  topics(): IterableIterator<Topic>;
  group(name: string): Group | undefined;
  groupByUid(uid: number): Group | undefined;
  groups(): IterableIterator<Group>;
  /** No topic and no group was ever made here. */
  readonly isNew: boolean;
  /** What was said about the shard as a whole. */
  readonly standing: ShardStanding;
  /** Raised by every change. */
  readonly version: number;
  /** 32 random bytes made when the shard was created; part of the log, so it survives restarts and failover. */
  readonly secret: Uint8Array;
}
