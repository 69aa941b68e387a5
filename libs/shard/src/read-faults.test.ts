import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Group, Topic } from '@orbitmq/views';
import type { MessageFilter } from './index.ts';
import { TestShard } from './test-shard.ts';

const FIRST_SEGMENT = 'commitlog/00000000000000000000';
/** Messages that lie in the first segment. */
const HIT = 5;
const ALL: MessageFilter = { mayMatch: () => true, matches: () => true };

/** A shard whose first messages, in queue 0, are where the disk fails; queue 1 is elsewhere. */
async function failing(): Promise<{ bench: TestShard; topic: Topic; group: Group; repair: () => void }> {
  const bench = new TestShard({
    log: { flushDiskType: 'SYNC_FLUSH', segmentSizeBytes: 16_384, recordBytesMax: 8_192 },
  });
  await bench.open();
  const [topic, group] = [await bench.topic(), await bench.group()];
  const send = (queueId: number, bodyBytes: number): void => {
    const message = { system: Buffer.alloc(0), rest: Buffer.alloc(bodyBytes, queueId) };
    bench.shard.send({ topic, queueId, tagHash: 0, message });
  };
  for (let index = 0; index < HIT; index++) send(0, index < 3 ? 100 : 7_000);
  for (let index = 0; index < 8; index++) send(1, 7_000);
  await bench.settled();
  // nothing of it is in memory after this
  await bench.restart();
  const repair = bench.disk.inject({ operation: 'read', path: FIRST_SEGMENT, count: 1e9, error: 'EIO' });
  return { bench, topic, group, repair };
}

const unreadableCount = (bench: TestShard): number =>
  bench.shard.statistics().subscriptions.reduce((sum, { unreadableCount: count }) => sum + count, 0);

test('a filter that must read what the disk can not holds up its queue for a minute, and no other', async () => {
  const { bench, topic, group } = await failing();
  const queues: number[] = [];
  for (let second = 0; second < 90; second++) {
    for (const { queueId } of await bench.receive(group, topic, { filter: ALL, invisibleMs: 1e6 }))
      queues.push(queueId);
    if (second === 0) assert.ok(queues.length > 0);
    if (second < 55) assert.equal(unreadableCount(bench), 0);
    await bench.clock.advance(1_000);
  }
  assert.ok(unreadableCount(bench) >= HIT);
  const [queue0] = bench.shard.progress(group, topic);
  assert.equal(queue0!.nextOffset, HIT);
  assert.ok(bench.shard.statistics().readFailureCount <= 12 * HIT, 'it is not tried all the time');
  await bench.clock.settle(bench.shard.close());
});

test('a receive that waits does not turn in circles, and goes on when the disk reads again', async () => {
  const { bench, topic, group, repair } = await failing();
  while ((await bench.receive(group, topic, { filter: ALL, invisibleMs: 1e6 })).length > 0);
  let woken = 0;
  for (let round = 0; round < 5; round++) {
    const waiter = bench.shard.waitForMessages(group, topic);
    void waiter.ready.then(() => woken++);
    await bench.clock.advance(1_000);
    await bench.receive(group, topic, { filter: ALL });
    waiter.cancel();
  }
  assert.ok(woken <= 6);
  repair();
  await bench.clock.advance(16_000);
  assert.deepEqual(
    (await bench.receive(group, topic, { filter: ALL })).map(({ queueOffset }) => queueOffset),
    [0, 1, 2, 3, 4],
  );
  await bench.clock.settle(bench.shard.close());
});

test('a spent message that can not be read is given up as a damaged one', async () => {
  const { bench, topic, group } = await failing();
  const { uid, ...config } = group;
  await bench.clock.settle(bench.shard.putGroup({ ...config, retryMaxTimes: 0 }));
  for (let round = 0; round < 10; round++) await bench.receive(group, topic, { invisibleMs: 1_000, countMax: 4 });
  await bench.clock.advance(30_000);
  assert.equal(unreadableCount(bench), 0);
  assert.equal(bench.shard.progress(group, topic)[0]!.inflightCount, HIT);
  await bench.clock.advance(300_000);
  assert.ok(unreadableCount(bench) >= HIT);
  const [queue0] = bench.shard.progress(group, topic);
  assert.equal(queue0!.floorOffset, HIT);
  assert.equal(bench.shard.metadata.group('group')?.uid, uid);
  await bench.clock.settle(bench.shard.close());
});

test('pulls and repeated sends are refused, and end no process', async () => {
  const { bench, topic } = await failing();
  const pull = { topic, queueId: 0, offset: 0, filter: undefined, countMax: 32, bytesMax: 1e6 };
  await assert.rejects(bench.clock.settle(bench.shard.pull(pull)), { code: 'INTERNAL_SERVER_ERROR' });
  await assert.rejects(bench.clock.settle(bench.shard.messageInQueue(topic, 0, 0)), { code: 'INTERNAL_SERVER_ERROR' });
  await bench.clock.settle(bench.shard.close());
});

test('what is removed while a receive reads is no reason to lose the rest of it', async () => {
  const bench = new TestShard({
    log: { flushDiskType: 'SYNC_FLUSH', segmentSizeBytes: 16_384, recordBytesMax: 8_192, readCacheBytes: 0 },
  });
  await bench.open();
  const [topic, group] = [await bench.topic(), await bench.group()];
  // Otherwise a segment is too young for anybody to ask whether it is wanted.
  await bench.topic('short-lived', { retentionMs: 1 });
  const send = (bodyBytes: number): void => {
    const message = { system: Buffer.alloc(0), rest: Buffer.alloc(bodyBytes) };
    bench.shard.send({ topic, queueId: 0, tagHash: 0, message });
  };
  for (let index = 0; index < 3; index++) send(100);
  for (let index = 0; index < 12; index++) send(7_000);
  await bench.settled();
  await bench.restart();
  const [sameTopic, sameGroup] = [bench.shard.metadata.topic(topic.name)!, bench.shard.metadata.group(group.name)!];
  bench.disk.inject({ operation: 'read', path: FIRST_SEGMENT, count: 1e9, delayMs: 5_000 });
  const receiving = bench.shard.receive({
    ...{ group: sameGroup, topic: sameTopic, filter: undefined, attemptId: undefined },
    ...{ countMax: 3, bytesMax: 1e6, invisibleMs: 30_000 },
  });
  await bench.clock.advance(10);
  await bench.clock.settle(bench.shard.deleteTopic(topic.name));
  const retaining = bench.shard.retain();
  const received = await bench.clock.settle(receiving);
  await bench.clock.settle(retaining);
  assert.ok(bench.shard.statistics().removedBytes > 0);
  assert.deepEqual(
    received.map(({ queueOffset }) => queueOffset),
    [0],
  );
  await bench.clock.settle(bench.shard.close());
});
