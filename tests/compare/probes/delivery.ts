import { gzipSync } from 'node:zlib';
import { ClientType, DigestType, Encoding, type Message, MessageType } from '@orbitmq/protocol/apache.rocketmq.v2';
import { describeMessage } from '../describe.ts';
import type { Outcome } from '../outcome.ts';
import type { Probe } from '../probe.ts';
import { consumerSettings, duration, type MessageWish, newMessage, resource, timestamp } from '../requests.ts';
import type { GroupWish, TopicType, TopicWish } from '../targets.ts';
import type { World } from '../world.ts';
import { outcomesOf } from './cases.ts';

const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

/** Messages of every kind, each to a topic of its own. */
const MESSAGES: Readonly<Record<string, { readonly type: TopicType; readonly wish: () => MessageWish }>> = {
  plain: { type: 'NORMAL', wish: () => ({}) },
  full: {
    type: 'NORMAL',
    wish: () => ({
      userProperties: { color: 'red', 'with a space': 'größe', 'TRACE_CONTEXT-like': 'x' },
      system: { tag: 'a', keys: ['one', 'two'], traceContext: TRACE },
    }),
  },
  'with a digest': {
    type: 'NORMAL',
    wish: () => ({ system: { bodyDigest: { type: DigestType.CRC32, checksum: '12345678' } } }),
  },
  'with gzip': {
    type: 'NORMAL',
    wish: () => ({ body: gzipSync('hello '.repeat(100)), system: { bodyEncoding: Encoding.GZIP } }),
  },
  'without encoding': { type: 'NORMAL', wish: () => ({ system: { bodyEncoding: Encoding.ENCODING_UNSPECIFIED } }) },
  'without born host': { type: 'NORMAL', wish: () => ({ system: { bornHost: '' } }) },
  'without born timestamp': { type: 'NORMAL', wish: () => ({ system: { bornTimestamp: undefined } }) },
  'with an empty tag': { type: 'NORMAL', wish: () => ({ system: { tag: '' } }) },
  'with an empty key': { type: 'NORMAL', wish: () => ({ system: { keys: ['', 'one'] } }) },
  'with a key of two words': { type: 'NORMAL', wish: () => ({ system: { keys: ['two words', 'three'] } }) },
  'with odd properties': {
    type: 'NORMAL',
    wish: () => ({ userProperties: { '': 'no key', empty: '', __SHARDINGKEY_: 'x', rmq_anything: 'y' } }),
  },
  fifo: { type: 'FIFO', wish: () => ({ system: { messageGroup: 'group 1', messageType: MessageType.FIFO } }) },
  delayed: {
    type: 'DELAY',
    wish: () => ({ system: { deliveryTimestamp: timestamp(Date.now() + 3_000), messageType: MessageType.DELAY } }),
  },
  'delayed into the past': {
    type: 'DELAY',
    wish: () => ({ system: { deliveryTimestamp: timestamp(Date.now() - 60_000), messageType: MessageType.DELAY } }),
  },
  prioritized: { type: 'PRIORITY', wish: () => ({ system: { priority: 1, messageType: MessageType.PRIORITY } }) },
  'with priority 0': { type: 'PRIORITY', wish: () => ({ system: { priority: 0, messageType: MessageType.PRIORITY } }) },
  'with priority 9': { type: 'PRIORITY', wish: () => ({ system: { priority: 9, messageType: MessageType.PRIORITY } }) },
};
const KEYS = Object.keys(MESSAGES);
const topicOf = (name: string): string => `topic-${KEYS.indexOf(name)}`;

/** A message as it comes, field by field. */
const contents: Probe = {
  id: 'delivery.contents',
  topics: Object.fromEntries(
    Object.entries(MESSAGES).map(([name, { type }]): [string, TopicWish] => [
      topicOf(name),
      { type, readQueueCount: 4, writeQueueCount: 4 },
    ]),
  ),
  run: (world) =>
    outcomesOf(MESSAGES, async ({ wish }, name) => {
      const [topic, group] = [world.name(topicOf(name)), world.name(`group-${KEYS.indexOf(name)}`)];
      const producer = await world.producer(topic);
      const { code, message } = await world.send(producer, topic, wish());
      if (code !== 'OK') return code;
      const consumer = await world.consumer(group, topic);
      return describeMessage(world, await world.collectOne(consumer, { topic, group }), message);
    }),
};

/** Topic with a namespace, seen by a consumer with and without one. */
const namespaces: Probe = {
  id: 'delivery.namespaces',
  topics: { topic: { type: 'NORMAL' } },
  run: async (world) => {
    const topic = world.name('topic');
    const producer = await world.producer(topic);
    await world.send(producer, topic);
    const other = newMessage(topic, { system: { keys: ['space'] } });
    await producer.call('sendMessage', { messages: [{ ...other, topic: resource(topic, 'space') }] });
    return outcomesOf(
      { 'a consumer without': '', 'a consumer with': 'space', 'with another': 'other' },
      async (space) => {
        const group = world.name(`group-${space}`);
        const client = await world.consumer(group, topic);
        const request = world.receiveRequest({ topic, group });
        const messageQueue = { ...request.messageQueue!, topic: resource(topic, space) };
        const got: Message[] = [];
        for (let attempt = 0; attempt < 4 && got.length < 2; attempt++) {
          const { response } = await client.stream('receiveMessage', {
            ...request,
            group: resource(group, space),
            messageQueue,
          });
          got.push(...(response ?? []).flatMap((part) => part.message ?? []));
        }
        return got
          .map(
            ({ topic: of, systemProperties }) =>
              `${systemProperties!.keys.join() || 'none'}: "${of?.resourceNamespace}"`,
          )
          .sort();
      },
    );
  },
};

/** What is told about a receive besides its messages. */
const invisible: Probe = {
  id: 'delivery.invisible-time',
  topics: { topic: { type: 'NORMAL' } },
  groups: { group: { retryMaxTimes: 16, retryDelaysMs: [1_000] } },
  run: async (world) => {
    const [topic, group] = [world.name('topic'), world.name('group')];
    const producer = await world.producer(topic);
    await world.send(producer, topic);
    const consumer = await world.consumer(group, topic);
    const first = await world.collectOne(consumer, { topic, group, invisibleMs: 10_000 });
    const meanwhile = await world.receive(consumer, { topic, group });
    const second = await world.collectOne(consumer, { topic, group });
    return {
      first: first?.systemProperties?.deliveryAttempt ?? 'none',
      meanwhile: meanwhile.code,
      second: second?.systemProperties?.deliveryAttempt ?? 'none',
      'the same place': first?.systemProperties?.queueOffset === second?.systemProperties?.queueOffset,
    };
  },
};

/** What a push consumer holds comes again soon after it has said goodbye, and not before. */
const renewed: Probe = {
  id: 'delivery.renewed',
  topics: { topic: { type: 'NORMAL' } },
  groups: { group: { retryMaxTimes: 16, retryDelaysMs: [1_000] } },
  run: async (world) => {
    const [topic, group] = [world.name('topic'), world.name('group')];
    const push = await world.clientWith(consumerSettings(group, [topic]));
    await push.call('heartbeat', { group: resource(group), clientType: ClientType.PUSH_CONSUMER });
    await world.send(push, topic);
    const first = await world.collectOne(push, { topic, group, autoRenew: true });
    const other = await world.consumer(group, topic);
    const meanwhile = await world.receive(other, { topic, group });
    const goodbye = await push.call('notifyClientTermination', { group: resource(group) });
    const again = await world.collectOne(other, { topic, group }, 40_000);
    return {
      first: first?.systemProperties?.deliveryAttempt ?? 'none',
      meanwhile: meanwhile.code,
      goodbye: goodbye.code,
      again: again?.systemProperties?.deliveryAttempt ?? 'none',
    };
  },
};

/** A message that nobody can consume, up to the dead letters and how it looks there. */
function deadLetter(
  id: string,
  wish: GroupWish,
  toDeadLetters: (world: World, message: Message) => Promise<Outcome>,
): Probe {
  return {
    id,
    topics: { topic: { type: 'NORMAL' } },
    groups: { group: wish },
    deadLettersOf: 'group',
    run: async (world) => {
      const [topic, group] = [world.name('topic'), world.name('group')];
      const producer = await world.producer(topic);
      const sent = await world.send(producer, topic, {
        userProperties: { color: 'red' },
        system: { tag: 'a', keys: ['one'] },
      });
      const consumer = await world.consumer(group, topic);
      const first = await world.collectOne(consumer, { topic, group, invisibleMs: 10_000 });
      if (first === undefined) return 'no message';
      const how = await toDeadLetters(world, first);
      const readers = world.name('readers');
      const reader = await world.consumer(readers, world.name('%DLQ%group'));
      const dead = await world.collectOne(reader, { topic: world.name('%DLQ%group'), group: readers }, 20_000);
      return { how, dead: describeMessage(world, dead, sent.message) };
    },
  };
}

const forwarded = deadLetter('dead-letters.forwarded', {}, async (world, message) => {
  const [topic, group] = [resource(world.name('topic')), resource(world.name('group'))];
  const { messageId, receiptHandle } = message.systemProperties!;
  const request = {
    topic,
    group,
    messageId,
    receiptHandle: receiptHandle ?? '',
    deliveryAttempt: 1,
    maxDeliveryAttempts: 17,
  };
  const client = await world.consumer(group.name, topic.name);
  return (await client.call('forwardMessageToDeadLetterQueue', request)).code;
});

const exhausted = deadLetter(
  'dead-letters.after-the-last-attempt',
  { retryMaxTimes: 1, retryDelaysMs: [1_000] },
  async (world, first) => {
    const [topic, group] = [world.name('topic'), world.name('group')];
    const consumer = await world.consumer(group, topic);
    const attempts = [first.systemProperties!.deliveryAttempt ?? 0];
    let message: Message | undefined = first;
    while (message !== undefined) {
      const { receiptHandle, messageId } = message.systemProperties!;
      const fields = { receiptHandle: receiptHandle ?? '', messageId, invisibleDuration: duration(1_000) };
      await consumer.call('changeInvisibleDuration', { topic: resource(topic), group: resource(group), ...fields });
      message = await world.collectOne(consumer, { topic, group, invisibleMs: 10_000 }, 15_000);
      if (message !== undefined) attempts.push(message.systemProperties!.deliveryAttempt ?? 0);
    }
    return attempts;
  },
);

/** What consumers get to see. */
export const deliveryProbes: readonly Probe[] = [contents, namespaces, invisible, renewed, forwarded, exhausted];
