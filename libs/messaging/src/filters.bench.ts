/**
 * What a message costs that a filter passes over, without gRPC: messages from memory and from the disk.
 *
 *   node --conditions=@orbitmq/source libs/messaging/src/filters.bench.ts DIRECTORY
 */
import { rm } from 'node:fs/promises';
import { javaStringHash, systemClock, systemRandom } from '@orbitmq/base';
import {
  Encoding,
  type FilterExpression,
  FilterType,
  Message,
  MessageType,
  SystemProperties,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Logger } from '@orbitmq/runtime';
import { type OpenedShard, openShard } from '@orbitmq/shard';
import { nodeVfs } from '@orbitmq/vfs';
import type { Topic } from '@orbitmq/views';
import type { MessagingConfig } from './config.ts';
import { Filters } from './filters.ts';

const directory = process.argv[2] ?? '/tmp/orbitmq-filters-bench';
const SILENT: Logger = { child: () => SILENT, debug() {}, info() {}, warn() {}, error() {} };
const BODY_BYTES = 256;
const PROPERTIES = new Map([
  ['color', 'blue'],
  ['region', 'elsewhere'],
  ['price', '7.50'],
]);
const NONE_WANTED: readonly FilterExpression[] = [
  { type: FilterType.TAG, expression: 'wanted' },
  { type: FilterType.SQL, expression: "region = 'wanted'" },
  { type: FilterType.SQL, expression: 'price > 100' },
  { type: FilterType.SQL, expression: "TAGS = 'wanted'" },
  {
    type: FilterType.SQL,
    expression: "(region IS NOT NULL AND region IN ('wanted', 'nowhere')) AND price BETWEEN 50 AND 150",
  },
];

async function send(shard: OpenedShard, topic: Topic, count: number): Promise<void> {
  const system = Buffer.from(
    SystemProperties.encode({
      tag: 'other',
      keys: [],
      messageId: '01'.padEnd(34, '0'),
      bodyDigest: undefined,
      bodyEncoding: Encoding.IDENTITY,
      messageType: MessageType.NORMAL,
      bornTimestamp: { seconds: 1_790_000_000n, nanos: 0 },
      bornHost: '192.0.2.7',
      storeHost: '192.0.2.1:10911',
      queueId: 0,
    }).finish(),
  );
  const content = { topic: { resourceNamespace: '', name: topic.name }, userProperties: PROPERTIES };
  const body = Buffer.alloc(BODY_BYTES, 2);
  const rest = Buffer.from(Message.encode({ ...content, systemProperties: undefined, body }).finish());
  const tagHash = javaStringHash('other');
  for (let sent = 0; sent < count; sent++) {
    shard.send({ topic, queueId: sent % topic.writeQueueCount, tagHash, message: { system, rest } });
    if (sent % 256 === 255) await shard.settled();
  }
  await shard.settled();
}

async function passOver(shard: OpenedShard, topic: Topic, expression: FilterExpression, name: string): Promise<number> {
  const group = await shard.putGroup({
    name,
    consumeEnable: true,
    consumeMessageOrderly: false,
    retryMaxTimes: 16,
    retryPolicy: { kind: 'customized', delaysMs: [1000] },
    autoCreated: false,
    attributes: new Map(),
  });
  const { filter } = new Filters({ enablePropertyFilter: true } as MessagingConfig).of(expression);
  const bounds = { countMax: 32, bytesMax: 4e6, invisibleMs: 60_000, attemptId: undefined };
  const cpu = process.cpuUsage();
  const found = await shard.receive({ group, topic, filter, ...bounds });
  const { user, system } = process.cpuUsage(cpu);
  if (found.length > 0) throw new Error(`${found.length} messages were wanted by ${expression.expression}`);
  return user + system;
}

async function measure(shard: OpenedShard, source: string, count: number): Promise<void> {
  const topic = await shard.putTopic({
    name: `topic-${count}`,
    readQueueCount: 8,
    writeQueueCount: 8,
    permission: 6,
    messageType: 'NORMAL',
    retentionMs: undefined,
    retentionBytes: undefined,
    autoCreated: false,
    attributes: new Map(),
  });
  await send(shard, topic, count);
  for (const [index, expression] of NONE_WANTED.entries()) {
    const micros: number[] = [];
    for (let round = 0; round < 5; round++) {
      micros.push(await passOver(shard, topic, expression, `${source}-${index}-${round}`));
    }
    const cpuMicroseconds = Math.round((Math.min(...micros) / count) * 1000) / 1000;
    const name = `${expression.type === FilterType.SQL ? 'SQL' : 'TAG'} ${expression.expression}, from ${source}`;
    process.stdout.write(`${JSON.stringify({ name, count, cpuMicroseconds })}\n`);
  }
}

await rm(directory, { recursive: true, force: true });
const shard = await openShard({
  vfs: nodeVfs,
  clock: systemClock,
  random: systemRandom,
  logger: SILENT,
  directory,
  options: { log: { flushDiskType: 'ASYNC_FLUSH' } },
  defer: setImmediate,
  onFailure: (error) => {
    throw error;
  },
});
await measure(shard, 'memory', 20_000);
await measure(shard, 'disk', 200_000);
await shard.close();
await rm(directory, { recursive: true, force: true });
