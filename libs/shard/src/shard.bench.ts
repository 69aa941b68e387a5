import { readdir, rm } from 'node:fs/promises';
import { systemClock, systemRandom } from '@orbitmq/base';
import type { Logger } from '@orbitmq/runtime';
import { nodeVfs } from '@orbitmq/vfs';
import type { Group, Topic } from '@orbitmq/views';
import { type OpenedShard, openShard } from './index.ts';

/*
 * The shard without gRPC, over real files:
 *
 *   node --conditions=@orbitmq/source --expose-gc libs/shard/src/shard.bench.ts DIRECTORY send|restart|topics|start
 */
const [directory = '/tmp/orbitmq-shard-bench', what] = process.argv.slice(2);
const silent: Logger = { child: () => silent, debug() {}, info() {}, warn() {}, error() {} };
const MESSAGE = { system: Buffer.alloc(120, 1), rest: Buffer.alloc(1024, 2) };
const SMALL = { system: Buffer.alloc(60, 1), rest: Buffer.alloc(60, 2) };

function open(flushDiskType: 'SYNC_FLUSH' | 'ASYNC_FLUSH'): Promise<OpenedShard> {
  return openShard({
    vfs: nodeVfs,
    clock: systemClock,
    random: systemRandom,
    logger: silent,
    directory,
    options: { log: { flushDiskType, zeroFill: false } },
    defer: setImmediate,
    onFailure: (error) => {
      throw error;
    },
  });
}

function putTopic(shard: OpenedShard, name: string, queueCount: number): Promise<Topic> {
  return shard.putTopic({
    name,
    readQueueCount: queueCount,
    writeQueueCount: queueCount,
    permission: 6,
    messageType: 'NORMAL',
    retentionMs: undefined,
    retentionBytes: undefined,
    autoCreated: false,
    attributes: new Map(),
  });
}

function putGroup(shard: OpenedShard): Promise<Group> {
  return shard.putGroup({
    name: 'group',
    consumeEnable: true,
    consumeMessageOrderly: false,
    retryMaxTimes: 16,
    retryPolicy: { kind: 'customized', delaysMs: [1000] },
    autoCreated: false,
    attributes: new Map(),
  });
}

function say(name: string, facts: Record<string, number | string>): void {
  process.stdout.write(`${JSON.stringify({ name, ...facts })}\n`);
}

function cpuMicros(since?: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return user + system;
}

/** Sends in batches of 64 as 64 requests in a turn would make them. */
async function send(shard: OpenedShard, topic: Topic, count: number, message: typeof MESSAGE): Promise<void> {
  for (let sent = 0; sent < count; sent += 64) {
    for (let index = 0; index < 64; index++) {
      shard.send({ topic, queueId: (sent + index) % topic.writeQueueCount, tagHash: index, message });
    }
    await shard.settled();
  }
}

async function drain(name: string | undefined, shard: OpenedShard, group: Group, topic: Topic): Promise<number> {
  const [startMs, cpu] = [performance.now(), process.cpuUsage()];
  const bounds = { countMax: 32, bytesMax: 4e6, invisibleMs: 60_000 };
  let received = 0;
  for (;;) {
    const deliveries = await shard.receive({ group, topic, filter: undefined, attemptId: undefined, ...bounds });
    if (deliveries.length === 0) break;
    received += deliveries.length;
    for (const { queueId, queueOffset, leaseId } of deliveries) {
      shard.acknowledge({ group, topic, queueId, queueOffset, leaseId });
    }
    await shard.settled();
  }
  if (name !== undefined) {
    say(name, {
      received,
      cpuMicrosPerMessage: cpuMicros(cpu) / received,
      wallMicrosPerMessage: ((performance.now() - startMs) * 1000) / received,
    });
  }
  return received;
}

async function sendAndReceive(): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  const shard = await open('ASYNC_FLUSH');
  const topic = await putTopic(shard, 'topic', 8);
  const group = await putGroup(shard);
  await send(shard, topic, 20_000, MESSAGE);
  const count = 200_000;
  const [startMs, cpu] = [performance.now(), process.cpuUsage()];
  await send(shard, topic, count, MESSAGE);
  say('send 1 KiB, ASYNC_FLUSH, 64 a turn', {
    cpuMicrosPerMessage: cpuMicros(cpu) / count,
    wallMicrosPerMessage: ((performance.now() - startMs) * 1000) / count,
  });
  const sendStart = performance.now();
  for (let index = 0; index < 20_000; index++) {
    shard.send({ topic, queueId: index % 8, tagHash: index, message: MESSAGE });
    if (index % 1000 === 999) await shard.settled();
  }
  say('send, synchronous part and flush', { microsPerMessage: ((performance.now() - sendStart) * 1000) / 20_000 });
  await drain('receive 32 + ack one by one, backlog from disk', shard, group, topic);
  let [micros, received] = [0, 0];
  for (let round = 0; round < 40; round++) {
    await send(shard, topic, 5056, MESSAGE);
    const start = process.cpuUsage();
    received += await drain(undefined, shard, group, topic);
    micros += cpuMicros(start);
  }
  say('receive 32 + ack one by one, from memory', { received, cpuMicrosPerMessage: micros / received });
  await shard.close();
}

async function restart(): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  let shard = await open('ASYNC_FLUSH');
  const topic = await putTopic(shard, 'topic', 8);
  await putGroup(shard);
  const count = 5_000_000;
  const startMs = performance.now();
  await send(shard, topic, count, SMALL);
  say('sent', { count, seconds: (performance.now() - startMs) / 1000 });
  let closeMs = performance.now();
  await shard.close();
  say('clean stop', { ms: performance.now() - closeMs });
  let openMs = performance.now();
  shard = await open('ASYNC_FLUSH');
  say('start after a clean stop, 5 million messages', {
    ms: performance.now() - openMs,
    logMs: shard.recovery.durationMs,
    rssMiB: process.memoryUsage().rss / 2 ** 20,
    ...shard.viewsRecovery,
  });
  await shard.close();
  await rm(`${directory}/snapshots`, { recursive: true });
  await rm(`${directory}/queueindex`, { recursive: true });
  openMs = performance.now();
  shard = await open('ASYNC_FLUSH');
  say('start with all views made again from the log', {
    ms: performance.now() - openMs,
    logMs: shard.recovery.durationMs,
    rssMiB: process.memoryUsage().rss / 2 ** 20,
    ...shard.viewsRecovery,
  });
  closeMs = performance.now();
  await shard.close();
}

async function topics(): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  const shard = await open('ASYNC_FLUSH');
  const all: Topic[] = [];
  for (let index = 0; index < 10_000; index += 100) {
    const batch = Array.from({ length: 100 }, (_, offset) => putTopic(shard, `topic-${index + offset}`, 8));
    all.push(...(await Promise.all(batch)));
  }
  const group = await putGroup(shard);
  for (let round = 0; round < 2; round++) {
    for (const topic of all) {
      for (let queueId = 0; queueId < 8; queueId++) shard.send({ topic, queueId, tagHash: 0, message: SMALL });
      if (topic.uid % 50 === 0) await shard.settled();
    }
  }
  await shard.settled();
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
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
  say('10,000 topics × 8 queues, 2 messages and 1 lease each', {
    rssMiB: rss / 2 ** 20,
    heapUsedMiB: heapUsed / 2 ** 20,
    arrayBuffersMiB: arrayBuffers / 2 ** 20,
    filesOpen: (await readdir('/proc/self/fd')).length,
  });
  await shard.close();
}

/** In a process of its own, on what `topics` has left. */
async function start(): Promise<void> {
  const openMs = performance.now();
  const shard = await open('ASYNC_FLUSH');
  const ms = performance.now() - openMs;
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
  say('start on what there is', {
    topics: [...shard.metadata.topics()].length,
    ms,
    rssMiB: rss / 2 ** 20,
    heapUsedMiB: heapUsed / 2 ** 20,
    arrayBuffersMiB: arrayBuffers / 2 ** 20,
    ...shard.viewsRecovery,
  });
  await shard.close();
}

const benches = { send: sendAndReceive, restart, topics, start };
const bench = benches[what as keyof typeof benches];
if (bench === undefined) throw new Error(`what is to be measured? One of ${Object.keys(benches).join(', ')}`);
await bench();
