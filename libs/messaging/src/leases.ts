import { MqError, quoted } from '@orbitmq/base';
import { checkGroupName, checkTopicForm, type ReceiptHandle } from '@orbitmq/protocol';
import { isLiteQueueId, type LeaseOutcome, type LeaseRef } from '@orbitmq/shard';
import type { Group, Topic } from '@orbitmq/views';
import type { ClientLanguage } from './caller.ts';
import type { MessagingContext } from './context.ts';

/**
 * Clients that can't live with INVALID_RECEIPT_HANDLE: Rust repeats it for ever and acks nothing else of the queue,
 * Python keeps the message in its cache for ever.
 */
const UNFORGIVING: ReadonlySet<ClientLanguage> = new Set(['RUST', 'PYTHON']);

/** Topic and group that a consumer names when it settles messages; undefined when there are none (any more). */
export interface Consumption {
  readonly groupName: string;
  readonly topicName: string;
  readonly group: Group | undefined;
  readonly topic: Topic | undefined;
}

/** @throws MqError ILLEGAL_TOPIC, ILLEGAL_CONSUMER_GROUP */
export function consumptionOf(context: MessagingContext, groupName: string, topicName: string): Consumption {
  const { metadata } = context.shard;
  const [group, topic] = [metadata.group(groupName), metadata.topic(topicName)];
  // What is there has a good name.
  if (!group) checkGroupName(groupName);
  if (!topic) checkTopicForm(topicName);
  return { groupName, topicName, group, topic };
}

/**
 * The lease that a receipt handle names: it is genuine, and of this group and topic.
 * @returns undefined when its topic, group or queue has been deleted since, or the lease was lost
 * @throws MqError INVALID_RECEIPT_HANDLE
 */
export function leaseOf(context: MessagingContext, consumption: Consumption, text: string): LeaseRef | undefined {
  const lease = boundLease(context, consumption, context.handles.decode(text));
  if (lease === 'foreign group') throw foreign('consumer group', consumption.groupName, text);
  if (lease === 'foreign topic') throw foreign('topic', consumption.topicName, text);
  return lease;
}

/** As `leaseOf`, of the handle whose text lies at [start, end) of some bytes. */
export function leaseAt(
  context: MessagingContext,
  consumption: Consumption,
  bytes: Buffer,
  start: number,
  end: number,
): LeaseRef | undefined {
  const lease = boundLease(context, consumption, context.handles.decodeAt(bytes, start, end));
  if (typeof lease !== 'string') return lease;
  // For the error's text.
  return leaseOf(context, consumption, bytes.toString('utf8', start, end));
}

function boundLease(
  context: MessagingContext,
  { group, topic }: Consumption,
  { groupUid, topicUid, queueId, queueOffset, leaseId, epoch }: ReceiptHandle,
): LeaseRef | 'foreign group' | 'foreign topic' | undefined {
  const { metadata } = context.shard;
  const owner = metadata.groupByUid(groupUid);
  const source = metadata.topicByUid(topicUid);
  if (owner && owner !== group) return 'foreign group';
  if (source && source !== topic) return 'foreign topic';
  if (!owner || !source || !group || !topic || !hasQueue(topic, queueId)) return undefined;
  if (!context.shard.isKept(epoch, leaseId)) return undefined;
  return { group, topic, queueId, queueOffset, leaseId };
}

function hasQueue({ queues }: Topic, queueId: number): boolean {
  return queueId < queues.length || isLiteQueueId(queueId);
}

/** Whether a client gets OK for a handle that is genuine, but can settle nothing any more. */
export function isForgiven(language: ClientLanguage): boolean {
  return UNFORGIVING.has(language);
}

/** The answer to a handle that is genuine, but can settle nothing any more. */
export function staleHandle(outcome: LeaseOutcome | 'gone', text: string): MqError {
  return new MqError(
    'INVALID_RECEIPT_HANDLE',
    `a receipt handle is that of the last delivery of its message; found ${quoted(text)}, ${REASONS[outcome]}`,
  );
}

const REASONS: Readonly<Record<LeaseOutcome | 'gone', string>> = {
  done: 'which is in order',
  settled: 'whose message has been acknowledged already; nothing is left to do',
  superseded: 'whose message has been handed out again or given a new handle since; use the newest handle',
  unknown: 'whose message this broker does not know as handed out; receive it again',
  gone: 'whose topic or consumer group has been deleted, or which was lost with the last moments before a crash; nothing is left to do',
};

function foreign(what: string, name: string, text: string): MqError {
  return new MqError(
    'INVALID_RECEIPT_HANDLE',
    `a receipt handle is used with its own ${what}; found ${quoted(text)} with ${what} ${quoted(name)}; name the ${what} of the receive`,
  );
}
