import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Clock, seededRandom, systemClock } from '@orbitmq/base';
import type { Logger } from '@orbitmq/runtime';
import { memoryVfs } from '@orbitmq/vfs';
import { type MessageFilter, openShard } from './index.ts';

const SILENT: Logger = { child: () => SILENT, debug() {}, info() {}, warn() {}, error() {} };
const MESSAGE_COUNT = 50;

test('a slow filter lets others have their turn, and loses nothing', async () => {
  let filterMs = 0;
  const clock: Clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + filterMs };
  const shard = await openShard({
    vfs: memoryVfs(),
    clock,
    random: seededRandom(1),
    logger: SILENT,
    directory: '/store',
    options: { log: { flushDiskType: 'ASYNC_FLUSH' } },
    defer: setImmediate,
  });
  const topic = await shard.putTopic({
    name: 'orders',
    readQueueCount: 2,
    writeQueueCount: 2,
    permission: 6,
    messageType: 'NORMAL',
    retentionMs: undefined,
    retentionBytes: undefined,
    autoCreated: false,
    attributes: new Map(),
  });
  const group = await shard.putGroup({
    name: 'group',
    consumeEnable: true,
    consumeMessageOrderly: false,
    retryMaxTimes: 16,
    retryPolicy: { kind: 'customized', delaysMs: [1000] },
    autoCreated: false,
    attributes: new Map(),
  });
  for (let index = 0; index < MESSAGE_COUNT; index++) {
    const message = { system: Buffer.from([index]), rest: Buffer.alloc(10) };
    shard.send({ topic, queueId: index % 2, tagHash: 0, message });
  }
  await shard.settled();

  let turn = 0;
  let running = true;
  const countTurns = (): void => {
    turn++;
    if (running) setImmediate(countTurns);
  };
  countTurns();
  const askedByTurn = new Map<number, number>();
  const asked: number[] = [];
  const filter: MessageFilter = {
    mayMatch: () => true,
    matches: ({ system }) => {
      filterMs += 4;
      asked.push(system[0]!);
      askedByTurn.set(turn, (askedByTurn.get(turn) ?? 0) + 1);
      return system[0] === MESSAGE_COUNT - 1;
    },
  };
  const request = {
    group,
    topic,
    filter,
    countMax: 32,
    bytesMax: 1_000_000,
    invisibleMs: 30_000,
    attemptId: undefined,
  };
  const found = await shard.receive(request);
  running = false;
  assert.deepEqual(
    found.map(({ message }) => message.system[0]),
    [MESSAGE_COUNT - 1],
  );
  assert.equal(new Set(asked).size, MESSAGE_COUNT, 'each message was asked about');
  assert.equal(asked.length, MESSAGE_COUNT, 'and none twice');
  assert.ok(Math.max(...askedByTurn.values()) <= 3);
  assert.deepEqual(await shard.receive(request), []);
  await shard.close();
});
