import { setTimeout as sleep } from 'node:timers/promises';
import {
  type EndTransactionRequest,
  type Message,
  MessageType,
  TransactionResolution,
  TransactionSource,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import { describeMessage } from '../describe.ts';
import type { Outcome } from '../outcome.ts';
import type { Probe } from '../probe.ts';
import type { ProbeClient } from '../probe-client.ts';
import { duration, newMessage, producerSettings, resource } from '../requests.ts';
import type { World } from '../world.ts';
import { outcomesOf } from './cases.ts';

const { COMMIT, ROLLBACK, TRANSACTION_RESOLUTION_UNSPECIFIED } = TransactionResolution;
const { SOURCE_CLIENT, SOURCE_SERVER_CHECK, SOURCE_UNSPECIFIED } = TransactionSource;
const HALF = { system: { messageType: MessageType.TRANSACTION } };

/** A half message and how its ends are told. */
interface Half {
  readonly client: ProbeClient;
  readonly topic: string;
  readonly message: Message;
  readonly transactionId: string;
}

async function sendHalf(world: World, key: string, recoveryMs?: number): Promise<Half> {
  const topic = world.name(key);
  const client = await world.producer(topic);
  const orphanedTransactionRecoveryDuration = recoveryMs === undefined ? undefined : duration(recoveryMs);
  const { entry, message } = await world.send(client, topic, {
    userProperties: { color: 'red' },
    system: {
      ...HALF.system,
      tag: 'a',
      keys: ['one'],
      ...(orphanedTransactionRecoveryDuration ? { orphanedTransactionRecoveryDuration } : {}),
    },
  });
  return { client, topic, message, transactionId: entry?.transactionId ?? '' };
}

async function end(half: Half, change: Partial<EndTransactionRequest> = {}): Promise<string> {
  const request = {
    topic: resource(half.topic),
    messageId: half.message.systemProperties!.messageId,
    transactionId: half.transactionId,
    resolution: COMMIT,
    source: SOURCE_CLIENT,
    ...change,
  };
  return (await half.client.call('endTransaction', request)).code;
}

/** How many messages a new group is given within `timeoutMs`. */
async function visible(world: World, { topic }: Half, timeoutMs: number): Promise<number> {
  const group = world.name(`readers-${topic.slice(0, 8)}`);
  const consumer = await world.consumer(group, topic);
  return (await world.collect(consumer, 2, { topic, group }, timeoutMs)).length;
}

/** Long enough for one receive and no more. */
const ONE_POLL_MS = 4_000;

type Ends = (half: Half, world: World) => Promise<Outcome>;

/** Each sends a half to a topic of its own, ends it, and looks what became visible. */
const ENDS: Readonly<Record<string, Ends>> = {
  'not at all': async () => 'nothing',
  commit: (half) => end(half),
  rollback: (half) => end(half, { resolution: ROLLBACK }),
  'no resolution': (half) => end(half, { resolution: TRANSACTION_RESOLUTION_UNSPECIFIED }),
  'unknown resolution': (half) => end(half, { resolution: 99 as TransactionResolution }),
  'no resolution, then commit': async (half) => [
    await end(half, { resolution: TRANSACTION_RESOLUTION_UNSPECIFIED }),
    await end(half),
  ],
  'commit twice': async (half) => [await end(half), await end(half)],
  'rollback twice': async (half) => [
    await end(half, { resolution: ROLLBACK }),
    await end(half, { resolution: ROLLBACK }),
  ],
  'commit, then rollback': async (half) => [await end(half), await end(half, { resolution: ROLLBACK })],
  'rollback, then commit': async (half) => [await end(half, { resolution: ROLLBACK }), await end(half)],
  'as if it was asked': (half) => end(half, { source: SOURCE_SERVER_CHECK }),
  'of no source': (half) => end(half, { source: SOURCE_UNSPECIFIED }),
  'an empty transaction id': (half) => end(half, { transactionId: '' }),
  'a blank transaction id': (half) => end(half, { transactionId: '  ' }),
  'an unknown transaction id': (half) => end(half, { transactionId: 'unknown' }),
  'an empty message id': (half) => end(half, { messageId: '' }),
  'another message id': (half) => end(half, { messageId: 'another' }),
  'another topic': (half, world) => end(half, { topic: resource(world.name('other')) }),
  'an unknown topic': (half) => end(half, { topic: resource('no-such-topic') }),
  'with a namespace': (half) => end(half, { topic: resource(half.topic, 'space') }),
  'by another client': (half, world) => end({ ...half, client: world.client({ clientId: 'another' }) }),
};
const END_KEYS = Object.keys(ENDS);
const topicOf = (name: string): string => `topic-${String(END_KEYS.indexOf(name)).padStart(2, '0')}`;

const ends: Probe = {
  id: 'transactions.ends',
  topics: Object.fromEntries([...END_KEYS.map(topicOf), 'other'].map((key) => [key, { type: 'TRANSACTION' as const }])),
  run: (world) =>
    outcomesOf(ENDS, async (run, name) => {
      const half = await sendHalf(world, topicOf(name), 600_000);
      const codes = await run(half, world);
      const group = world.name(`readers-${END_KEYS.indexOf(name)}`);
      const consumer = await world.consumer(group, half.topic);
      const messages = await world.collect(consumer, 2, { topic: half.topic, group }, ONE_POLL_MS);
      return { codes, visible: messages.length };
    }),
};

/** Ends that come after the time in which the server did not ask. */
const late: Probe = {
  id: 'transactions.late-ends',
  topics: Object.fromEntries(
    ['commit', 'rollback', 'plain'].map((key) => [`topic-${key}`, { type: 'TRANSACTION' as const }]),
  ),
  run: (world) =>
    outcomesOf({ commit: COMMIT, rollback: ROLLBACK, plain: COMMIT }, async (resolution, key) => {
      const half = await sendHalf(world, `topic-${key}`, key === 'plain' ? undefined : 2_000);
      half.client.close();
      await sleep(20_000);
      const code = await end({ ...half, client: world.client({ clientId: `later-${key}` }) }, { resolution });
      return { code, visible: await visible(world, half, ONE_POLL_MS) };
    }),
};

/** What a producer is asked about a half that it forgot, and what its answer does. */
const checks: Probe = {
  id: 'transactions.checks',
  topics: Object.fromEntries(
    ['commit', 'rollback', 'unknown'].map((key) => [`topic-${key}`, { type: 'TRANSACTION' as const }]),
  ),
  run: (world) =>
    outcomesOf(
      { commit: COMMIT, rollback: ROLLBACK, unknown: TRANSACTION_RESOLUTION_UNSPECIFIED },
      async (resolution, key) => {
        const half = await sendHalf(world, `topic-${key}`, 1_000);
        const other = world.client({ clientId: `checked-${world.name(key)}` });
        const session = other.telemetry();
        session.send({ settings: producerSettings([half.topic]) });
        half.client.close();
        await other.call('heartbeat', { clientType: 1 });
        const isCheck = (command: { recoverOrphanedTransactionCommand?: unknown }) =>
          command.recoverOrphanedTransactionCommand !== undefined;
        const asked = await session.next(60_000, isCheck);
        if (typeof asked === 'string') return asked;
        const { message, transactionId } = asked.recoverOrphanedTransactionCommand!;
        const ending = { resolution, source: SOURCE_SERVER_CHECK, transactionId };
        const code = await end({ ...half, client: other }, ending);
        const again =
          resolution === TRANSACTION_RESOLUTION_UNSPECIFIED ? await session.next(60_000, isCheck) : 'not looked at';
        return {
          message: describeMessage(world, message, half.message),
          'the same id': transactionId === half.transactionId,
          code,
          again: typeof again === 'string' ? again : 'asked again',
          visible: await visible(world, half, ONE_POLL_MS),
        };
      },
    ),
};

/** A committed message, as it is delivered. */
const committed: Probe = {
  id: 'transactions.delivered',
  topics: { topic: { type: 'TRANSACTION' } },
  run: async (world) => {
    const half = await sendHalf(world, 'topic', 60_000);
    const code = await end(half);
    const group = world.name('group');
    const consumer = await world.consumer(group, half.topic);
    const message = await world.collectOne(consumer, { topic: half.topic, group });
    return { code, message: describeMessage(world, message, half.message) };
  },
};

/** A message that is no half. */
const notHalf: Probe = {
  id: 'transactions.of-a-normal-message',
  topics: { topic: { type: 'NORMAL' } },
  run: async (world) => {
    const topic = world.name('topic');
    const client = await world.producer(topic);
    const message = newMessage(topic);
    const { response } = await client.call('sendMessage', { messages: [message] });
    const transactionId = response?.entries[0]?.transactionId || message.systemProperties!.messageId;
    return end({ client, topic, message, transactionId });
  },
};

/** EndTransaction, and the questions about forgotten halves. */
export const transactionProbes: readonly Probe[] = [ends, late, checks, committed, notHalf];
