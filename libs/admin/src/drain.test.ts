import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { type Clock, MqError, seededRandom } from '@orbitmq/base';
import { ClientType, SystemProperties } from '@orbitmq/protocol/apache.rocketmq.v2';
import { DrainRemainder_Kind as Kind, type TopicReader } from '@orbitmq/protocol/orbitmq.admin.v1';
import type { Logger } from '@orbitmq/runtime';
import { type LeaseRef, type OpenedShard, openShard } from '@orbitmq/shard';
import { SimClock } from '@orbitmq/testkit';
import { memoryVfs } from '@orbitmq/vfs';
import type { Group, Topic, TopicMessageType } from '@orbitmq/views';
import type { ClientDirectory, ConnectedClient } from './client-directory.ts';
import { drainOf, setDrain } from './drain.ts';

const SILENT: Logger = { child: () => SILENT, debug() {}, info() {}, warn() {}, error() {} };
const MESSAGE = { system: new Uint8Array(0), rest: Buffer.from([0x22, 1, 0x61]) };
const KINDS: Readonly<Record<number, string>> = {
  [Kind.KIND_UNSETTLED]: 'unsettled',
  [Kind.KIND_UNREAD]: 'unread',
  [Kind.KIND_TIMED]: 'timed',
  [Kind.KIND_OPEN_TRANSACTION]: 'open',
};
const clock = new SimClock();
let connected: ConnectedClient[] = [];
const clients: ClientDirectory = { connections: () => connected, liteReaders: () => [] };
let shard: OpenedShard;

before(async () => {
  shard = await openShard({
    vfs: memoryVfs(),
    clock,
    random: seededRandom(1),
    logger: SILENT,
    directory: '/store',
    options: { log: { flushDiskType: 'ASYNC_FLUSH', segmentSizeBytes: 1 << 22 } },
    defer: setImmediate,
  });
});

function topicNamed(name: string, messageType: TopicMessageType = 'MIXED'): Promise<Topic> {
  const counts = { readQueueCount: 2, writeQueueCount: 2, permission: 6 };
  const none = { retentionMs: undefined, retentionBytes: undefined, autoCreated: false, attributes: new Map() };
  return shard.putTopic({ name, messageType, ...counts, ...none });
}

function groupNamed(name: string, attributes: ReadonlyMap<string, string> = new Map()): Promise<Group> {
  const rules = { consumeEnable: true, consumeMessageOrderly: false, retryMaxTimes: 16, autoCreated: false };
  const retryPolicy = { kind: 'customized', delaysMs: [1_000] } as const;
  return shard.putGroup({ name, ...rules, retryPolicy, attributes });
}

/** What is left, a line a remainder. */
async function left(readers: TopicReader[] = []): Promise<string[]> {
  const { remainders } = await clock.settle(drainOf(shard, clients, readers, clock));
  return remainders.map(({ kind, topic, group, count, inflightCount }) =>
    [KINDS[kind], topic, group, count, inflightCount].filter((part) => part !== '').join(' '),
  );
}

test('what is left is told by topic and group, and gets less', async () => {
  const topic = await topicNamed('orders');
  const group = await groupNamed('billing');
  for (const queueId of [0, 1, 1]) shard.send({ topic, queueId, tagHash: 0, message: MESSAGE });
  await shard.settled();
  assert.deepEqual(await left(), ['unread orders 3 0'], 'nobody reads it');
  assert.deepEqual(await left([{ topic: 'orders', group: 'elsewhere' }]), ['unsettled orders elsewhere 3 0']);
  connected = [
    {
      clientId: 'client',
      clientType: ClientType.SIMPLE_CONSUMER,
      language: 'JAVA',
      version: '',
      group: 'billing',
      topics: [{ topic: 'orders', expression: '*' }],
      lastSeenMs: 0,
    },
  ];
  assert.deepEqual(await left(), ['unsettled orders billing 3 0'], 'it subscribes');
  connected = [];
  const request = { group, topic, filter: undefined, countMax: 2, bytesMax: 1e6, invisibleMs: 30_000 };
  const taken = await clock.settle(shard.receive({ ...request, attemptId: undefined }));
  assert.deepEqual(await left(), ['unsettled orders billing 3 2'], 'two are held');
  const rest = await clock.settle(shard.receive({ ...request, attemptId: undefined }));
  for (const { queueId, queueOffset, leaseId } of [...taken, ...rest]) {
    shard.acknowledge({ group, topic, queueId, queueOffset, leaseId });
  }
  assert.deepEqual(await left(), []);
  assert.deepEqual(await left([{ topic: 'orders', group: 'elsewhere' }]), ['unsettled orders elsewhere 3 0']);
  const { readers } = await clock.settle(drainOf(shard, clients, [], clock));
  assert.deepEqual(readers, [{ topic: 'orders', group: 'billing' }]);
});

test('timed messages, open transactions and lite topics are left, too', async () => {
  const topic = await topicNamed('pending');
  const deliveryTimestampMs = clock.wallMs() + 1e9;
  shard.sendTimed({ topic, queueId: 0, tagHash: 0, message: MESSAGE, deliveryTimestampMs });
  shard.sendHalf({ topic, tagHash: 0, message: MESSAGE, immunityMs: 1e9 });
  const parent = await topicNamed('parent', 'LITE');
  const system = SystemProperties.encode({ ...SystemProperties.decode(new Uint8Array()), liteTopic: 'one' }).finish();
  shard.sendLite({ topic: parent, liteTopic: 'one', tagHash: 0, message: { system, rest: MESSAGE.rest } });
  await shard.settled();
  const pending = ['timed pending 1 0', 'open pending 1 0'];
  assert.deepEqual(await left(), ['unread parent 1 0', ...pending]);
  await groupNamed('lite', new Map([['lite.bind.topic', 'parent']]));
  assert.deepEqual(await left(), ['unsettled parent lite 1 0', ...pending]);
});

test('a message of a lite topic that becomes a dead letter while it is counted is not missed', async () => {
  const topic = await topicNamed('busy', 'LITE');
  const group = await groupNamed('worker', new Map([['lite.bind.topic', 'busy']]));
  const subscriber = shard.openLiteSubscriber(group, topic, true);
  let last: LeaseRef | undefined;
  // More than one step looks at; all but the last are settled.
  for (let index = 0; index <= 500; index++) {
    const liteTopic = `n${String(index).padStart(3, '0')}`;
    const system = SystemProperties.encode({ ...SystemProperties.decode(new Uint8Array()), liteTopic }).finish();
    shard.sendLite({ topic, liteTopic, tagHash: 0, message: { system, rest: MESSAGE.rest } });
    await shard.settled();
    const request = { countMax: 1, bytesMax: 1e6, invisibleMs: 30_000, attemptId: undefined };
    const [taken] = await clock.settle(subscriber.receive(request));
    last = { group, topic, ...taken! };
    if (index < 500) shard.acknowledge(last);
  }
  const moving: Clock = {
    wallMs: () => clock.wallMs(),
    monotonicMs: () => clock.monotonicMs(),
    setTimer: (delayMs, callback) => {
      void shard.deadLetter(last!).then(callback);
      return clock.setTimer(delayMs, () => {});
    },
  };
  const { remainders } = await clock.settle(drainOf(shard, clients, [], moving));
  const told = remainders.map(({ topic: name }) => name);
  assert.ok(told.includes('busy') || told.includes('%DLQ%worker'), told.join());
});

test('draining is said once, ended sooner by a later wish, and taken back', async () => {
  const told = async () => {
    const { draining, graceLeftMs } = await clock.settle(drainOf(shard, clients, [], clock));
    return { draining, graceLeftMs };
  };
  assert.deepEqual(await told(), { draining: false, graceLeftMs: 0n });
  await setDrain(shard, { draining: true, graceMs: 10_000n }, clock);
  assert.deepEqual(await told(), { draining: true, graceLeftMs: 10_000n });
  await setDrain(shard, { draining: true, graceMs: 60_000n }, clock);
  assert.equal((await told()).graceLeftMs, 10_000n);
  await setDrain(shard, { draining: true, graceMs: 0n }, clock);
  assert.equal((await told()).graceLeftMs, 0n);
  assert.equal(shard.drainRefusal?.code, 'HA_NOT_AVAILABLE');
  await setDrain(shard, { draining: false, graceMs: 0n }, clock);
  assert.deepEqual(await told(), { draining: false, graceLeftMs: 0n });
  assert.equal(shard.drainRefusal, undefined);
  const wrong = (error: unknown): boolean => error instanceof MqError && error.code === 'BAD_REQUEST';
  await assert.rejects(setDrain(shard, { draining: true, graceMs: -1n }, clock), wrong);
});
