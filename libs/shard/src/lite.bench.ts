import { readdir, rm, stat } from 'node:fs/promises';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { systemClock, systemRandom } from '@orbitmq/base';
import { SystemProperties } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Logger } from '@orbitmq/runtime';
import { nodeVfs } from '@orbitmq/vfs';
import type { Group, Topic } from '@orbitmq/views';
import { type LiteSubscriber, type OpenedShard, openShard, viewDirectories } from './index.ts';

/*
 * Lite topics without gRPC, over real files: memory of very many, how quickly they are made, sent to, received from and
 * expired, time and size of a snapshot, time of a restart.
 *
 *   node --conditions=@orbitmq/source --expose-gc libs/shard/src/lite.bench.ts --count 100000
 */
const { values } = parseArgs({
  options: {
    directory: { type: 'string', default: '/tmp/orbitmq-lite-bench' },
    count: { type: 'string', default: '100000' },
    /** Lite topics that each client names. */
    names: { type: 'string', default: '2000' },
  },
});
const directory = values.directory;
const count = Number(values.count);
const namesPerClient = Number(values.names);
const silent: Logger = { child: () => silent, debug() {}, info() {}, warn() {}, error() {} };
const BODY = Buffer.alloc(256, 2);
const HOUR_MS = 3_600_000;
let aheadMs = 0;

function open(): Promise<OpenedShard> {
  return openShard({
    vfs: nodeVfs,
    clock: { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + aheadMs },
    random: systemRandom,
    logger: silent,
    directory,
    options: { log: { flushDiskType: 'ASYNC_FLUSH', zeroFill: false }, liteCheckIntervalMs: 100 },
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

function memoryMb(): { rssMb: number; heapMb: number } {
  global.gc?.();
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
  return { rssMb: rss / 1e6, heapMb: (heapUsed + arrayBuffers) / 1e6 };
}

const nameOf = (index: number): string => `conversation-${index.toString(36).padStart(8, '0')}`;

/** What messages for each lite topic say: made before anything is measured. */
const SYSTEMS = Array.from({ length: count }, (_, index) => {
  const properties = { ...SystemProperties.decode(new Uint8Array()), liteTopic: nameOf(index) };
  return SystemProperties.encode(properties).finish();
});

/** Begins to measure. @returns tells the time that has passed, and the processor's, for so many of something */
function stopwatch(): (each: number) => { ms: number; cpuMicrosEach: number } {
  const [startedMs, cpu] = [performance.now(), process.cpuUsage()];
  return (each) => {
    const { user, system } = process.cpuUsage(cpu);
    return { ms: performance.now() - startedMs, cpuMicrosEach: (user + system) / each };
  };
}

/** Sends one message to each of so many lite topics, 64 a turn. */
async function send(shard: OpenedShard, topic: Topic, indexes: readonly number[]) {
  const watch = stopwatch();
  for (const [sent, index] of indexes.entries()) {
    const message = { system: SYSTEMS[index]!, rest: BODY };
    shard.sendLite({ topic, liteTopic: nameOf(index), tagHash: 0, message });
    if (sent % 64 === 63) await shard.settled();
  }
  await shard.settled();
  return watch(indexes.length);
}

/** Receives and acknowledges all there is. */
async function drain(name: string, shard: OpenedShard, subscribers: readonly LiteSubscriber[], of: [Group, Topic]) {
  const [group, topic] = of;
  const watch = stopwatch();
  let [received, receives, longestMs] = [0, 0, 0];
  for (const subscriber of subscribers) {
    for (;;) {
      const beganMs = performance.now();
      const request = { countMax: 32, bytesMax: 4e6, invisibleMs: 60_000, attemptId: `attempt-${receives}` };
      const deliveries = await subscriber.receive(request);
      longestMs = Math.max(longestMs, performance.now() - beganMs);
      receives++;
      if (deliveries.length === 0) break;
      received += deliveries.length;
      for (const { queueId, queueOffset, leaseId } of deliveries) {
        shard.acknowledge({ group, topic, queueId, queueOffset, leaseId });
      }
      await shard.settled();
    }
  }
  say(name, { received, receives, longestMs, ...watch(received) });
}

async function restart(name: string): Promise<OpenedShard> {
  const watch = stopwatch();
  const shard = await open();
  say(name, { ...watch(count), replayed: shard.viewsRecovery.replayedRecords, ...memoryMb() });
  return shard;
}

function subscribe(shard: OpenedShard, group: Group, topic: Topic): LiteSubscriber[] {
  return Array.from({ length: Math.ceil(count / namesPerClient) }, (_, client) => {
    const subscriber = shard.openLiteSubscriber(group, topic, false);
    for (let index = client * namesPerClient; index < Math.min(count, (client + 1) * namesPerClient); index++) {
      subscriber.subscribe(nameOf(index));
    }
    return subscriber;
  });
}

await rm(directory, { recursive: true, force: true });
let shard = await open();
let topic = await shard.putTopic({
  name: 'parent',
  readQueueCount: 1,
  writeQueueCount: 1,
  permission: 6,
  messageType: 'LITE',
  retentionMs: undefined,
  retentionBytes: undefined,
  autoCreated: false,
  attributes: new Map([['lite.topic.expiration', '30']]),
});
let group = await shard.putGroup({
  name: 'group',
  consumeEnable: true,
  consumeMessageOrderly: false,
  retryMaxTimes: 16,
  retryPolicy: { kind: 'customized', delaysMs: [1000] },
  autoCreated: false,
  attributes: new Map([['lite.bind.topic', 'parent']]),
});
say('nothing yet', memoryMb());
const all = Array.from({ length: count }, (_, index) => index);
const made = await send(shard, topic, all);
say('lite topics made, a message each', { count, ...made, ...memoryMb() });
let watch = stopwatch();
let subscribers = subscribe(shard, group, topic);
say('subscribed', { clients: subscribers.length, ...watch(count), ...memoryMb() });
await drain('received and acknowledged', shard, subscribers, [group, topic]);
say('all consumed', memoryMb());
const some = all.filter((index) => index % 100 === 0);
for (let round = 0; round < 3; round++) await send(shard, topic, some);
await drain('received again of one in a hundred', shard, subscribers, [group, topic]);
say('sent once more to each', await send(shard, topic, all));
await drain('received once more', shard, subscribers, [group, topic]);
watch = stopwatch();
shard.statistics();
say('statistics', watch(count));

const histogram = monitorEventLoopDelay({ resolution: 1 });
histogram.enable();
watch = stopwatch();
await shard.snapshot();
say('snapshot', { ...watch(count), stallMs: histogram.max / 1e6 });
histogram.disable();
for (const subscriber of subscribers.splice(0)) subscriber.close();
await shard.close();
const { snapshots } = viewDirectories(directory);
const newest = (await readdir(snapshots)).sort().at(-1)!;
say('snapshot file', { sizeMb: (await stat(`${snapshots}/${newest}`)).size / 1e6 });

shard = await restart('restart from a snapshot');
await shard.close();
await rm(snapshots, { recursive: true });
shard = await restart('restart by replay');
[topic, group] = [shard.metadata.topic('parent')!, shard.metadata.group('group')!];
subscribers = subscribe(shard, group, topic);
histogram.reset();
histogram.enable();
watch = stopwatch();
aheadMs = HOUR_MS;
while (shard.liteTopicCount() > 0) await delay(20);
say('expired', { ...watch(count), stallMs: histogram.max / 1e6, ...memoryMb() });
await shard.close();
await rm(directory, { recursive: true });
