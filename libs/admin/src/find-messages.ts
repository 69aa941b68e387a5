import { MqError, quoted } from '@orbitmq/base';
import { Message } from '@orbitmq/protocol/apache.rocketmq.v2';
import type {
  FindMessagesRequest,
  FindMessagesResponse,
  ReadMessagesRequest,
  ReadMessagesResponse,
  TellStoryRequest,
  TellStoryResponse,
  StoredMessage as WireMessage,
} from '@orbitmq/protocol/orbitmq.admin.v1';
import type { FoundMessage, MessageBytes, Shard } from '@orbitmq/shard';
import type { Topic } from '@orbitmq/views';
import { topicNamed } from './lookup.ts';

const FOUND_MAX = 64;
const READ_MAX = 32;
/** One answer holds no more bodies than this, but at least one message. Bytes. */
const ANSWER_BYTES_MAX = 1024 * 1024;
const KEY_LENGTH_MAX = 4096;

/**
 * FindMessages.
 * @throws MqError BAD_REQUEST for what is out of range, TOPIC_NOT_FOUND, OFFSET_NOT_FOUND
 */
export async function findMessages(shard: Shard, request: FindMessagesRequest): Promise<FindMessagesResponse> {
  const { messageId, key, physicalOffset, place, withBody } = request;
  const topic = request.topic === '' ? undefined : topicNamed(shard, request.topic);
  if (place !== undefined) {
    if (topic === undefined) throw wrong('topic', 'none', 'must be there with the place in a queue');
    return one(await shard.messageInQueue(topic, place.queueId, Number(place.queueOffset)), topic, withBody);
  }
  if (physicalOffset !== undefined) return one(await shard.messageAt(Number(physicalOffset)), topic, withBody);
  const text = messageId ?? key;
  if (text === undefined || text === '') throw wrong('by', 'nothing', 'must be an id, a key or a place');
  if (text.length > KEY_LENGTH_MAX) throw wrong('by', text, `must have at most ${KEY_LENGTH_MAX} characters`);
  const { messages, next } = await shard.findMessages({
    by: messageId === undefined ? 'key' : 'messageId',
    text,
    topic,
    ...timesOf(request),
    countMax: limitOf(request.limit, FOUND_MAX),
    bytesMax: withBody ? ANSWER_BYTES_MAX : Number.POSITIVE_INFINITY,
    before: request.before === undefined ? undefined : Number(request.before),
  });
  return { messages: messages.map((found) => wireMessageOf(found, withBody)), next: bigOrNone(next) };
}

/**
 * ReadMessages.
 * @throws MqError BAD_REQUEST for what is out of range, TOPIC_NOT_FOUND, OFFSET_NOT_FOUND, ILLEGAL_OFFSET
 */
export async function readMessages(shard: Shard, request: ReadMessagesRequest): Promise<ReadMessagesResponse> {
  const topic = topicNamed(shard, request.topic);
  const { queueId, withBody } = request;
  const { beginMs, endMs } = timesOf(request);
  const offset = request.offset === undefined ? await shard.offsetAt(topic, queueId, beginMs) : Number(request.offset);
  const countMax = limitOf(request.limit, READ_MAX);
  const filter = undefined;
  const pulled = await shard.pull({ topic, queueId, offset, filter, countMax, bytesMax: ANSWER_BYTES_MAX });
  const inTime = pulled.messages.filter(({ storeTimestampMs }) => storeTimestampMs <= endMs);
  const isOver = inTime.length < pulled.messages.length || pulled.nextOffset >= pulled.endOffset;
  const messages = inTime.map(({ queueOffset, physicalOffset, storeTimestampMs, message }) => {
    const place = { queueId, queueOffset };
    return wireMessageOf({ topic, place, pending: undefined, physicalOffset, storeTimestampMs, message }, withBody);
  });
  return { messages, nextOffset: isOver ? undefined : BigInt(pulled.nextOffset) };
}

/** TellStory. @throws MqError TOPIC_NOT_FOUND, OFFSET_NOT_FOUND */
export async function tellStory(shard: Shard, { topic, place }: TellStoryRequest): Promise<TellStoryResponse> {
  const { queueId, queueOffset } = place ?? { queueId: 0, queueOffset: 0n };
  const { groups, events, isComplete } = await shard.messageStory(
    topicNamed(shard, topic),
    queueId,
    Number(queueOffset),
  );
  return {
    groups: groups.map(({ leftMs, ...group }) => ({ ...group, leftMs: BigInt(Math.ceil(leftMs)) })),
    events: events.map(({ kind, group, atMs }) => ({ kind, group, atMs: BigInt(atMs) })),
    isComplete,
  };
}

function one(found: FoundMessage | undefined, topic: Topic | undefined, withBody: boolean): FindMessagesResponse {
  const isWanted = found !== undefined && (topic === undefined || found.topic.uid === topic.uid);
  return { messages: isWanted ? [wireMessageOf(found, withBody)] : [], next: undefined };
}

function wireMessageOf(
  found: Pick<FoundMessage, 'topic' | 'place' | 'pending' | 'physicalOffset' | 'storeTimestampMs' | 'message'>,
  withBody: boolean,
): WireMessage {
  const { systemProperties: system, userProperties, body } = decoded(found.message);
  return {
    topic: found.topic.name,
    place: found.place && { queueId: found.place.queueId, queueOffset: BigInt(found.place.queueOffset) },
    pending: found.pending ?? '',
    physicalOffset: BigInt(found.physicalOffset),
    storeTimestampMs: BigInt(found.storeTimestampMs),
    storeHost: system?.storeHost ?? '',
    messageId: system?.messageId ?? '',
    tag: system?.tag ?? '',
    keys: system?.keys ?? [],
    messageGroup: system?.messageGroup ?? '',
    userProperties,
    bornTimestampMs: system?.bornTimestamp
      ? system.bornTimestamp.seconds * 1000n + BigInt(Math.floor(system.bornTimestamp.nanos / 1_000_000))
      : 0n,
    bornHost: system?.bornHost ?? '',
    bodySize: body.length,
    body: withBody ? body : new Uint8Array(0),
  };
}

/** A message as clients see it: its parts lie in the log one behind the other. */
function decoded({ system, rest }: MessageBytes): Message {
  const header: number[] = [(3 << 3) | 2];
  for (let left = system.length; ; left >>>= 7) {
    header.push(left > 0x7f ? (left & 0x7f) | 0x80 : left);
    if (left <= 0x7f) break;
  }
  return Message.decode(Buffer.concat([rest, Buffer.from(header), system]));
}

function timesOf({ beginMs, endMs }: { beginMs: bigint; endMs: bigint }): { beginMs: number; endMs: number } {
  if (beginMs < 0n || endMs < 0n || (endMs > 0n && endMs < beginMs)) {
    throw wrong('begin_ms…end_ms', `${beginMs}…${endMs}`, 'must be times since 1970, the earlier one first');
  }
  return { beginMs: Number(beginMs), endMs: endMs === 0n ? Number.POSITIVE_INFINITY : Number(endMs) };
}

function limitOf(limit: number, limitMax: number): number {
  if (limit >= 0 && limit <= limitMax) return limit || limitMax;
  throw wrong('limit', String(limit), `must be 1…${limitMax}, or 0 for ${limitMax}`);
}

function bigOrNone(value: number | undefined): bigint | undefined {
  return value === undefined ? undefined : BigInt(value);
}

function wrong(field: string, value: string, rule: string): MqError {
  return new MqError('BAD_REQUEST', `${field} is ${quoted(value)}; it ${rule}`);
}
