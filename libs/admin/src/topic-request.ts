import { HOUR_MS, MqError, quoted, SECOND_MS } from '@orbitmq/base';
import { checkTopicName, LITE_EXPIRATION_ATTRIBUTE } from '@orbitmq/protocol';
import type { PutTopicRequest, Topic as WireTopic } from '@orbitmq/protocol/orbitmq.admin.v1';
import { nearestName } from '@orbitmq/runtime';
import { CHECK_INTERVAL_ATTRIBUTE } from '@orbitmq/shard';
import type { Topic, TopicConfig, TopicMessageType } from '@orbitmq/views';

const QUEUES_MAX = 1024;
const QUEUES_DEFAULT = 8;
const PERMISSION_DEFAULT = 6;
const PERMISSIONS: ReadonlySet<number> = new Set([0, 2, 4, 6]);

const MESSAGE_TYPE = 'message.type';
const RESERVE_TIME = 'reserve.time';
const RESERVE_BYTES = 'reserve.bytes';
/** Longest life of a lite topic without messages: 30 days. Minutes. */
const LITE_EXPIRATION_MAX = 43_200;
/** RocketMQ's attributes that have one value here. */
const FIXED: ReadonlyMap<string, string> = new Map([
  ['queue.type', 'SimpleCQ'],
  ['cleanup.policy', 'DELETE'],
]);
const ATTRIBUTES = [
  MESSAGE_TYPE,
  RESERVE_TIME,
  RESERVE_BYTES,
  CHECK_INTERVAL_ATTRIBUTE,
  LITE_EXPIRATION_ATTRIBUTE,
  ...FIXED.keys(),
];

const TYPES: ReadonlySet<string> = new Set<TopicMessageType>([
  'NORMAL',
  'FIFO',
  'DELAY',
  'TRANSACTION',
  'PRIORITY',
  'LITE',
  'MIXED',
]);

/**
 * The topic that a request asks for, made from what there is and what the request says.
 * @throws MqError ILLEGAL_TOPIC for the name, BAD_REQUEST for any other value, UNSUPPORTED for what has one value here
 */
export function topicConfigOf(request: PutTopicRequest, existing: Topic | undefined): TopicConfig {
  if (!existing) checkTopicName(request.name);
  const attributes = readAttributes(request, existing);
  return {
    name: request.name,
    readQueueCount: queueCountOf(request.readQueueCount ?? existing?.readQueueCount, 'read_queue_count'),
    writeQueueCount: queueCountOf(request.writeQueueCount ?? existing?.writeQueueCount, 'write_queue_count'),
    permission: permissionOf(request.permission ?? existing?.permission ?? PERMISSION_DEFAULT),
    ...attributes,
    autoCreated: false,
  };
}

/** A topic as operators see it. */
export function wireTopicOf(topic: Topic): WireTopic {
  const attributes = new Map(topic.attributes);
  attributes.set(MESSAGE_TYPE, topic.messageType);
  if (topic.retentionMs !== undefined) attributes.set(RESERVE_TIME, String(topic.retentionMs));
  if (topic.retentionBytes !== undefined) attributes.set(RESERVE_BYTES, String(topic.retentionBytes));
  return {
    name: topic.name,
    readQueueCount: topic.readQueueCount,
    writeQueueCount: topic.writeQueueCount,
    permission: topic.permission,
    attributes,
    autoCreated: topic.autoCreated,
    createdMs: BigInt(topic.createdMs),
  };
}

type Attributes = Pick<TopicConfig, 'messageType' | 'retentionMs' | 'retentionBytes' | 'attributes'>;

function readAttributes(request: PutTopicRequest, existing: Topic | undefined): Attributes {
  for (const name of [...request.attributesPut.keys(), ...request.attributesRemoved]) checkAttribute(name);
  const wanted = existing ? new Map(wireTopicOf(existing).attributes) : new Map<string, string>();
  for (const name of request.attributesRemoved) wanted.delete(name);
  for (const [name, value] of request.attributesPut) wanted.set(name, value);
  const attributes = new Map<string, string>();
  for (const [name, only] of FIXED) {
    const value = wanted.get(name);
    if (value === undefined) continue;
    if (value !== only) throw wrong(name, value, `only ${only} is possible`, 'UNSUPPORTED');
    attributes.set(name, value);
  }
  const checkInterval = checkIntervalOf(wanted.get(CHECK_INTERVAL_ATTRIBUTE));
  if (checkInterval !== undefined) attributes.set(CHECK_INTERVAL_ATTRIBUTE, checkInterval);
  const messageType = messageTypeOf(wanted.get(MESSAGE_TYPE));
  const liteExpiration = liteExpirationOf(wanted.get(LITE_EXPIRATION_ATTRIBUTE), messageType);
  if (liteExpiration !== undefined) attributes.set(LITE_EXPIRATION_ATTRIBUTE, liteExpiration);
  return {
    messageType,
    retentionMs: limitOf(RESERVE_TIME, wanted.get(RESERVE_TIME), 'milliseconds'),
    retentionBytes: limitOf(RESERVE_BYTES, wanted.get(RESERVE_BYTES), 'bytes'),
    attributes,
  };
}

function checkAttribute(name: string): void {
  if (ATTRIBUTES.includes(name)) return;
  const nearest = nearestName(name, ATTRIBUTES);
  const remedy = nearest ? `did you mean ${nearest}?` : `there are ${ATTRIBUTES.join(', ')}`;
  throw new MqError('BAD_REQUEST', `there is no topic attribute ${quoted(name)}; ${remedy}`);
}

function messageTypeOf(value: string | undefined): TopicMessageType {
  const type = value?.toUpperCase() ?? 'NORMAL';
  if (TYPES.has(type)) return type as TopicMessageType;
  throw wrong(MESSAGE_TYPE, type, `must be ${[...TYPES].join(' or ')}`);
}

function liteExpirationOf(value: string | undefined, type: TopicMessageType): string | undefined {
  if (value === undefined) return undefined;
  if (type !== 'LITE')
    throw wrong(LITE_EXPIRATION_ATTRIBUTE, value, `only a topic of type LITE has it; this one is ${type}`);
  if (value === '-1' || (/^[1-9]\d{0,4}$/.test(value) && Number(value) <= LITE_EXPIRATION_MAX)) return value;
  throw wrong(LITE_EXPIRATION_ATTRIBUTE, value, `must be 1…${LITE_EXPIRATION_MAX} minutes, or -1 for never`);
}

function limitOf(name: string, value: string | undefined, unit: string): number | undefined {
  if (value === undefined || value === '-1') return undefined;
  if (/^[1-9]\d{0,14}$/.test(value)) return Number(value);
  throw wrong(name, value, `must be a whole number of ${unit}, or -1 for no limit of its own`);
}

function checkIntervalOf(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  const milliseconds = /^[1-9]\d{3,6}$/.test(value) ? Number(value) : 0;
  if (milliseconds >= SECOND_MS && milliseconds <= HOUR_MS) return value;
  throw wrong(CHECK_INTERVAL_ATTRIBUTE, value, `must be ${SECOND_MS}…${HOUR_MS} milliseconds`);
}

function queueCountOf(count: number | undefined, field: string): number {
  const value = count ?? QUEUES_DEFAULT;
  if (value >= 1 && value <= QUEUES_MAX) return value;
  throw wrong(field, String(value), `must be 1…${QUEUES_MAX}`);
}

function permissionOf(permission: number): number {
  if (PERMISSIONS.has(permission)) return permission;
  throw wrong('permission', String(permission), 'must be 2 (write), 4 (read), 6 (both) or 0 (neither)');
}

function wrong(
  field: string,
  value: string,
  rule: string,
  code: 'BAD_REQUEST' | 'UNSUPPORTED' = 'BAD_REQUEST',
): MqError {
  return new MqError(code, `${field} is ${quoted(value)}; ${rule}`);
}
