import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import type { Group, Topic } from '@orbitmq/views';
import { TestShard } from './test-shard.ts';

const QUEUES = 4;
const FIELDS = { readQueueCount: QUEUES, writeQueueCount: QUEUES, messageType: 'PRIORITY' as const };

let bench: TestShard;
beforeEach(async () => {
  bench = new TestShard();
  await bench.open();
});

/** Sends `count` messages into each queue, in turns. */
async function fill(topic: Topic, count: number): Promise<void> {
  for (let index = 0; index < count * QUEUES; index++) {
    const message = { system: Buffer.from([index]), rest: Buffer.alloc(10) };
    bench.shard.send({ topic, queueId: index % QUEUES, tagHash: 0, message });
  }
  await bench.settled();
}

/** Queue ids of what so many receives of one message each are given. */
async function receiveIds(group: Group, topic: Topic, count: number): Promise<number[]> {
  const ids: number[] = [];
  for (let turn = 0; turn < count; turn++) {
    for (const { queueId } of await bench.receive(group, topic, { countMax: 1 })) ids.push(queueId);
  }
  return ids;
}

async function groupWithFactor(factor: string): Promise<Group> {
  const group = await bench.group();
  return await bench.clock.settle(
    bench.shard.putGroup({ ...group, attributes: new Map([['priority.factor', factor]]) }),
  );
}

test('a receive takes the highest queues first, within one batch and over several', async () => {
  const [topic, group] = [await bench.topic('urgent', FIELDS), await bench.group()];
  await fill(topic, 3);
  const batch = await bench.receive(group, topic, { countMax: 5 });
  assert.deepEqual(
    batch.map(({ queueId }) => queueId),
    [3, 3, 3, 2, 2],
  );
  assert.deepEqual(
    batch.map(({ queueOffset }) => queueOffset),
    [0, 1, 2, 0, 1],
  );
  await fill(topic, 1);
  assert.deepEqual(await receiveIds(group, topic, 6), [3, 2, 2, 1, 1, 1]);
});

test('what is given again stands where it stood, before new messages of its priority', async () => {
  const [topic, group] = [await bench.topic('urgent', FIELDS), await bench.group()];
  await fill(topic, 1);
  const first = await bench.receive(group, topic, { invisibleMs: 1_000 });
  assert.equal(first.length, QUEUES);
  await bench.clock.advance(1_001);
  await fill(topic, 1);
  const again = await bench.receive(group, topic);
  assert.deepEqual(
    again.map(({ queueId, attempt }) => [queueId, attempt]),
    [3, 2, 1, 0].flatMap((queueId) => [
      [queueId, 2],
      [queueId, 1],
    ]),
  );
});

test('the factor of a group says how many of a hundred receives go by priority', async () => {
  const topic = await bench.topic('urgent', FIELDS);
  const group = await groupWithFactor('80');
  await fill(topic, 100);
  const ids = await receiveIds(group, topic, 100);
  const counts = Array.from({ length: QUEUES }, (_, id) => ids.filter((each) => each === id).length);
  // a receive that must wait for the disk takes one more turn
  for (const [id, expected] of [5, 5, 5, 85].entries()) {
    assert(Math.abs(counts[id]! - expected) <= 2, `queue ${id} was read ${counts[id]} times`);
  }
});

test('without priority all queues take turns, as they do for other types of topics', async () => {
  const group = await groupWithFactor('0');
  for (const messageType of ['PRIORITY', 'NORMAL'] as const) {
    const topic = await bench.topic(messageType, { ...FIELDS, messageType });
    await fill(topic, 2);
    assert.deepEqual(await receiveIds(group, topic, 6), [0, 1, 2, 3, 0, 1]);
  }
});

test('a factor that is altered counts from the next receive on', async () => {
  const topic = await bench.topic('urgent', FIELDS);
  const group = await groupWithFactor('0');
  await fill(topic, 2);
  assert.deepEqual(await receiveIds(group, topic, 1), [0]);
  await groupWithFactor('100');
  assert.deepEqual(await receiveIds(group, topic, 3), [3, 3, 2]);
});

test('priorityOrderAsc turns the order round', async () => {
  bench = new TestShard({ priorityOrderAsc: true });
  await bench.open();
  const [topic, group] = [await bench.topic('urgent', FIELDS), await bench.group()];
  await fill(topic, 1);
  assert.deepEqual(await receiveIds(group, topic, 4), [0, 1, 2, 3]);
});

test('priorities hold over a restart', async () => {
  await bench.topic('urgent', FIELDS);
  await bench.group();
  await fill(bench.shard.metadata.topic('urgent')!, 2);
  await bench.crash();
  const [topic, group] = [bench.shard.metadata.topic('urgent')!, bench.shard.metadata.group('group')!];
  assert.deepEqual(await receiveIds(group, topic, 8), [3, 3, 2, 2, 1, 1, 0, 0]);
});
