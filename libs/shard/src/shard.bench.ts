import { readdir, rm } from 'node:fs/promises';
import { type Topic, TRANSACTION_END } from '@orbitmq/views';
import type { OpenedShard } from './index.ts';
import {
  BenchMessages,
  openLiveShard,
  putBenchGroup,
  putBenchTopic,
  receiveAll,
  say,
  sendMany,
  spent,
} from './live-shard.bench.ts';

/*
 * The shard without gRPC, over real files; prints lines of JSON:
 *
 *   node --conditions=@orbitmq/source --expose-gc libs/shard/src/shard.bench.ts DIRECTORY WHAT [count]
 *
 * WHAT: send, drain, groups, transactions, restart, topics; start (on what `topics` has left).
 */
const [directory = '/tmp/orbitmq-shard-bench', what, countText] = process.argv.slice(2);
const MANY = Number(countText ?? 5_000_000);

async function fresh(): Promise<OpenedShard> {
  await rm(directory, { recursive: true, force: true });
  return await openLiveShard(directory);
}

async function send(): Promise<void> {
  const shard = await fresh();
  const topic = await putBenchTopic(shard, 'topic');
  const group = await putBenchGroup(shard);
  const messages = new BenchMessages(1024);
  await sendMany(shard, topic, 20_000, messages);
  const sent = async (count: number) => {
    await sendMany(shard, topic, count, messages);
    return count;
  };
  say('send 1 KiB, ASYNC_FLUSH, 64 a turn', await spent(() => sent(200_000)));
  say('receive 32 + ack one by one, backlog from disk', await spent(() => receiveAll(shard, group, topic)));
  let [micros, received] = [0, 0];
  for (let round = 0; round < 40; round++) {
    await sent(5056);
    const { count, cpuMicroseconds } = await spent(() => receiveAll(shard, group, topic));
    received += count;
    micros += cpuMicroseconds * count;
  }
  say('receive 32 + ack one by one, from memory', { count: received, cpuMicroseconds: micros / received });
  await shard.close();
}

/** A lag is worked off by one receive after the other, and by many side by side. */
async function drain(): Promise<void> {
  const shard = await fresh();
  const topic = await putBenchTopic(shard, 'topic');
  await sendMany(shard, topic, MANY, new BenchMessages(256));
  say(`lag of ${MANY}`, { rssMib: process.memoryUsage().rss / 2 ** 20 });
  for (const receiveCount of [1, 16]) {
    const group = await putBenchGroup(shard, `group-${receiveCount}`);
    const readsBefore = shard.statistics().log.diskReadCount;
    const worked = await spent(async () => {
      const counts = Array.from({ length: receiveCount }, () => receiveAll(shard, group, topic));
      return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
    });
    const diskReads = (shard.statistics().log.diskReadCount - readsBefore) / worked.count;
    say(`lag of ${MANY} worked off, ${receiveCount} at a time`, { ...worked, diskReads });
  }
  await shard.close();
}

/** A hundred groups read the same backlog, one batch each in turn. */
async function groups(): Promise<void> {
  const shard = await fresh();
  const topic = await putBenchTopic(shard, 'topic');
  const each = 2_000;
  await sendMany(shard, topic, 60_000, new BenchMessages(1024));
  const all = await Promise.all(Array.from({ length: 100 }, (_, index) => putBenchGroup(shard, `group-${index}`)));
  const readsBefore = shard.statistics().log.diskReadCount;
  const read = await spent(async () => {
    const counts = await Promise.all(all.map((group) => receiveAll(shard, group, topic, each)));
    return counts.reduce((sum, count) => sum + count, 0);
  });
  const diskReads = (shard.statistics().log.diskReadCount - readsBefore) / read.count;
  say('100 groups read a backlog of 1 KiB messages', { ...read, diskReads });
  await shard.close();
}

async function transactions(): Promise<void> {
  const shard = await fresh();
  const topic = await putBenchTopic(shard, 'topic');
  const messages = new BenchMessages(1024);
  const run = async (count: number) => {
    for (let ended = 0; ended < count; ended += 64) {
      const halves = Array.from({ length: 64 }, () =>
        shard.sendHalf({ topic, tagHash: 0, message: messages.next(), immunityMs: 60_000 }),
      );
      await shard.settled();
      for (const [index, { half }] of halves.entries())
        shard.endTransaction(topic, half, TRANSACTION_END.committed, index % 8);
      await shard.settled();
    }
    return count;
  };
  await run(20_000);
  say('transactions of 1 KiB, 64 at a time', await spent(() => run(100_000)));
  await shard.close();
}

async function restart(): Promise<void> {
  let shard = await fresh();
  const topic = await putBenchTopic(shard, 'topic');
  await putBenchGroup(shard);
  const startMs = performance.now();
  await sendMany(shard, topic, MANY, new BenchMessages(64));
  say('sent', { count: MANY, seconds: (performance.now() - startMs) / 1000 });
  const closeMs = performance.now();
  await shard.close();
  say('clean stop', { ms: performance.now() - closeMs });
  shard = await timedOpen(`start after a clean stop, ${MANY} messages`);
  await shard.close();
  await rm(`${directory}/snapshots`, { recursive: true });
  await rm(`${directory}/queueindex`, { recursive: true });
  shard = await timedOpen('start with all views made again from the log');
  await shard.close();
}

async function timedOpen(name: string): Promise<OpenedShard> {
  const openMs = performance.now();
  const shard = await openLiveShard(directory);
  const ms = performance.now() - openMs;
  say(name, { ms, logMs: shard.recovery.durationMs, ...memory(), ...shard.viewsRecovery });
  return shard;
}

async function topics(): Promise<void> {
  const shard = await fresh();
  const all: Topic[] = [];
  for (let index = 0; index < 10_000; index += 100) {
    const batch = Array.from({ length: 100 }, (_, offset) => putBenchTopic(shard, `topic-${index + offset}`));
    all.push(...(await Promise.all(batch)));
  }
  const group = await putBenchGroup(shard);
  const messages = new BenchMessages(64);
  for (const topic of all) await sendMany(shard, topic, 16, messages);
  for (const topic of all) {
    await shard.receive({
      group,
      topic,
      filter: undefined,
      countMax: 8,
      bytesMax: 4e6,
      invisibleMs: 6e5,
      attemptId: undefined,
    });
  }
  globalThis.gc?.();
  const filesOpen = (await readdir('/proc/self/fd')).length;
  say('10,000 topics × 8 queues, 2 messages and 1 lease each', { ...memory(), filesOpen });
  await shard.close();
}

/** In a process of its own, on what `topics` has left. */
async function start(): Promise<void> {
  const shard = await timedOpen('start on what there is');
  await shard.close();
}

function memory(): Record<string, number> {
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
  return { rssMib: rss / 2 ** 20, heapUsedMib: heapUsed / 2 ** 20, arrayBuffersMib: arrayBuffers / 2 ** 20 };
}

const benches = { send, drain, groups, transactions, restart, topics, start };
const bench = benches[what as keyof typeof benches];
if (bench === undefined) throw new Error(`what is to be measured? One of ${Object.keys(benches).join(', ')}`);
await bench();
