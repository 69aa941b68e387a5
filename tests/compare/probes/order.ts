import { type Message, MessageType } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Outcome } from '../outcome.ts';
import type { Probe } from '../probe.ts';
import type { ProbeClient } from '../probe-client.ts';
import { duration, resource } from '../requests.ts';
import type { ReceiveWish, World } from '../world.ts';
import { outcomesOf } from './cases.ts';

const INVISIBLE_MS = 300_000;

function fifo(messageGroup: string, key: string) {
  return { system: { messageGroup, keys: [key], messageType: MessageType.FIFO } };
}

/** Keys of messages with their attempts, as they came. */
function seen(messages: readonly Message[]): Outcome {
  return messages.map(
    ({ systemProperties }) => `${systemProperties!.keys.join()}#${systemProperties!.deliveryAttempt}`,
  );
}

/** What an ordered case works with: its own topic, a consumer, and messages 1, 2, … of one message group. */
interface Ordered {
  readonly world: World;
  readonly client: ProbeClient;
  receive(wish?: Partial<ReceiveWish>): Promise<Message[]>;
  ack(message: Message | undefined): Promise<string>;
  change(message: Message | undefined, milliseconds: number): Promise<string>;
  forward(message: Message | undefined): Promise<string>;
}

type OrderedCase = (ordered: Ordered) => Promise<Outcome>;

const CASES: Readonly<Record<string, OrderedCase>> = {
  'a batch of all': async ({ receive }) => seen(await receive({ batchSize: 10 })),
  'nothing more before an ack': async ({ receive }) => [
    seen(await receive({ batchSize: 1 })),
    seen(await receive({ batchSize: 1 })),
  ],
  'the next one after an ack': async ({ receive, ack }) => {
    const first = await receive({ batchSize: 1 });
    return [seen(first), await ack(first[0]), seen(await receive({ batchSize: 1 }))];
  },
  'the last of a batch acknowledged first': async ({ receive, ack }) => {
    const batch = await receive({ batchSize: 2 });
    return [await ack(batch[1]), seen(await receive({ batchSize: 1 })), await ack(batch[0]), seen(await receive())];
  },
  'the same attempt id again': async ({ receive }) => [
    seen(await receive({ batchSize: 1, attemptId: 'one' })),
    seen(await receive({ batchSize: 1, attemptId: 'one' })),
  ],
  'another attempt id': async ({ receive }) => [
    seen(await receive({ batchSize: 1, attemptId: 'one' })),
    seen(await receive({ batchSize: 1, attemptId: 'two' })),
  ],
  'the same attempt id after an ack': async ({ receive, ack }) => {
    const first = await receive({ batchSize: 2, attemptId: 'one' });
    return [seen(first), await ack(first[0]), seen(await receive({ batchSize: 2, attemptId: 'one' }))];
  },
  'again after the invisible time': async ({ receive }) => [
    seen(await receive({ batchSize: 2, invisibleMs: 10_000 })),
    seen(await receive({ batchSize: 2, pollingMs: 15_000 })),
  ],
  'given back': async ({ receive, change }) => {
    const first = await receive({ batchSize: 1 });
    return [seen(first), await change(first[0], 1_000), seen(await receive({ batchSize: 1, pollingMs: 10_000 }))];
  },
  'one of two given back': async ({ receive, change, ack }) => {
    const first = await receive({ batchSize: 2 });
    const codes = [await ack(first[0]), await change(first[1], 1_000)];
    return [seen(first), codes, seen(await receive({ batchSize: 2, pollingMs: 10_000 }))];
  },
  'a hole in a batch': async ({ receive, change, ack }) => {
    const first = await receive({ batchSize: 3 });
    const codes = [await ack(first[0]), await ack(first[2]), await change(first[1], 1_000)];
    return [seen(first), codes, seen(await receive({ batchSize: 3, pollingMs: 10_000 }))];
  },
  'forwarded to the dead letters': async ({ receive, forward }) => {
    const first = await receive({ batchSize: 1 });
    return [seen(first), await forward(first[0]), seen(await receive({ batchSize: 1 }))];
  },
  'another group of the same queue': async ({ world, client, receive }) => {
    const topic = world.name('topic-11');
    await world.send(client, topic, fifo('other', 'x'));
    const first = await receive({ batchSize: 1 });
    return [seen(first), seen(await receive({ batchSize: 1 }))];
  },
};
const NAMES = Object.keys(CASES);

/** An ordered group and a topic with one queue for each case. */
const ordered: Probe = {
  id: 'order.of-an-ordered-group',
  topics: Object.fromEntries(
    NAMES.map((_, index) => [`topic-${index}`, { type: 'FIFO' as const, readQueueCount: 1, writeQueueCount: 1 }]),
  ),
  groups: Object.fromEntries(NAMES.map((_, index) => [`group-${index}`, { isFifo: true }])),
  run: (world) =>
    outcomesOf(CASES, async (run, name) => {
      const index = NAMES.indexOf(name);
      const [topic, group] = [world.name(`topic-${index}`), world.name(`group-${index}`)];
      const client = await world.consumer(group, topic);
      for (const key of ['1', '2', '3']) await world.send(client, topic, fifo('g', key));
      const names = { topic: resource(topic), group: resource(group) };
      const about = (message: Message | undefined) => ({
        messageId: message?.systemProperties?.messageId ?? '',
        receiptHandle: message?.systemProperties?.receiptHandle ?? '',
      });
      return run({
        world,
        client,
        receive: async (wish) =>
          (await world.receive(client, { topic, group, invisibleMs: INVISIBLE_MS, ...wish })).messages,
        ack: async (message) => (await client.call('ackMessage', { ...names, entries: [about(message)] })).code,
        change: async (message, milliseconds) => {
          const fields = { ...names, ...about(message), invisibleDuration: duration(milliseconds) };
          return (await client.call('changeInvisibleDuration', fields)).code;
        },
        forward: async (message) => {
          const fields = { ...names, ...about(message), deliveryAttempt: 1, maxDeliveryAttempts: 17 };
          return (await client.call('forwardMessageToDeadLetterQueue', fields)).code;
        },
      });
    }),
};

/** Messages of one group lie in one queue, whoever sends them. */
const oneQueue: Probe = {
  id: 'order.queue-of-a-message-group',
  topics: { topic: { type: 'FIFO', readQueueCount: 4, writeQueueCount: 4 } },
  groups: { group: { isFifo: true } },
  run: async (world) => {
    const [topic, group] = [world.name('topic'), world.name('group')];
    const groups = ['a', 'b', 'orders-1', 'orders-2', 'größe', '€', 'a longer message group', '0'];
    const client = await world.consumer(group, topic);
    for (const key of ['first', 'second']) {
      for (const messageGroup of groups) await world.send(client, topic, fifo(messageGroup, key));
    }
    const messages: Message[] = [];
    for (let round = 0; round < 12 && messages.length < 2 * groups.length; round++) {
      messages.push(...(await world.receive(client, { topic, group, invisibleMs: INVISIBLE_MS })).messages);
    }
    const used = new Set(messages.map(({ systemProperties }) => systemProperties!.queueId));
    const byGroup = Object.fromEntries(
      groups.map((name) => {
        const own = messages.filter(({ systemProperties }) => systemProperties!.messageGroup === name);
        const queues = [...new Set(own.map(({ systemProperties }) => systemProperties!.queueId))];
        return [
          name,
          { queues: queues.length, order: own.map(({ systemProperties }) => systemProperties!.keys.join()) },
        ];
      }),
    );
    return { 'more than one queue is used': used.size > 1, ...byGroup };
  },
};

/** In which order messages of different priorities come that lay there before. */
const priorities: Probe = {
  id: 'order.priorities',
  topics: { topic: { type: 'PRIORITY', readQueueCount: 4, writeQueueCount: 4 } },
  groups: { group: {} },
  run: async (world) => {
    const [topic, group] = [world.name('topic'), world.name('group')];
    const client = await world.consumer(group, topic);
    for (const priority of [0, 3, 1, 2, 7, 0, 3]) {
      await world.send(client, topic, { system: { priority, messageType: MessageType.PRIORITY } });
    }
    const messages: Message[] = [];
    for (let round = 0; round < 12 && messages.length < 7; round++) {
      messages.push(...(await world.receive(client, { topic, group, batchSize: 1 })).messages);
    }
    return messages.map(
      ({ systemProperties }) => `${systemProperties!.priority} in queue ${systemProperties!.queueId}`,
    );
  },
};

/** Ordered consumption and priorities. */
export const orderProbes: readonly Probe[] = [ordered, oneQueue, priorities];
