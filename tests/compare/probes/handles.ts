import { setTimeout as sleep } from 'node:timers/promises';
import type { Message } from '@orbitmq/protocol/apache.rocketmq.v2';
import { codeName } from '../answer.ts';
import type { Outcome } from '../outcome.ts';
import type { Probe } from '../probe.ts';
import type { ProbeClient } from '../probe-client.ts';
import { duration, resource } from '../requests.ts';
import type { World } from '../world.ts';
import { outcomesOf } from './cases.ts';

const HOUR_MS = 3_600_000;
/** Shortest invisible time that both take. */
const INVISIBLE_MS = 10_000;
const LONG_MS = 300_000;

/** A consumer with messages that it was given. */
interface Holding {
  readonly client: ProbeClient;
  readonly topic: string;
  readonly group: string;
  readonly messages: readonly Message[];
}

function handleOf(message: Message | undefined): string {
  return message?.systemProperties?.receiptHandle ?? 'no handle';
}

function idOf(message: Message | undefined): string {
  return message?.systemProperties?.messageId ?? 'no id';
}

/** Sends messages to a topic of a probe, and receives them as a group of its own. */
async function hold(world: World, key: string, count: number, invisibleMs = LONG_MS): Promise<Holding> {
  const [topic, group] = [world.name(key), world.name(`group-${key}`)];
  const producer = await world.producer(topic);
  for (let index = 0; index < count; index++) await world.send(producer, topic);
  const client = await world.consumer(group, topic);
  const messages = await world.collect(client, count, { topic, group, invisibleMs });
  if (messages.length !== count) throw new Error(`${messages.length} of ${count} messages came`);
  return { client, topic, group, messages };
}

async function ack({ client, topic, group }: Omit<Holding, 'messages'>, ...messages: Message[]): Promise<Outcome> {
  const entries = messages.map((message) => ({ messageId: idOf(message), receiptHandle: handleOf(message) }));
  const { code, response } = await client.call('ackMessage', {
    topic: resource(topic),
    group: resource(group),
    entries,
  });
  const codes = (response?.entries ?? []).map(({ status }) => codeName(status));
  return codes.length <= 1 && (codes[0] ?? code) === code ? code : { code, entries: codes.sort() };
}

/** Changes the invisible time; gives the code and the new handle. */
async function change(
  { client, topic, group }: Omit<Holding, 'messages'>,
  message: Message,
  invisibleMs: number | undefined,
): Promise<{ readonly code: string; readonly handle: string }> {
  const { code, response } = await client.call('changeInvisibleDuration', {
    topic: resource(topic),
    group: resource(group),
    receiptHandle: handleOf(message),
    messageId: idOf(message),
    invisibleDuration: invisibleMs === undefined ? undefined : duration(invisibleMs),
  });
  return { code, handle: response?.receiptHandle ?? '' };
}

async function forward({ client, topic, group }: Omit<Holding, 'messages'>, message: Message): Promise<string> {
  const request = {
    topic: resource(topic),
    group: resource(group),
    receiptHandle: handleOf(message),
    messageId: idOf(message),
    deliveryAttempt: 1,
    maxDeliveryAttempts: 17,
  };
  return (await client.call('forwardMessageToDeadLetterQueue', request)).code;
}

/** The same message with another handle. */
function withHandle(message: Message, receiptHandle: string): Message {
  return { ...message, systemProperties: { ...message.systemProperties!, receiptHandle } };
}

/** A case: what it is called and what it does with messages of its own topic. */
type HandleCase = (world: World, key: string) => Promise<Outcome>;

function cases(id: string, all: Readonly<Record<string, HandleCase>>): Probe {
  const keys = Object.keys(all);
  const topicOf = (name: string): string => `topic-${keys.indexOf(name)}`;
  return {
    id,
    topics: Object.fromEntries([...keys, 'other'].map((name) => [topicOf(name), { type: 'NORMAL' as const }])),
    groups: Object.fromEntries(keys.map((name) => [`group-${topicOf(name)}`, {}])),
    run: (world) => outcomesOf(all, (run, name) => run(world, topicOf(name))),
  };
}

const malformed: Readonly<Record<string, string>> = {
  empty: '',
  blank: '  ',
  'one word': 'handle',
  'nine words': 'a b c d e f g h i',
  'nine numbers': '1 1 1 1 1 1 1 1 1',
  'very long': 'h'.repeat(10_000),
};

const malformedHandles: Readonly<Record<string, HandleCase>> = Object.fromEntries(
  Object.entries(malformed).map(([name, receiptHandle]) => [
    `a handle that is ${name}`,
    async (world, key) => {
      const held = await hold(world, key, 1);
      const message = withHandle(held.messages[0]!, receiptHandle);
      return {
        ack: await ack(held, message),
        change: (await change(held, message, 20_000)).code,
        forward: await forward(held, message),
      };
    },
  ]),
);

const acks = cases('ack.handles', {
  once: async (world, key) => {
    const held = await hold(world, key, 1);
    return ack(held, held.messages[0]!);
  },
  twice: async (world, key) => {
    const held = await hold(world, key, 1);
    return [await ack(held, held.messages[0]!), await ack(held, held.messages[0]!)];
  },
  'two entries': async (world, key) => {
    const held = await hold(world, key, 2);
    return ack(held, ...held.messages);
  },
  'one good and one bad entry': async (world, key) => {
    const held = await hold(world, key, 1);
    return ack(held, held.messages[0]!, withHandle(held.messages[0]!, 'handle'));
  },
  'the same entry twice': async (world, key) => {
    const held = await hold(world, key, 1);
    return ack(held, held.messages[0]!, held.messages[0]!);
  },
  'no entry': async (world, key) => ack(await hold(world, key, 1)),
  '33 entries': async (world, key) => {
    const held = await hold(world, key, 1);
    return ack(held, ...Array.from({ length: 33 }, () => held.messages[0]!));
  },
  'with another message id': async (world, key) => {
    const held = await hold(world, key, 1);
    const { systemProperties } = held.messages[0]!;
    return ack(held, { ...held.messages[0]!, systemProperties: { ...systemProperties!, messageId: 'another' } });
  },
  'by another group': async (world, key) => {
    const held = await hold(world, key, 1);
    return ack({ ...held, group: world.name('another-group') }, held.messages[0]!);
  },
  'of another topic': async (world, key) => {
    const held = await hold(world, key, 1);
    return ack({ ...held, topic: world.name('topic--1') }, held.messages[0]!);
  },
  'by another client': async (world, key) => {
    const held = await hold(world, key, 1);
    return ack({ ...held, client: world.client({ clientId: 'another-client' }) }, held.messages[0]!);
  },
  'with a namespace': async (world, key) => {
    const held = await hold(world, key, 1);
    const entries = [{ messageId: idOf(held.messages[0]), receiptHandle: handleOf(held.messages[0]) }];
    const request = { topic: resource(held.topic, 'space'), group: resource(held.group, 'space'), entries };
    return (await held.client.call('ackMessage', request)).code;
  },
  ...malformedHandles,
});

const expired = cases('ack.late', {
  'after the invisible time': async (world, key) => {
    const held = await hold(world, key, 1, INVISIBLE_MS);
    await sleep(INVISIBLE_MS + 2_500);
    const message = held.messages[0]!;
    return { ack: await ack(held, message), again: await ack(held, message) };
  },
  'a change after the invisible time': async (world, key) => {
    const held = await hold(world, key, 1, INVISIBLE_MS);
    await sleep(INVISIBLE_MS + 2_500);
    return (await change(held, held.messages[0]!, 20_000)).code;
  },
  'forwarded after the invisible time': async (world, key) => {
    const held = await hold(world, key, 1, INVISIBLE_MS);
    await sleep(INVISIBLE_MS + 2_500);
    return forward(held, held.messages[0]!);
  },
  'after it was given again': async (world, key) => {
    const held = await hold(world, key, 1, INVISIBLE_MS);
    const { client, topic, group } = held;
    const again = await world.collectOne(client, { topic, group, invisibleMs: LONG_MS });
    if (again === undefined) return 'it did not come again';
    return {
      'the old handle': await ack(held, held.messages[0]!),
      'the new handle': await ack(held, again),
      attempt: again.systemProperties!.deliveryAttempt ?? 0,
      'the same handle': handleOf(again) === handleOf(held.messages[0]),
    };
  },
});

const changes = cases('change-invisible.handles', {
  'a new handle': async (world, key) => {
    const held = await hold(world, key, 1);
    const { code, handle } = await change(held, held.messages[0]!, 20_000);
    return { code, handle: handle === '' ? 'none' : handle === handleOf(held.messages[0]) ? 'the same' : 'another' };
  },
  'the new handle': async (world, key) => {
    const held = await hold(world, key, 1);
    const { handle } = await change(held, held.messages[0]!, 20_000);
    return ack(held, withHandle(held.messages[0]!, handle));
  },
  'the old handle': async (world, key) => {
    const held = await hold(world, key, 1);
    await change(held, held.messages[0]!, 20_000);
    return { ack: await ack(held, held.messages[0]!), change: (await change(held, held.messages[0]!, 20_000)).code };
  },
  'after an ack': async (world, key) => {
    const held = await hold(world, key, 1);
    await ack(held, held.messages[0]!);
    return (await change(held, held.messages[0]!, 20_000)).code;
  },
  'no duration': async (world, key) => {
    const held = await hold(world, key, 1);
    return (await change(held, held.messages[0]!, undefined)).code;
  },
  negative: async (world, key) => {
    const held = await hold(world, key, 1);
    return (await change(held, held.messages[0]!, -1_000)).code;
  },
  '1 ms': async (world, key) => {
    const held = await hold(world, key, 1);
    return (await change(held, held.messages[0]!, 1)).code;
  },
  '12 hours': async (world, key) => {
    const held = await hold(world, key, 1);
    return (await change(held, held.messages[0]!, 12 * HOUR_MS)).code;
  },
  '12 hours and 1 ms': async (world, key) => {
    const held = await hold(world, key, 1);
    return (await change(held, held.messages[0]!, 12 * HOUR_MS + 1)).code;
  },
  'by another group': async (world, key) => {
    const held = await hold(world, key, 1);
    return (await change({ ...held, group: world.name('another-group') }, held.messages[0]!, 20_000)).code;
  },
  'zero, and it comes again': async (world, key) => {
    const held = await hold(world, key, 1);
    const { code } = await change(held, held.messages[0]!, 0);
    const { client, topic, group } = held;
    const again = await world.collectOne(client, { topic, group });
    return { code, attempt: again?.systemProperties?.deliveryAttempt ?? 'not again' };
  },
  'a second, and it comes again': async (world, key) => {
    const held = await hold(world, key, 1);
    const { code } = await change(held, held.messages[0]!, 1_000);
    const { client, topic, group } = held;
    const again = await world.collectOne(client, { topic, group });
    return { code, attempt: again?.systemProperties?.deliveryAttempt ?? 'not again' };
  },
});

const forwards = cases('dead-letters.handles', {
  once: async (world, key) => {
    const held = await hold(world, key, 1);
    return forward(held, held.messages[0]!);
  },
  twice: async (world, key) => {
    const held = await hold(world, key, 1);
    return [await forward(held, held.messages[0]!), await forward(held, held.messages[0]!)];
  },
  'after an ack': async (world, key) => {
    const held = await hold(world, key, 1);
    return [await ack(held, held.messages[0]!), await forward(held, held.messages[0]!)];
  },
  'before an ack': async (world, key) => {
    const held = await hold(world, key, 1);
    return [await forward(held, held.messages[0]!), await ack(held, held.messages[0]!)];
  },
  'by another group': async (world, key) => {
    const held = await hold(world, key, 1);
    return forward({ ...held, group: world.name('another-group') }, held.messages[0]!);
  },
});

/** AckMessage, ChangeInvisibleDuration and ForwardMessageToDeadLetterQueue with handles in every state. */
export const handleProbes: readonly Probe[] = [acks, expired, changes, forwards];
