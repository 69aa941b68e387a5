import { rm } from 'node:fs/promises';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { systemClock, systemRandom } from '@orbitmq/base';
import type { Logger } from '@orbitmq/runtime';
import { nodeVfs } from '@orbitmq/vfs';
import type { Topic } from '@orbitmq/views';
import { type OpenedShard, openShard } from './index.ts';

/*
 * Timed messages without gRPC, over real files: memory of many pending ones, time of a snapshot and of a restart, how
 * late they come while others are sent, and how quickly a heap of overdue ones is fired.
 *
 *   node --conditions=@orbitmq/source --expose-gc libs/shard/src/timers.bench.ts --pending 1000000
 */
const { values } = parseArgs({
  options: {
    directory: { type: 'string', default: '/tmp/orbitmq-timers-bench' },
    pending: { type: 'string', default: '1000000' },
    /** Timed messages a second in the measurement of lateness, beside as many ordinary ones. */
    rate: { type: 'string', default: '2000' },
  },
});
const directory = values.directory;
const silent: Logger = { child: () => silent, debug() {}, info() {}, warn() {}, error() {} };
const MESSAGE = { system: Buffer.alloc(120, 1), rest: Buffer.alloc(256, 2) };
const HOUR_MS = 3_600_000;
const LATENESS_SECONDS = 10;

function open(wallAheadMs = 0): Promise<OpenedShard> {
  return openShard({
    vfs: nodeVfs,
    clock: { ...systemClock, wallMs: () => systemClock.wallMs() + wallAheadMs },
    random: systemRandom,
    logger: silent,
    directory,
    options: { log: { flushDiskType: 'ASYNC_FLUSH' }, retentionMs: 10 * HOUR_MS },
    defer: setImmediate,
    onFailure: (error) => {
      throw error;
    },
  });
}

function say(name: string, facts: Record<string, number>): void {
  const rounded = Object.entries(facts).map(([key, value]) => [key, Math.round(value * 100) / 100]);
  process.stdout.write(`${JSON.stringify({ name, ...Object.fromEntries(rounded) })}\n`);
}

function memoryMb(): number {
  global.gc?.();
  return process.memoryUsage().rss / 1e6;
}

async function sendPending(shard: OpenedShard, topic: Topic, count: number): Promise<void> {
  const rssBefore = memoryMb();
  const startedMs = performance.now();
  const dueMs = systemClock.wallMs() + HOUR_MS;
  for (let sent = 0; sent < count; sent += 64) {
    for (let index = 0; index < 64; index++) {
      const deliveryTimestampMs = dueMs + systemRandom.below(HOUR_MS);
      shard.sendTimed({ topic, queueId: index % 8, tagHash: 0, message: MESSAGE, deliveryTimestampMs });
    }
    await shard.settled();
  }
  const seconds = (performance.now() - startedMs) / 1000;
  say('pending', {
    count: shard.timerCount(topic),
    sendsPerSecond: count / seconds,
    rssMb: memoryMb(),
    rssGrowthMb: memoryMb() - rssBefore,
  });
}

/** Longest time that the event loop stands still. */
async function snapshot(shard: OpenedShard): Promise<void> {
  const loop = monitorEventLoopDelay({ resolution: 1 });
  await delay(50);
  loop.enable();
  const startedMs = performance.now();
  await shard.snapshot();
  loop.disable();
  say('snapshot', { ms: performance.now() - startedMs, loopDelayMaxMs: loop.max / 1e6 });
}

async function lateness(shard: OpenedShard, topic: Topic, rate: number): Promise<void> {
  const group = await shard.putGroup({
    name: 'group',
    consumeEnable: true,
    consumeMessageOrderly: false,
    retryMaxTimes: 16,
    retryPolicy: { kind: 'customized', delaysMs: [1000] },
    autoCreated: false,
    attributes: new Map(),
  });
  const late: number[] = [];
  const expected = (rate * LATENESS_SECONDS) | 0;
  const receiving = (async () => {
    while (late.length < expected) {
      const waiter = shard.waitForMessages(group, topic);
      const found = await shard.receive({
        group,
        topic,
        filter: undefined,
        countMax: 32,
        bytesMax: 4e6,
        invisibleMs: 60_000,
        attemptId: undefined,
      });
      const nowMs = systemClock.wallMs();
      for (const { message, queueId, queueOffset, leaseId } of found) {
        late.push(nowMs - Buffer.from(message.system).readDoubleLE(0));
        shard.acknowledge({ group, topic, queueId, queueOffset, leaseId });
      }
      if (found.length === 0) await waiter.ready;
      else waiter.cancel();
    }
  })();
  const other = await putTopic(shard, 'other');
  const startMs = systemClock.wallMs() + 500;
  for (let tick = 0; tick < LATENESS_SECONDS * 100; tick++) {
    const dueMs = startMs + tick * 10;
    while (systemClock.wallMs() < dueMs - 400) await delay(1);
    for (let index = 0; index < rate / 100; index++) {
      const system = Buffer.alloc(120);
      const deliveryTimestampMs = dueMs + systemRandom.below(10);
      system.writeDoubleLE(deliveryTimestampMs);
      shard.sendTimed({ topic, queueId: 0, tagHash: 0, message: { ...MESSAGE, system }, deliveryTimestampMs });
      shard.send({ topic: other, queueId: 0, tagHash: 0, message: MESSAGE });
    }
    await shard.settled();
  }
  await receiving;
  late.sort((a, b) => a - b);
  const at = (share: number): number => late[Math.floor((late.length - 1) * share)]!;
  say('lateness', { count: late.length, minMs: at(0), p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) });
  const { timers, log } = shard.statistics();
  say('fired', { latenessMaxMs: timers.latenessMaxMs, syncMaxMs: log.syncMsMax });
}

async function fireAll(topicName: string): Promise<void> {
  const restartMs = performance.now();
  const shard = await open(3 * HOUR_MS);
  const openedMs = performance.now();
  const topic = shard.metadata.topic(topicName)!;
  const count = shard.statistics().timers.pendingCount;
  const loop = monitorEventLoopDelay({ resolution: 1 });
  loop.enable();
  while (shard.timerCount(topic) > 0) await delay(5);
  const seconds = (performance.now() - openedMs) / 1000;
  loop.disable();
  say('fire', {
    restartMs: openedMs - restartMs,
    count,
    perSecond: count / seconds,
    loopDelayP99Ms: loop.percentile(99) / 1e6,
    rssMb: memoryMb(),
  });
  await shard.close();
}

function putTopic(shard: OpenedShard, name: string): Promise<Topic> {
  return shard.putTopic({
    name,
    readQueueCount: 8,
    writeQueueCount: 8,
    permission: 6,
    messageType: 'MIXED',
    retentionMs: undefined,
    retentionBytes: undefined,
    autoCreated: false,
    attributes: new Map(),
  });
}

// The clock's timers do not keep a process alive.
const alive = setInterval(() => {}, 1000);
await rm(directory, { recursive: true, force: true });
const shard = await open();
await sendPending(shard, await putTopic(shard, 'timed'), Number(values.pending));
await snapshot(shard);
await lateness(shard, await putTopic(shard, 'late'), Number(values.rate));
await shard.close();
await fireAll('timed');
await rm(directory, { recursive: true, force: true });
clearInterval(alive);
