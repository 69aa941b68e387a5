import type { StandingFields } from './standing.ts';
import type { GroupConfig, RetryPolicy, TopicConfig, TopicMessageType } from './types.ts';

/*
 * Topics and groups are few and change seldom: their records and the snapshot section are JSON in UTF-8, which takes
 * new fields without a new format. Names from outside appear only as array elements and values, never as keys.
 */

interface TopicFields {
  name: string;
  readQueueCount: number;
  writeQueueCount: number;
  permission: number;
  messageType: TopicMessageType;
  retentionMs: number | null;
  retentionBytes: number | null;
  autoCreated: boolean;
  attributes: [string, string][];
}

interface GroupFields {
  name: string;
  consumeEnable: boolean;
  consumeMessageOrderly: boolean;
  retryMaxTimes: number;
  retryPolicy: RetryPolicy;
  autoCreated: boolean;
  attributes: [string, string][];
}

/** A topic's configuration as plain JSON values. */
export function topicToFields(config: TopicConfig): TopicFields {
  return {
    name: config.name,
    readQueueCount: config.readQueueCount,
    writeQueueCount: config.writeQueueCount,
    permission: config.permission,
    messageType: config.messageType,
    retentionMs: config.retentionMs ?? null,
    retentionBytes: config.retentionBytes ?? null,
    autoCreated: config.autoCreated,
    attributes: [...config.attributes],
  };
}

/** The way back from `topicToFields`. */
export function topicFromFields(fields: TopicFields): TopicConfig {
  return {
    name: fields.name,
    readQueueCount: fields.readQueueCount,
    writeQueueCount: fields.writeQueueCount,
    permission: fields.permission,
    messageType: fields.messageType,
    retentionMs: fields.retentionMs ?? undefined,
    retentionBytes: fields.retentionBytes ?? undefined,
    autoCreated: fields.autoCreated,
    attributes: new Map(fields.attributes),
  };
}

/** A group's configuration as plain JSON values. */
export function groupToFields(config: GroupConfig): GroupFields {
  return {
    name: config.name,
    consumeEnable: config.consumeEnable,
    consumeMessageOrderly: config.consumeMessageOrderly,
    retryMaxTimes: config.retryMaxTimes,
    retryPolicy: config.retryPolicy,
    autoCreated: config.autoCreated,
    attributes: [...config.attributes],
  };
}

/** The way back from `groupToFields`. */
export function groupFromFields(fields: GroupFields): GroupConfig {
  return {
    name: fields.name,
    consumeEnable: fields.consumeEnable,
    consumeMessageOrderly: fields.consumeMessageOrderly,
    retryMaxTimes: fields.retryMaxTimes,
    retryPolicy: fields.retryPolicy,
    autoCreated: fields.autoCreated,
    attributes: new Map(fields.attributes),
  };
}

/** Payload of a record that creates or alters a topic. */
export function encodeTopicConfig(config: TopicConfig): Uint8Array {
  return Buffer.from(JSON.stringify(topicToFields(config)), 'utf8');
}

export function decodeTopicConfig(payload: Uint8Array): TopicConfig {
  return topicFromFields(JSON.parse(textOf(payload)) as TopicFields);
}

/** Payload of a record that creates or alters a group. */
export function encodeGroupConfig(config: GroupConfig): Uint8Array {
  return Buffer.from(JSON.stringify(groupToFields(config)), 'utf8');
}

export function decodeGroupConfig(payload: Uint8Array): GroupConfig {
  return groupFromFields(JSON.parse(textOf(payload)) as GroupFields);
}

interface SnapshotFields {
  version: number;
  secret: string;
  nextTopicUid: number;
  nextQueueUid: number;
  nextGroupUid: number;
  /** Left out while nothing was said. */
  standing?: StandingFields;
  topics: (TopicFields & { uid: number; createdMs: number; queueUids: number[] })[];
  groups: (GroupFields & { uid: number; createdMs: number })[];
}

export type { SnapshotFields as MetadataFields };

export function encodeMetadata(fields: SnapshotFields): Uint8Array {
  return Buffer.from(JSON.stringify(fields), 'utf8');
}

export function decodeMetadata(bytes: Uint8Array): SnapshotFields {
  return JSON.parse(textOf(bytes)) as SnapshotFields;
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
