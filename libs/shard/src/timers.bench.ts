import { rm } from 'node:fs/promises';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { systemClock, systemRandom } from '@orbitmq/base';
import type { Topic } from '@orbitmq/views';
import type { MessageBytes, OpenedShard } from './index.ts';
import { BenchMessages, openLiveShard, putBenchGroup, putBenchTopic, say } from './live-shard.bench.ts';

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
const messages = new BenchMessages(256);
/** Field 15 of 8 bytes, which messages don't have: says when this one is due. */
const STAMP_TAG = (15 << 3) | 1;
const HOUR_MS = 3_600_000;
const LATENESS_SECONDS = 10;

function open(wallAheadMs = 0): Promise<OpenedShard> {
  return openLiveShard(directory, { retentionMs: 10 * HOUR_MS }, wallAheadMs);
}

function memoryMib(): number {
  global.gc?.();
  return process.memoryUsage().rss / 2 ** 20;
}

async function sendPending(shard: OpenedShard, topic: Topic, count: number): Promise<void> {
  const rssBefore = memoryMib();
  const startedMs = performance.now();
  const dueMs = systemClock.wallMs() + HOUR_MS;
  for (let sent = 0; sent < count; sent += 64) {
    for (let index = 0; index < 64; index++) {
      const deliveryTimestampMs = dueMs + systemRandom.below(HOUR_MS);
      shard.sendTimed({ topic, queueId: index % 8, tagHash: 0, message: messages.next(), deliveryTimestampMs });
    }
    await shard.settled();
  }
  const seconds = (performance.now() - startedMs) / 1000;
  say('pending', {
    count: shard.timerCount(topic),
    sendsPerSecond: count / seconds,
    rssMib: memoryMib(),
    rssGrowthMib: memoryMib() - rssBefore,
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
  const group = await putBenchGroup(shard);
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
        late.push(nowMs - dueMsOf(message));
        shard.acknowledge({ group, topic, queueId, queueOffset, leaseId });
      }
      if (found.length === 0) await waiter.ready;
      else waiter.cancel();
    }
  })();
  const other = await putBenchTopic(shard, 'other');
  const startMs = systemClock.wallMs() + 500;
  for (let tick = 0; tick < LATENESS_SECONDS * 100; tick++) {
    const dueMs = startMs + tick * 10;
    while (systemClock.wallMs() < dueMs - 400) await delay(1);
    for (let index = 0; index < rate / 100; index++) {
      const deliveryTimestampMs = dueMs + systemRandom.below(10);
      const { system, rest } = messages.next();
      const stamp = Buffer.from([STAMP_TAG, ...new Uint8Array(8)]);
      stamp.writeDoubleLE(deliveryTimestampMs, 1);
      const message = { system, rest: Buffer.concat([rest, stamp]) };
      shard.sendTimed({ topic, queueId: 0, tagHash: 0, message, deliveryTimestampMs });
      shard.send({ topic: other, queueId: 0, tagHash: 0, message: messages.next() });
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

function dueMsOf(message: MessageBytes): number {
  return Buffer.from(message.rest).readDoubleLE(message.rest.length - 8);
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
    rssMib: memoryMib(),
  });
  await shard.close();
}

// The clock's timers do not keep a process alive.
const alive = setInterval(() => {}, 1000);
await rm(directory, { recursive: true, force: true });
const shard = await open();
await sendPending(shard, await putBenchTopic(shard, 'timed'), Number(values.pending));
await snapshot(shard);
await lateness(shard, await putBenchTopic(shard, 'late'), Number(values.rate));
await shard.close();
await fireAll('timed');
await rm(directory, { recursive: true, force: true });
clearInterval(alive);
