import { systemClock, systemRandom } from '@orbitmq/base';
import { Encoding, Message, MessageType, SystemProperties } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Logger } from '@orbitmq/runtime';
import { nodeVfs } from '@orbitmq/vfs';
import type { Group, Topic } from '@orbitmq/views';
import { type MessageBytes, type OpenedShard, openShard, type ShardOptions } from './index.ts';

/* What the benches of the shard share: a shard over real files, messages as a broker stores them, and lines of results. */

const SILENT: Logger = { child: () => SILENT, debug() {}, info() {}, warn() {}, error() {} };
const MESSAGE_ID_BYTES = 34;

/** Opens a shard as a broker does. */
export function openLiveShard(
  directory: string,
  options: Partial<ShardOptions> = {},
  wallAheadMs = 0,
): Promise<OpenedShard> {
  return openShard({
    vfs: nodeVfs,
    clock: { ...systemClock, wallMs: () => systemClock.wallMs() + wallAheadMs },
    random: systemRandom,
    logger: SILENT,
    directory,
    options: { log: { flushDiskType: 'ASYNC_FLUSH' }, ...options },
    defer: setImmediate,
    onFailure: (error) => {
      throw error;
    },
  });
}

/** A topic with as many queues for reading as for writing. */
export function putBenchTopic(shard: OpenedShard, name: string, queueCount = 8): Promise<Topic> {
  return shard.putTopic({
    name,
    readQueueCount: queueCount,
    writeQueueCount: queueCount,
    permission: 6,
    messageType: 'MIXED',
    retentionMs: undefined,
    retentionBytes: undefined,
    autoCreated: false,
    attributes: new Map(),
  });
}

/** An ordinary group. */
export function putBenchGroup(shard: OpenedShard, name = 'group'): Promise<Group> {
  return shard.putGroup({
    name,
    consumeEnable: true,
    consumeMessageOrderly: false,
    retryMaxTimes: 16,
    retryPolicy: { kind: 'customized', delaysMs: [1000] },
    autoCreated: false,
    attributes: new Map(),
  });
}

/** Messages as a broker stores them, each with an id of its own. The bytes of one are valid until the next. */
export class BenchMessages {
  readonly #message: MessageBytes;
  readonly #system: Buffer;
  readonly #idAt: number;
  #count = 0;

  constructor(bodyBytes: number, properties: Readonly<Record<string, string>> = {}) {
    const marker = 'F'.repeat(MESSAGE_ID_BYTES);
    this.#system = Buffer.from(
      SystemProperties.encode({
        keys: [],
        messageId: marker,
        bodyDigest: undefined,
        bodyEncoding: Encoding.IDENTITY,
        messageType: MessageType.NORMAL,
        bornTimestamp: { seconds: 1_790_000_000n, nanos: 0 },
        bornHost: '192.0.2.7',
        storeHost: '192.0.2.1:10911',
        queueId: 0,
      }).finish(),
    );
    this.#idAt = this.#system.indexOf(marker);
    this.#system.write('01'.padEnd(MESSAGE_ID_BYTES, '0'), this.#idAt, 'latin1');
    const rest = Message.encode({
      topic: { resourceNamespace: '', name: 'topic' },
      userProperties: new Map(Object.entries(properties)),
      systemProperties: undefined,
      body: Buffer.alloc(bodyBytes, 2),
    }).finish();
    this.#message = { system: this.#system, rest: Buffer.from(rest) };
  }

  next(): MessageBytes {
    let rest = ++this.#count;
    for (let at = this.#idAt + MESSAGE_ID_BYTES - 1; rest > 0; at--) {
      this.#system[at] = 48 + (rest % 10);
      rest = Math.floor(rest / 10);
    }
    return this.#message;
  }
}

/** Sends in batches of 64, as 64 requests in a turn would make them. */
export async function sendMany(
  shard: OpenedShard,
  topic: Topic,
  count: number,
  messages: BenchMessages,
  tagHash = 0,
): Promise<void> {
  for (let sent = 0; sent < count; sent += 64) {
    for (let index = 0; index < Math.min(64, count - sent); index++) {
      const queueId = (sent + index) % topic.writeQueueCount;
      shard.send({ topic, queueId, tagHash, message: messages.next() });
    }
    await shard.settled();
  }
}

/** Prints a line of results; figures are named with their units. */
export function say(name: string, figures: Readonly<Record<string, number | string>>): void {
  const rounded = Object.entries(figures).map(([key, value]) => [
    key,
    typeof value === 'number' ? Math.round(value * 1000) / 1000 : value,
  ]);
  process.stdout.write(`${JSON.stringify({ name, ...Object.fromEntries(rounded) })}\n`);
}

/** Runs `work` and gives what it has taken: by the clock and by the processor, and the memory afterwards. */
export async function spent(
  work: () => Promise<number>,
): Promise<{ count: number; perSecond: number; cpuMicroseconds: number; rssMib: number }> {
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  const count = await work();
  const seconds = (performance.now() - startMs) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const rssMib = process.memoryUsage().rss / 2 ** 20;
  return { count, perSecond: count / seconds, cpuMicroseconds: (user + system) / count, rssMib };
}

/** Receives and acknowledges all that a group finds. @returns messages */
export async function receiveAll(
  shard: OpenedShard,
  group: Group,
  topic: Topic,
  countMax = Number.POSITIVE_INFINITY,
): Promise<number> {
  let received = 0;
  while (received < countMax) {
    const deliveries = await shard.receive({
      group,
      topic,
      filter: undefined,
      attemptId: undefined,
      countMax: 32,
      bytesMax: 4e6,
      invisibleMs: 60_000,
    });
    if (deliveries.length === 0) break;
    received += deliveries.length;
    for (const { queueId, queueOffset, leaseId } of deliveries) {
      shard.acknowledge({ group, topic, queueId, queueOffset, leaseId });
    }
    await shard.settled();
  }
  return received;
}
