import {
  ClientType,
  LiteSubscriptionAction,
  type Message,
  MessageType,
  type OffsetOption,
  OffsetOption_Policy,
  type SyncLiteSubscriptionRequest,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import { describeMessage, describeSettings } from '../describe.ts';
import type { Outcome } from '../outcome.ts';
import type { Probe } from '../probe.ts';
import type { ProbeClient, TelemetrySession } from '../probe-client.ts';
import {
  consumerSettings,
  duration,
  endpointsOf,
  type MessageWish,
  newMessage,
  resource,
  timestamp,
} from '../requests.ts';
import type { GroupWish, TopicWish } from '../targets.ts';
import type { World } from '../world.ts';
import { outcomesOf } from './cases.ts';
import { describeSend } from './send.ts';

const { COMPLETE_ADD, COMPLETE_REMOVE, PARTIAL_ADD, PARTIAL_REMOVE } = LiteSubscriptionAction;
const { LITE_PUSH_CONSUMER, LITE_SIMPLE_CONSUMER, PUSH_CONSUMER, SIMPLE_CONSUMER } = ClientType;
/** For what shall not come: longer than a poll. */
const QUIET_MS = 4_000;

const lite = (liteTopic: string, more: MessageWish['system'] = {}): MessageWish => ({
  system: { liteTopic, messageType: MessageType.LITE, ...more },
});

/** Messages of every kind that name a lite topic, or should. */
const SENDS: Readonly<Record<string, () => MessageWish>> = {
  none: () => ({}),
  'none, and the type says LITE': () => ({ system: { messageType: MessageType.LITE } }),
  empty: () => lite(''),
  blank: () => lite('  '),
  '64 bytes': () => lite('l'.repeat(64)),
  '65 bytes': () => lite('l'.repeat(65)),
  'letters, digits, _ and -': () => lite('a_b-C9'),
  'with a dot': () => lite('a.b'),
  'with a percent sign': () => lite('a%b'),
  'with an umlaut': () => lite('größe'),
  'with a space': () => lite('a b'),
  'the type says NORMAL': () => lite('a', { messageType: MessageType.NORMAL }),
  'with a message group': () => lite('a', { messageGroup: 'g' }),
  'with a delay': () => lite('a', { deliveryTimestamp: timestamp(Date.now() + 60_000) }),
  'with a priority': () => lite('a', { priority: 1 }),
  'in a transaction': () => lite('a', { messageType: MessageType.TRANSACTION }),
};

const sends: Probe = {
  id: 'lite.sends',
  topics: { lite: { type: 'LITE' }, normal: { type: 'NORMAL' }, mixed: { type: 'MIXED' } },
  run: (world) =>
    outcomesOf({ lite: '', normal: '', mixed: '' }, async (_, key) => {
      const client = await world.producer(world.name(key));
      return outcomesOf(SENDS, async (wish) => {
        const messages = [newMessage(world.name(key), wish())];
        return describeSend(await client.call('sendMessage', { messages }));
      });
    }),
};

const GROUPS: Readonly<Record<string, GroupWish>> = {
  bound: { liteTopicsOf: 'lite' },
  'bound to another topic': { liteTopicsOf: 'other' },
  ordinary: {},
};
const TOPICS: Readonly<Record<string, TopicWish>> = {
  lite: { type: 'LITE', readQueueCount: 1, writeQueueCount: 1 },
  other: { type: 'LITE' },
  normal: { type: 'NORMAL' },
};
const groupKey = (name: string): string => `group-${Object.keys(GROUPS).indexOf(name)}`;
const GROUPS_BY_KEY = Object.fromEntries(Object.entries(GROUPS).map(([name, wish]) => [groupKey(name), wish]));

/** Settings of lite and other consumers in groups that read lite topics, and in others. */
const settings: Probe = {
  id: 'lite.settings',
  topics: TOPICS,
  groups: GROUPS_BY_KEY,
  run: (world) =>
    outcomesOf(GROUPS, async (_, name) =>
      outcomesOf(
        { LITE_PUSH_CONSUMER, LITE_SIMPLE_CONSUMER, PUSH_CONSUMER, SIMPLE_CONSUMER },
        async (type, typeName) => {
          const client = world.client({ clientId: `client-host@1@${typeName}-${world.name(groupKey(name))}` });
          const session = client.telemetry();
          session.send({ settings: consumerSettings(world.name(groupKey(name)), [world.name('lite')], type) });
          const answer = await session.next();
          if (typeof answer === 'string') return answer;
          return name === 'bound' && type === LITE_PUSH_CONSUMER
            ? describeSettings(world, answer.settings)
            : answer.settings?.subscription === undefined
              ? 'another command'
              : 'settings';
        },
      ),
    ),
};

/** A lite consumer that has told its settings. */
async function liteConsumer(
  world: World,
  name: string,
  group = world.name('group'),
): Promise<{ readonly client: ProbeClient; readonly session: TelemetrySession }> {
  const client = world.client({ clientId: `client-host@1@${name}-${world.name('')}` });
  const session = client.telemetry();
  session.send({ settings: consumerSettings(group, [world.name('lite')], LITE_PUSH_CONSUMER) });
  const answer = await session.next();
  if (typeof answer === 'string') throw new Error(`the settings of a lite consumer were answered by ${answer}`);
  await client.call('heartbeat', { group: resource(group), clientType: LITE_PUSH_CONSUMER });
  return { client, session };
}

async function sync(
  world: World,
  client: ProbeClient,
  names: readonly string[],
  change: Partial<SyncLiteSubscriptionRequest> = {},
): Promise<string> {
  const request = {
    action: PARTIAL_ADD,
    topic: resource(world.name('lite')),
    group: resource(world.name('group')),
    liteTopicSet: [...names],
    ...change,
  };
  return (await client.call('syncLiteSubscription', request)).code;
}

type SyncCase = (world: World, client: ProbeClient) => Promise<Outcome>;

const SYNCS: Readonly<Record<string, SyncCase>> = {
  add: (world, client) => sync(world, client, ['a', 'b']),
  'add twice': async (world, client) => [await sync(world, client, ['a']), await sync(world, client, ['a'])],
  'add nothing': (world, client) => sync(world, client, []),
  remove: async (world, client) => [
    await sync(world, client, ['a']),
    await sync(world, client, ['a'], { action: PARTIAL_REMOVE }),
  ],
  'remove what was not added': (world, client) => sync(world, client, ['a'], { action: PARTIAL_REMOVE }),
  'replace all': (world, client) => sync(world, client, ['a'], { action: COMPLETE_ADD }),
  'replace all by nothing': (world, client) => sync(world, client, [], { action: COMPLETE_ADD }),
  'remove all': (world, client) => sync(world, client, [], { action: COMPLETE_REMOVE }),
  'an unknown action': (world, client) => sync(world, client, ['a'], { action: 99 as LiteSubscriptionAction }),
  'a version': (world, client) => sync(world, client, ['a'], { version: 5n }),
  'an older version': async (world, client) => [
    await sync(world, client, ['a'], { version: 5n, action: COMPLETE_ADD }),
    await sync(world, client, ['b'], { version: 4n, action: COMPLETE_ADD }),
  ],
  'an empty name': (world, client) => sync(world, client, ['']),
  'an illegal name': (world, client) => sync(world, client, ['a.b']),
  'a name of 65 bytes': (world, client) => sync(world, client, ['l'.repeat(65)]),
  'an empty name in all': (world, client) => sync(world, client, [''], { action: COMPLETE_ADD }),
  'no topic': (world, client) => sync(world, client, ['a'], { topic: undefined }),
  'an unknown topic': (world, client) => sync(world, client, ['a'], { topic: resource(world.name('none')) }),
  'another topic': (world, client) => sync(world, client, ['a'], { topic: resource(world.name('other')) }),
  'a normal topic': (world, client) => sync(world, client, ['a'], { topic: resource(world.name('normal')) }),
  'no group': (world, client) => sync(world, client, ['a'], { group: undefined }),
  'an unknown group': (world, client) => sync(world, client, ['a'], { group: resource(world.name('none')) }),
  'an ordinary group': (world, client) => sync(world, client, ['a'], { group: resource(world.name('ordinary')) }),
  'before settings': (world) => sync(world, world.client({ clientId: `silent-${world.name('')}` }), ['a']),
  'without a client id': (world) => sync(world, world.client({ headers: { 'x-mq-client-id': undefined } }), ['a']),
  'more than the quota': async (world) => {
    const group = world.name('small');
    const { client } = await liteConsumer(world, 'small', group);
    const change = { group: resource(group) };
    return [await sync(world, client, ['a', 'b'], change), await sync(world, client, ['c'], change)];
  },
  'more than the quota at once': async (world) => {
    const group = world.name('small');
    const { client } = await liteConsumer(world, 'smallest', group);
    return sync(world, client, ['a', 'b', 'c'], { group: resource(group) });
  },
  'more than the quota in all': async (world) => {
    const group = world.name('small');
    const { client } = await liteConsumer(world, 'smaller', group);
    return sync(world, client, ['a', 'b', 'c'], { group: resource(group), action: COMPLETE_ADD });
  },
};

const syncs: Probe = {
  id: 'lite.subscriptions',
  topics: TOPICS,
  groups: {
    group: { liteTopicsOf: 'lite' },
    small: { liteTopicsOf: 'lite', attributes: { 'lite.sub.client.quota': '2' } },
    ordinary: {},
  },
  run: (world) =>
    outcomesOf(SYNCS, async (run, name) => {
      const { client } = await liteConsumer(world, String(Object.keys(SYNCS).indexOf(name)));
      return run(world, client);
    }),
};

async function sendLite(world: World, client: ProbeClient, liteTopic: string, ...keys: string[]): Promise<Message[]> {
  const sent: Message[] = [];
  for (const key of keys) {
    const { code, message } = await world.send(client, world.name('lite'), lite(liteTopic, { keys: [key] }));
    if (code !== 'OK') throw new Error(`a lite message was answered by ${code}`);
    sent.push(message);
  }
  return sent;
}

/** Keys and attempts of what comes until `count` messages have, or nothing does for a while. */
async function take(world: World, client: ProbeClient, count: number, timeoutMs = 15_000): Promise<Message[]> {
  return world.collect(
    client,
    count,
    { topic: world.name('lite'), group: world.name('group'), autoRenew: true },
    timeoutMs,
  );
}

function seen(messages: readonly Message[]): Outcome {
  return messages
    .map(({ systemProperties: system }) => `${system!.liteTopic} ${system!.keys.join()}#${system!.deliveryAttempt}`)
    .sort();
}

function settle(world: World, message: Message | undefined) {
  const system = message?.systemProperties;
  return {
    topic: resource(world.name('lite')),
    group: resource(world.name('group')),
    messageId: system?.messageId ?? '',
    receiptHandle: system?.receiptHandle ?? '',
    liteTopic: system?.liteTopic ?? '',
  };
}

async function ack(world: World, client: ProbeClient, ...messages: (Message | undefined)[]): Promise<string> {
  const entries = messages.map((message) => settle(world, message));
  const { topic, group } = entries[0]!;
  return (await client.call('ackMessage', { topic, group, entries })).code;
}

type LiteCase = (world: World, client: ProbeClient, session: TelemetrySession) => Promise<Outcome>;

/** Each has a parent topic and a group of its own. */
const DELIVERIES: Readonly<Record<string, LiteCase>> = {
  'nothing without a subscription': async (world, client) => {
    await sendLite(world, client, 'a', '1');
    return seen(await take(world, client, 1, QUIET_MS));
  },
  'what was sent before and after': async (world, client) => {
    await sendLite(world, client, 'a', '1');
    await sync(world, client, ['a']);
    await sendLite(world, client, 'a', '2');
    const first = await take(world, client, 1);
    const acked = await ack(world, client, ...first);
    return { acked, seen: seen([...first, ...(await take(world, client, 1))]) };
  },
  'only what was subscribed': async (world, client) => {
    await sync(world, client, ['a', 'c']);
    await sendLite(world, client, 'a', '1');
    await sendLite(world, client, 'b', '1');
    await sendLite(world, client, 'c', '1');
    return seen(await take(world, client, 3, 8_000));
  },
  'a whole batch of one lite topic': async (world, client) => {
    await sync(world, client, ['a']);
    await sendLite(world, client, 'a', '1', '2', '3');
    return seen(await take(world, client, 3, 8_000));
  },
  'all fields': async (world, client) => {
    await sync(world, client, ['a']);
    const [sent] = await sendLite(world, client, 'a', '1');
    const [message] = await take(world, client, 1);
    return describeMessage(world, message, sent);
  },
  'given back': async (world, client) => {
    await sync(world, client, ['a']);
    await sendLite(world, client, 'a', '1');
    const [first] = await take(world, client, 1);
    const fields = { ...settle(world, first), invisibleDuration: duration(1_000) };
    const { code } = await client.call('changeInvisibleDuration', fields);
    return { code, again: seen(await take(world, client, 1)) };
  },
  'forwarded to the dead letters': async (world, client) => {
    await sync(world, client, ['a']);
    await sendLite(world, client, 'a', '1', '2');
    const [first, ...more] = await take(world, client, 1);
    const fields = { ...settle(world, first), deliveryAttempt: 1, maxDeliveryAttempts: 17 };
    const { code } = await client.call('forwardMessageToDeadLetterQueue', fields);
    return { code, after: seen([...more, ...(await take(world, client, 1))]) };
  },
  'nothing after it was removed': async (world, client) => {
    await sync(world, client, ['a']);
    await sync(world, client, ['a'], { action: PARTIAL_REMOVE });
    await sendLite(world, client, 'a', '1');
    return seen(await take(world, client, 1, QUIET_MS));
  },
  'two clients of the group': async (world, client) => {
    const other = await liteConsumer(world, 'other');
    await sync(world, client, ['a']);
    await sync(world, other.client, ['b']);
    await sendLite(world, client, 'a', '1');
    await sendLite(world, client, 'b', '1');
    const got = await Promise.all([take(world, client, 2, 8_000), take(world, other.client, 2, 8_000)]);
    return got.map(seen);
  },
  'an ack without the lite topic': async (world, client) => {
    await sync(world, client, ['a']);
    await sendLite(world, client, 'a', '1');
    const [first] = await take(world, client, 1);
    const { liteTopic: _, ...entry } = settle(world, first);
    const { topic, group } = entry;
    return (await client.call('ackMessage', { topic, group, entries: [entry] })).code;
  },
  'a route': async (world, client) => {
    const { response } = await client.call('queryRoute', {
      topic: resource(world.name('lite')),
      endpoints: endpointsOf(world.target.address),
    });
    return response?.messageQueues.flatMap(({ acceptMessageTypes }) => acceptMessageTypes) ?? 'none';
  },
  'an assignment': async (world, client) => {
    const { code, response } = await client.call('queryAssignment', {
      topic: resource(world.name('lite')),
      group: resource(world.name('group')),
      endpoints: endpointsOf(world.target.address),
    });
    return { code, queues: response?.assignments.map(({ messageQueue }) => messageQueue?.id ?? 'none') ?? [] };
  },
};

function inTurn(
  id: string,
  cases: Readonly<Record<string, LiteCase>>,
  attributes: Readonly<Record<string, string>> = {},
) {
  return Object.entries(cases).map(
    ([name, run]): Probe => ({
      id: `${id}.${name.replaceAll(' ', '-')}`,
      topics: { lite: { type: 'LITE', readQueueCount: 1, writeQueueCount: 1 } },
      groups: { group: { liteTopicsOf: 'lite', attributes } },
      run: async (world) => {
        const { client, session } = await liteConsumer(world, 'one');
        return run(world, client, session);
      },
    }),
  );
}

/** Where a subscription begins: three messages were there before. */
const OFFSETS: Readonly<Record<string, OffsetOption | undefined>> = {
  none: undefined,
  last: { policy: OffsetOption_Policy.LAST },
  min: { policy: OffsetOption_Policy.MIN },
  max: { policy: OffsetOption_Policy.MAX },
  'an offset': { offset: 2n },
  'the last two': { tailN: 2n },
  'a time': { timestamp: 0n },
};

const offsets = inTurn(
  'lite.offsets',
  Object.fromEntries(
    Object.entries(OFFSETS).map(([name, offsetOption]): [string, LiteCase] => [
      name,
      async (world, client) => {
        await sendLite(world, client, 'a', '1', '2', '3');
        const code = await sync(world, client, ['a'], offsetOption === undefined ? {} : { offsetOption });
        const got: Message[] = [];
        for (let round = 0; round < 3; round++) {
          const more = await take(world, client, 1, QUIET_MS);
          if (more.length === 0) break;
          got.push(...more);
          await ack(world, client, ...more);
        }
        return { code, seen: seen(got) };
      },
    ]),
  ),
);

const exclusive = inTurn(
  'lite.exclusive',
  {
    'a later client takes over': async (world, client, session) => {
      const first = await sync(world, client, ['a']);
      const other = await liteConsumer(world, 'other');
      const second = await sync(world, other.client, ['a']);
      const told = await session.next(8_000, (command) => command.notifyUnsubscribeLiteCommand !== undefined);
      await sendLite(world, client, 'a', '1');
      const got = await Promise.all([take(world, client, 1, QUIET_MS), take(world, other.client, 1, 8_000)]);
      return {
        codes: [first, second],
        told: typeof told === 'string' ? told : (told.notifyUnsubscribeLiteCommand?.liteTopic ?? 'another command'),
        got: got.map(seen),
      };
    },
  },
  { 'lite.sub.model': 'Exclusive' },
);

/** Lite topics. */
export const liteProbes: readonly Probe[] = [
  ...[sends, settings, syncs],
  ...inTurn('lite.delivery', DELIVERIES),
  ...offsets,
  ...exclusive,
];
