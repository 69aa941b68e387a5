import {
  DigestType,
  Encoding,
  type Message,
  MessageType,
  type SendMessageResponse,
  type SendResultEntry,
  type SystemProperties,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import { type Answer, codeName } from '../answer.ts';
import type { Outcome } from '../outcome.ts';
import type { Probe } from '../probe.ts';
import { duration, type MessageWish, newMessage, resource, timestamp } from '../requests.ts';
import type { TopicType, TopicWish } from '../targets.ts';
import type { World } from '../world.ts';
import { outcomesOf } from './cases.ts';

const MIB = 1024 * 1024;
const HOUR_MS = 3_600_000;

/** Names that the original keeps for itself. */
const RESERVED = (
  'TRACE_ON MSG_REGION KEYS TAGS WAIT DELAY RETRY_TOPIC REAL_TOPIC REAL_QID TRAN_MSG PGROUP MIN_OFFSET MAX_OFFSET ' +
  'BUYER_ID ORIGIN_MESSAGE_ID TRANSFER_FLAG CORRECTION_FLAG MQ2_FLAG RECONSUME_TIME UNIQ_KEY MAX_RECONSUME_TIMES ' +
  'CONSUME_START_TIME POP_CK POP_CK_OFFSET 1ST_POP_TIME TRAN_PREPARED_QUEUE_OFFSET DUP_INFO EXTEND_UNIQ_INFO ' +
  'INSTANCE_ID CORRELATION_ID REPLY_TO_CLIENT TTL ARRIVE_TIME PUSH_REPLY_TIME CLUSTER MSG_TYPE ' +
  'INNER_MULTI_QUEUE_OFFSET TIMER_DELAY_MS TIMER_DELAY_SEC TIMER_DELIVER_MS TIMER_ENQUEUE_MS TIMER_DEQUEUE_MS ' +
  'TIMER_ROLL_TIMES TIMER_OUT_MS TIMER_DEL_UNIQKEY TIMER_DELAY_LEVEL __BORNHOST BORN_TIMESTAMP DLQ_ORIGIN_TOPIC ' +
  'DLQ_ORIGIN_MESSAGE_ID __CRC32# ORIGIN_GROUP _SYS_MSG_PRIORITY_ __LITE_TOPIC __SHARDINGKEY TRACE_CONTEXT ' +
  '__transactionId__ TRANSACTION_CHECK_TIMES CHECK_IMMUNITY_TIME_IN_SECONDS INNER_NUM INNER_BASE __RMQ.TRANSIENT.X ' +
  '__RMQ_anything rmq_anything'
).split(' ');

/** What a producer was told, without what is made anew each time. */
export function describeSend({ code, response }: Answer<SendMessageResponse>): Outcome {
  const entries = response?.entries ?? [];
  if (entries.length === 0) return code;
  return { code, entries: entries.map(({ status }) => codeName(status)), recallable: entries.some(isRecallable) };
}

function isRecallable({ recallHandle }: SendResultEntry): boolean {
  return recallHandle !== '';
}

async function sendAll(world: World, messages: Message[]): Promise<Outcome> {
  const client = world.client();
  return describeSend(await client.call('sendMessage', { messages }));
}

/** A probe whose cases each send one message to a topic of `type`; the outcome of each is its code. */
function codes(id: string, type: TopicType, cases: Readonly<Record<string, MessageWish>>): Probe {
  return {
    id,
    topics: { topic: { type } },
    run: async (world) => {
      const client = await world.producer(world.name('topic'));
      return outcomesOf(cases, async (wish) => (await world.send(client, world.name('topic'), wish)).code);
    },
  };
}

const system = (properties: Partial<SystemProperties>): MessageWish => ({ system: properties });
const properties = (userProperties: Record<string, string>): MessageWish => ({ userProperties });
const in_ = (milliseconds: number) => timestamp(Date.now() + milliseconds);

const bodies = codes('send.bodies', 'NORMAL', {
  empty: { body: Buffer.alloc(0) },
  'one byte': { body: Buffer.alloc(1) },
  '4 MiB': { body: Buffer.alloc(4 * MIB) },
  '4 MiB and a byte': { body: Buffer.alloc(4 * MIB + 1) },
  '8 MiB': { body: Buffer.alloc(8 * MIB) },
});

const tags = codes('send.tags', 'NORMAL', {
  empty: system({ tag: '' }),
  blank: system({ tag: '  ' }),
  'with a bar': system({ tag: 'a|b' }),
  'with two bars': system({ tag: 'a||b' }),
  'with a control character': system({ tag: 'a\u0001b' }),
  'with a new line': system({ tag: 'a\nb' }),
  'with a space': system({ tag: 'a b' }),
  'with an umlaut': system({ tag: 'größe' }),
  'with an asterisk': system({ tag: '*' }),
  'of 16 KiB': system({ tag: 't'.repeat(16 * 1024) }),
  'of 16 KiB and a byte': system({ tag: 't'.repeat(16 * 1024 + 1) }),
});

const keys = codes('send.keys', 'NORMAL', {
  empty: system({ keys: [''] }),
  blank: system({ keys: [' '] }),
  'one of two blank': system({ keys: ['a', ' '] }),
  'with a space': system({ keys: ['a b'] }),
  'with a control character': system({ keys: ['a\u0002'] }),
  'with an umlaut': system({ keys: ['schlüssel'] }),
  'the same twice': system({ keys: ['a', 'a'] }),
  '200 of them': system({ keys: Array.from({ length: 200 }, (_, index) => `key-${index}`) }),
  'too long': system({ keys: ['k'.repeat(16 * 1024 + 1)] }),
});

const messageIds = codes('send.message-ids', 'NORMAL', {
  empty: system({ messageId: '' }),
  blank: system({ messageId: '  ' }),
  'any text': system({ messageId: 'any text: größe' }),
  'with a control character': system({ messageId: 'a\u0003' }),
  'of 1,000 characters': system({ messageId: 'i'.repeat(1000) }),
});

const messageGroups = codes('send.message-groups', 'FIFO', {
  none: {},
  empty: system({ messageGroup: '', messageType: MessageType.FIFO }),
  blank: system({ messageGroup: ' ', messageType: MessageType.FIFO }),
  '63 bytes': system({ messageGroup: 'g'.repeat(63), messageType: MessageType.FIFO }),
  '64 bytes': system({ messageGroup: 'g'.repeat(64), messageType: MessageType.FIFO }),
  '65 bytes': system({ messageGroup: 'g'.repeat(65), messageType: MessageType.FIFO }),
  '32 umlauts': system({ messageGroup: 'ü'.repeat(32), messageType: MessageType.FIFO }),
  'with a control character': system({ messageGroup: 'a\u0004', messageType: MessageType.FIFO }),
  'with a space': system({ messageGroup: 'a b', messageType: MessageType.FIFO }),
  'the type says NORMAL': system({ messageGroup: 'a', messageType: MessageType.NORMAL }),
  'the type says FIFO, and there is no group': system({ messageType: MessageType.FIFO }),
});

const userProperties = codes('send.properties', 'NORMAL', {
  'an empty key': properties({ '': 'value' }),
  'a blank key': properties({ ' ': 'value' }),
  'an empty value': properties({ key: '' }),
  'a control character in a key': properties({ 'a\u0001': 'value' }),
  'a control character in a value': properties({ key: 'a\u0001' }),
  'a new line in a value': properties({ key: 'a\nb' }),
  'the second separator in a value': properties({ key: 'a\u0002b' }),
  'a C1 control character': properties({ key: 'a\u0085b' }),
  'an umlaut in a key': properties({ größe: 'value' }),
  'a dot in a key': properties({ 'a.b': 'value' }),
  'a space in a key': properties({ 'a b': 'value' }),
  '128 of them': properties(many(128)),
  '129 of them': properties(many(129)),
  '16 KiB': properties({ key: 'v'.repeat(16 * 1024 - 3) }),
  '16 KiB and a byte': properties({ key: 'v'.repeat(16 * 1024 - 2) }),
  '16 KiB of umlauts': properties({ key: 'ü'.repeat(8 * 1024) }),
  '16 KiB with the tag': { userProperties: { key: 'v'.repeat(16 * 1024 - 4) }, system: { tag: 'ab' } },
  '16 KiB with the keys': { userProperties: { key: 'v'.repeat(16 * 1024 - 4) }, system: { keys: ['ab'] } },
});

const reserved = codes(
  'send.reserved-properties',
  'NORMAL',
  Object.fromEntries(RESERVED.map((key) => [key, properties({ [key]: '1' })])),
);

const deliveryTimes = codes('send.delivery-times', 'DELAY', {
  'an hour ago': system({ deliveryTimestamp: in_(-HOUR_MS), messageType: MessageType.DELAY }),
  now: system({ deliveryTimestamp: in_(0), messageType: MessageType.DELAY }),
  '1970': system({ deliveryTimestamp: timestamp(0), messageType: MessageType.DELAY }),
  'before 1970': system({ deliveryTimestamp: timestamp(-1000), messageType: MessageType.DELAY }),
  'in an hour': system({ deliveryTimestamp: in_(HOUR_MS), messageType: MessageType.DELAY }),
  'in 23 hours': system({ deliveryTimestamp: in_(23 * HOUR_MS), messageType: MessageType.DELAY }),
  'in 25 hours': system({ deliveryTimestamp: in_(25 * HOUR_MS), messageType: MessageType.DELAY }),
  'in 4 days': system({ deliveryTimestamp: in_(96 * HOUR_MS), messageType: MessageType.DELAY }),
  'in 400 days': system({ deliveryTimestamp: in_(400 * 24 * HOUR_MS), messageType: MessageType.DELAY }),
  none: {},
  'none, and the type says DELAY': system({ messageType: MessageType.DELAY }),
  'the type says NORMAL': system({ deliveryTimestamp: in_(HOUR_MS) }),
});

const priorities = codes('send.priorities', 'PRIORITY', {
  none: {},
  'none, and the type says PRIORITY': system({ messageType: MessageType.PRIORITY }),
  '0': system({ priority: 0, messageType: MessageType.PRIORITY }),
  '1': system({ priority: 1, messageType: MessageType.PRIORITY }),
  '1,000': system({ priority: 1000, messageType: MessageType.PRIORITY }),
  'the largest': system({ priority: 0x7fff_ffff, messageType: MessageType.PRIORITY }),
  '-1': system({ priority: -1, messageType: MessageType.PRIORITY }),
  'the type says NORMAL': system({ priority: 1 }),
});

const halves = codes('send.recovery-durations', 'TRANSACTION', {
  none: system({ messageType: MessageType.TRANSACTION }),
  '0': half(0),
  '1 s': half(1_000),
  '1 ms': half(1),
  '3,600 s': half(3_600_000),
  '3,601 s': half(3_601_000),
  negative: half(-1_000),
});

const odd = codes('send.odd-fields', 'NORMAL', {
  'body encoding not given': system({ bodyEncoding: Encoding.ENCODING_UNSPECIFIED }),
  'body encoding GZIP of a body that is none': system({ bodyEncoding: Encoding.GZIP }),
  'body encoding unknown': system({ bodyEncoding: 99 as Encoding }),
  'message type not given': system({ messageType: MessageType.MESSAGE_TYPE_UNSPECIFIED }),
  'message type unknown': system({ messageType: 99 as MessageType }),
  'born timestamp not given': system({ bornTimestamp: undefined }),
  'born in the future': system({ bornTimestamp: in_(HOUR_MS) }),
  'born host not given': system({ bornHost: '' }),
  'a digest that does not fit': system({ bodyDigest: { type: DigestType.MD5, checksum: '0'.repeat(32) } }),
  'a digest without type': system({ bodyDigest: { type: DigestType.DIGEST_TYPE_UNSPECIFIED, checksum: '' } }),
  'queue 1,000': system({ queueId: 1000 }),
  'queue -1': system({ queueId: -1 }),
  'a delivery attempt': system({ deliveryAttempt: 7 }),
  'a receipt handle': system({ receiptHandle: 'handle' }),
  'a trace context': system({ traceContext: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' }),
  'a trace context with a control character': system({ traceContext: 'a\u0001b' }),
});

function half(milliseconds: number): MessageWish {
  const orphanedTransactionRecoveryDuration = duration(milliseconds);
  return system({ messageType: MessageType.TRANSACTION, orphanedTransactionRecoveryDuration });
}

function many(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`key-${index}`, 'value']));
}

/** A message of each kind, and what makes it one. */
const KINDS: Readonly<Record<string, () => MessageWish>> = {
  normal: () => ({}),
  fifo: () => system({ messageGroup: 'g', messageType: MessageType.FIFO }),
  delay: () => system({ deliveryTimestamp: in_(HOUR_MS), messageType: MessageType.DELAY }),
  transaction: () => system({ messageType: MessageType.TRANSACTION }),
  priority: () => system({ priority: 1, messageType: MessageType.PRIORITY }),
  'fifo and delay': () => system({ messageGroup: 'g', deliveryTimestamp: in_(HOUR_MS) }),
  'fifo and priority': () => system({ messageGroup: 'g', priority: 1 }),
  'delay and priority': () => system({ deliveryTimestamp: in_(HOUR_MS), priority: 1 }),
  'transaction and fifo': () => system({ messageGroup: 'g', messageType: MessageType.TRANSACTION }),
  'transaction and delay': () => system({ deliveryTimestamp: in_(HOUR_MS), messageType: MessageType.TRANSACTION }),
  'transaction and priority': () => system({ priority: 1, messageType: MessageType.TRANSACTION }),
};
const TYPES: readonly TopicType[] = ['NORMAL', 'FIFO', 'DELAY', 'TRANSACTION', 'PRIORITY', 'MIXED'];

const types: readonly Probe[] = TYPES.map((type) => ({
  id: `send.to-${type}-topic`,
  topics: { topic: { type } },
  run: async (world) => {
    const client = await world.producer(world.name('topic'));
    return outcomesOf(KINDS, async (wish) => {
      const messages = [newMessage(world.name('topic'), wish())];
      return describeSend(await client.call('sendMessage', { messages }));
    });
  },
}));

const batchTopics: Readonly<Record<string, TopicWish>> = {
  normal: { type: 'NORMAL' },
  other: { type: 'NORMAL' },
  fifo: { type: 'FIFO' },
  delay: { type: 'DELAY' },
  transaction: { type: 'TRANSACTION' },
  mixed: { type: 'MIXED' },
};
/** Topic and wish of each message of a batch. */
type Batch = readonly (readonly [topic: string, wish: MessageWish])[];
const BATCHES: Readonly<Record<string, Batch>> = {
  'no message': [],
  'two messages': [
    ['normal', {}],
    ['normal', {}],
  ],
  'two topics': [
    ['normal', {}],
    ['other', {}],
  ],
  'one message of two wrong': [
    ['normal', {}],
    ['normal', system({ tag: 'a|b' })],
  ],
  'two of one message group': [
    ['fifo', KINDS['fifo']!()],
    ['fifo', KINDS['fifo']!()],
  ],
  'two of different message groups': [
    ['fifo', KINDS['fifo']!()],
    ['fifo', system({ messageGroup: 'h', messageType: MessageType.FIFO })],
  ],
  'two timed messages': [
    ['delay', KINDS['delay']!()],
    ['delay', KINDS['delay']!()],
  ],
  'two halves': [
    ['transaction', KINDS['transaction']!()],
    ['transaction', KINDS['transaction']!()],
  ],
  'a normal and a FIFO message': [
    ['mixed', {}],
    ['mixed', KINDS['fifo']!()],
  ],
  'the same message id twice': [
    ['normal', system({ messageId: 'the-same' })],
    ['normal', system({ messageId: 'the-same' })],
  ],
};

const batches: Probe = {
  id: 'send.batches',
  topics: batchTopics,
  run: (world) =>
    outcomesOf(BATCHES, (batch) =>
      sendAll(
        world,
        batch.map(([topic, wish]) => newMessage(world.name(topic), wish)),
      ),
    ),
};

const whole: Probe = {
  id: 'send.incomplete-messages',
  topics: { topic: { type: 'NORMAL' } },
  run: (world) => {
    const message = newMessage(world.name('topic'));
    const other = newMessage(world.name('topic'));
    const cases: Record<string, Message[]> = {
      'no system properties': [{ ...message, systemProperties: undefined }],
      'no topic': [{ ...message, topic: undefined }],
      'a namespace': [{ ...message, topic: resource(world.name('topic'), 'space') }],
      'two namespaces': [message, { ...other, topic: resource(world.name('topic'), 'space') }],
    };
    return outcomesOf(cases, async (messages) => {
      const answer = await world.client().call('sendMessage', { messages });
      return answer.code;
    });
  },
};

const permissions: Probe = {
  id: 'send.permissions',
  topics: {
    'read-only': { type: 'NORMAL', permission: 4 },
    'write-only': { type: 'NORMAL', permission: 2 },
    neither: { type: 'NORMAL', permission: 0 },
  },
  run: (world) =>
    outcomesOf({ 'read-only': 0, 'write-only': 0, neither: 0 }, async (_, topic) => {
      const client = world.client();
      return (await world.send(client, world.name(topic))).code;
    }),
};

const answers: Probe = {
  id: 'send.fields-of-the-answer',
  topics: {
    normal: { type: 'NORMAL', writeQueueCount: 1 },
    transaction: { type: 'TRANSACTION' },
    delay: { type: 'DELAY' },
  },
  run: (world) =>
    outcomesOf({ normal: 'normal', transaction: 'transaction', delay: 'delay' }, async (topic) => {
      const client = await world.producer(world.name(topic));
      await world.send(client, world.name(topic), KINDS[topic]!());
      const { entry, message } = await world.send(client, world.name(topic), KINDS[topic]!());
      if (entry === undefined) return 'no entry';
      const { messageId } = message.systemProperties!;
      return {
        messageId: entry.messageId === messageId ? 'as sent' : 'another',
        transactionId:
          entry.transactionId === '' ? 'none' : entry.transactionId === messageId ? 'the message id' : 'some',
        recallHandle: entry.recallHandle === '' ? 'none' : 'some',
        offset: topic === 'normal' ? Number(entry.offset) : 'not looked at',
      };
    }),
};

const repeated: Probe = {
  id: 'send.the-same-id-twice',
  topics: { topic: { type: 'NORMAL' } },
  run: async (world) => {
    const client = await world.producer(world.name('topic'));
    const message = newMessage(world.name('topic'));
    const first = await client.call('sendMessage', { messages: [message] });
    const second = await client.call('sendMessage', { messages: [message] });
    const consumer = await world.consumer(world.name('group'), world.name('topic'));
    const got = await world.collect(consumer, 2, { topic: world.name('topic'), group: world.name('group') }, 9_000);
    return {
      codes: [first.code, second.code],
      'the same offset': first.response?.entries[0]?.offset === second.response?.entries[0]?.offset,
      'messages received': got.length,
    };
  },
};

/** SendMessage: every rule about messages, and what is answered. */
export const sendProbes: readonly Probe[] = [
  ...[bodies, tags, keys, messageIds, messageGroups, userProperties, reserved, deliveryTimes, priorities, halves, odd],
  ...types,
  ...[batches, whole, permissions, answers, repeated],
];
