import { setTimeout as sleep } from 'node:timers/promises';
import { MessageType } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Outcome } from '../outcome.ts';
import type { Probe } from '../probe.ts';
import type { ProbeClient } from '../probe-client.ts';
import { resource, timestamp } from '../requests.ts';
import type { TopicWish } from '../targets.ts';
import type { World } from '../world.ts';
import { outcomesOf } from './cases.ts';

const HOUR_MS = 3_600_000;

async function sendTimed(world: World, client: ProbeClient, key: string, delayMs: number) {
  const deliveryTimestamp = timestamp(Date.now() + delayMs);
  return world.send(client, world.name(key), { system: { deliveryTimestamp, messageType: MessageType.DELAY } });
}

/** When a message comes, compared with when it should. */
const punctuality: Probe = {
  id: 'timed.punctuality',
  topics: { 'topic-1': { type: 'DELAY' }, 'topic-2': { type: 'DELAY' }, 'topic-3': { type: 'DELAY' } },
  run: (world) =>
    outcomesOf({ 'in the past': -60_000, 'in a second': 1_000, 'in 4 s': 4_000 }, async (delayMs, name) => {
      const key = `topic-${['in the past', 'in a second', 'in 4 s'].indexOf(name) + 1}`;
      const [topic, group] = [world.name(key), world.name(`group-${key}`)];
      const consumer = await world.consumer(group, topic);
      const dueMs = Date.now() + Math.max(delayMs, 0);
      const { code, entry } = await sendTimed(world, consumer, key, delayMs);
      const message = await world.collectOne(consumer, { topic, group, pollingMs: 10_000 });
      const lateMs = Date.now() - dueMs;
      return {
        code,
        recallable: (entry?.recallHandle ?? '') !== '',
        came: message === undefined ? 'not' : lateMs < -1_500 ? 'early' : lateMs < 4_000 ? 'in time' : 'late',
      };
    }),
};

type RecallCase = (
  world: World,
  client: ProbeClient,
  recall: (handle: string, key?: string) => Promise<string>,
) => Promise<Outcome>;

const RECALLS: Readonly<Record<string, RecallCase>> = {
  once: async (world, client, recall) => recall(await handleOf(world, client)),
  twice: async (world, client, recall) => {
    const handle = await handleOf(world, client);
    return [await recall(handle), await recall(handle)];
  },
  'an empty handle': (_, __, recall) => recall(''),
  'a handle of one word': (_, __, recall) => recall('handle'),
  'a handle that says nothing': (_, __, recall) => recall(Buffer.from('v1 a b 1 c').toString('base64url')),
  'with another topic': async (world, client, recall) => recall(await handleOf(world, client), 'other'),
  'with a normal topic': async (world, client, recall) => recall(await handleOf(world, client), 'normal'),
  'with a fifo topic': async (world, client, recall) => recall(await handleOf(world, client), 'fifo'),
  'with a mixed topic': async (world, client, recall) => recall(await handleOf(world, client), 'mixed'),
  'after it was delivered': async (world, client, recall) => {
    const handle = await handleOf(world, client, 2_000);
    await sleep(6_000);
    return recall(handle);
  },
};

async function handleOf(world: World, client: ProbeClient, delayMs = HOUR_MS): Promise<string> {
  return (await sendTimed(world, client, 'topic', delayMs)).entry?.recallHandle ?? '';
}

const recallTopics: Readonly<Record<string, TopicWish>> = {
  topic: { type: 'DELAY' },
  other: { type: 'DELAY' },
  normal: { type: 'NORMAL' },
  fifo: { type: 'FIFO' },
  mixed: { type: 'MIXED' },
};

const recalls: Probe = {
  id: 'timed.recalls',
  topics: recallTopics,
  run: (world) =>
    outcomesOf(RECALLS, async (run, name) => {
      const clientId = `recalls-${world.name(String(Object.keys(RECALLS).indexOf(name)))}`;
      const client = world.client({ clientId });
      return run(world, client, async (recallHandle, key = 'topic') => {
        return (await client.call('recallMessage', { topic: resource(world.name(key)), recallHandle })).code;
      });
    }),
};

/** A recalled message does not come, and its recall names it. */
const recalled: Probe = {
  id: 'timed.recalled',
  topics: { topic: { type: 'DELAY' } },
  run: async (world) => {
    const [topic, group] = [world.name('topic'), world.name('group')];
    const client = await world.consumer(group, topic);
    const gone = await sendTimed(world, client, 'topic', 8_000);
    const kept = await sendTimed(world, client, 'topic', 8_000);
    const request = { topic: resource(topic), recallHandle: gone.entry?.recallHandle ?? '' };
    const { code, response } = await client.call('recallMessage', request);
    const got = await world.collect(client, 2, { topic, group }, 16_000);
    const { messageId } = gone.message.systemProperties!;
    return {
      code,
      messageId: response?.messageId === messageId ? 'of the message' : 'another',
      'the recalled one came': got.some(({ systemProperties }) => systemProperties!.messageId === messageId),
      'the other one came': got.some(
        ({ systemProperties }) => systemProperties!.messageId === kept.message.systemProperties!.messageId,
      ),
    };
  },
};

/** Timed messages and RecallMessage. */
export const timedProbes: readonly Probe[] = [punctuality, recalls, recalled];
