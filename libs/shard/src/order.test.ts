import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readMessageId } from '@orbitmq/protocol';
import { SystemProperties } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Group, Topic } from '@orbitmq/views';
import type { Delivery, LeaseRef } from './index.ts';
import { TestShard } from './test-shard.ts';

/** Sends a message whose id tells its message group: `a1` is the first of group `a`. */
function send(bench: TestShard, topic: Topic, id: string, queueId = 0): void {
  const properties = { ...SystemProperties.decode(new Uint8Array()), messageId: id, messageGroup: id[0] };
  const system = SystemProperties.encode(properties).finish();
  bench.shard.send({ topic, queueId, tagHash: 0, message: { system, rest: Buffer.alloc(0) } });
}

async function sendAll(bench: TestShard, topic: Topic, ids: string): Promise<void> {
  for (const id of ids.split(' ')) send(bench, topic, id);
  await bench.settled();
}

function idsOf(deliveries: readonly Delivery[]): string {
  return deliveries.map(({ message }) => readMessageId(message.system)).join(' ');
}

function leaseOf(group: Group, topic: Topic, { queueId, queueOffset, leaseId }: Delivery): LeaseRef {
  return { group, topic, queueId, queueOffset, leaseId };
}

async function grouped(bench: TestShard, fields: Partial<Group> = {}): Promise<Group> {
  const group = await bench.group('group', true);
  const attributes = new Map([['fifo.blocking', 'MESSAGE_GROUP']]);
  return await bench.clock.settle(bench.shard.putGroup({ ...group, attributes, ...fields }));
}

describe('where message groups block', () => {
  test('one that is not settled holds up its like, and nobody else', async () => {
    const bench = new TestShard();
    await bench.open();
    const [topic, group] = [await bench.topic(), await grouped(bench)];
    await sendAll(bench, topic, 'a1 b1 a2 c1 b2 a3');
    const one = { countMax: 1, invisibleMs: 1000 };
    const [a1] = await bench.receive(group, topic, one);
    assert.equal(idsOf([a1!]), 'a1');
    const [b1] = await bench.receive(group, topic, one);
    assert.equal(idsOf([b1!]), 'b1');
    assert.equal(idsOf(await bench.receive(group, topic, { invisibleMs: 60_000 })), 'c1');
    assert.equal(idsOf(await bench.receive(group, topic)), '');
    let isReady = false;
    void bench.shard.waitForMessages(group, topic).ready.then(() => {
      isReady = true;
    });
    await bench.clock.advance(10);
    assert.equal(isReady, false, 'nobody is woken for what he can not have');
    bench.shard.acknowledge(leaseOf(group, topic, b1!));
    await bench.settled();
    assert.equal(isReady, true);
    const [b2] = await bench.receive(group, topic);
    assert.deepEqual([idsOf([b2!]), b2!.attempt], ['b2', 1]);
    // The first of a comes again with all that waited behind it, in order.
    await bench.clock.advance(1100);
    const again = await bench.receive(group, topic);
    assert.equal(idsOf(again), 'a1 a2 a3');
    assert.deepEqual(
      again.map(({ attempt }) => attempt),
      [2, 1, 1],
    );
    await bench.clock.settle(bench.shard.close());
  });

  test('order outlives a restart, and progress counts what is put off', async () => {
    const bench = new TestShard();
    await bench.open();
    let [topic, group] = [await bench.topic(), await grouped(bench)];
    await sendAll(bench, topic, 'a1 a2 b1 a3');
    const [a1] = await bench.receive(group, topic, { countMax: 1 });
    assert.equal(idsOf(await bench.receive(group, topic)), 'b1');
    await bench.restart();
    [topic, group] = [bench.shard.metadata.topic('topic')!, bench.shard.metadata.group('group')!];
    const [progress] = bench.shard.progress(group, topic);
    assert.deepEqual(
      [progress!.floorOffset, progress!.nextOffset, progress!.inflightCount, progress!.readyAgainCount],
      [0, 4, 2, 2],
    );
    await sendAll(bench, topic, 'c1 a4');
    assert.equal(idsOf(await bench.receive(group, topic)), 'c1');
    assert.equal(bench.shard.acknowledge(leaseOf(group, topic, a1!)), 'done');
    await bench.settled();
    assert.equal(idsOf(await bench.receive(group, topic)), 'a2 a3 a4');
    await bench.clock.settle(bench.shard.close());
  });

  test('each attempt that asks again gets its own messages', async () => {
    const bench = new TestShard();
    await bench.open();
    const [topic, group] = [await bench.topic(), await grouped(bench)];
    await sendAll(bench, topic, 'a1 b1 c1');
    const one = { countMax: 1 };
    const first = await bench.receive(group, topic, { ...one, attemptId: 'x' });
    const second = await bench.receive(group, topic, { ...one, attemptId: 'y' });
    assert.equal(idsOf(await bench.receive(group, topic, { ...one, attemptId: 'x' })), 'a1');
    assert.equal(idsOf(await bench.receive(group, topic, { ...one, attemptId: 'y' })), 'b1');
    await bench.restart();
    const [group2, topic2] = [bench.shard.metadata.group('group')!, bench.shard.metadata.topic('topic')!];
    const again = await bench.receive(group2, topic2, { ...one, attemptId: 'x' });
    assert.deepEqual([again[0]!.leaseId, again[0]!.attempt], [first[0]!.leaseId, 1]);
    bench.shard.acknowledge(leaseOf(group2, topic2, second[0]!));
    assert.equal(idsOf(await bench.receive(group2, topic2, { ...one, attemptId: 'y' })), 'c1');
    await bench.clock.settle(bench.shard.close());
  });

  test('attempts are told apart by all of their ids', async () => {
    const bench = new TestShard();
    await bench.open();
    const [topic, group] = [await bench.topic(), await grouped(bench)];
    await sendAll(bench, topic, 'a1 b1');
    const [one, other] = ['1', '2'].map((end) => ({ countMax: 1, attemptId: end.padStart(256, 'x') }));
    assert.equal(idsOf(await bench.receive(group, topic, one)), 'a1');
    assert.equal(idsOf(await bench.receive(group, topic, other)), 'b1');
    await bench.clock.settle(bench.shard.close());
  });

  test('the look-ahead is bounded', async () => {
    const bench = new TestShard({
      log: { flushDiskType: 'SYNC_FLUSH', segmentSizeBytes: 262144, recordBytesMax: 65536, tailCacheBytes: 65536 },
    });
    await bench.open();
    const [topic, group] = [await bench.topic(), await grouped(bench)];
    await sendAll(bench, topic, 'a1');
    for (let index = 0; index < 1500; index++) send(bench, topic, `a-${index}`);
    send(bench, topic, 'b1');
    await bench.settled();
    const [a1] = await bench.receive(group, topic, { countMax: 1 });
    assert.equal(idsOf(await bench.receive(group, topic)), '', 'b1 is too far away');
    assert.equal(bench.shard.progress(group, topic)[0]!.nextOffset, 1024);
    bench.shard.acknowledge(leaseOf(group, topic, a1!));
    await bench.settled();
    let count = 0;
    for (;;) {
      const batch = await bench.receive(group, topic);
      if (batch.length === 0) break;
      for (const delivery of batch) bench.shard.acknowledge(leaseOf(group, topic, delivery));
      await bench.settled();
      count += batch.length;
    }
    assert.equal(count, 1501);
    await bench.clock.settle(bench.shard.close());
  });

  test('a group that begins to block by message group, or ends it, keeps its order', async () => {
    const bench = new TestShard();
    await bench.open();
    const topic = await bench.topic();
    const queueGroup = await bench.group('group', true);
    await sendAll(bench, topic, 'a1 b1 a2');
    const [a1] = await bench.receive(queueGroup, topic, { countMax: 1 });
    const group = await grouped(bench);
    assert.equal(idsOf(await bench.receive(group, topic)), '', 'the group of what is out is not known');
    bench.shard.changeInvisible(leaseOf(group, topic, a1!), 0);
    await bench.settled();
    assert.equal(idsOf(await bench.receive(group, topic, { countMax: 1 })), 'a1');
    const [b1] = await bench.receive(group, topic);
    assert.equal(idsOf([b1!]), 'b1');
    const back = await bench.group('group', true);
    assert.equal(idsOf(await bench.receive(back, topic)), '');
    bench.shard.acknowledge(leaseOf(back, topic, b1!));
    await bench.clock.advance(40_000);
    assert.equal(idsOf(await bench.receive(back, topic)), 'a1 a2');
    await bench.clock.settle(bench.shard.close());
  });

  test('a dead letter sets its group free', async () => {
    const bench = new TestShard();
    await bench.open();
    const [topic, group] = [await bench.topic(), await grouped(bench, { retryMaxTimes: 0 })];
    await sendAll(bench, topic, 'a1 a2 b1');
    await bench.receive(group, topic, { countMax: 1, invisibleMs: 1000 });
    assert.equal(idsOf(await bench.receive(group, topic)), 'b1');
    await bench.clock.advance(1100);
    assert.equal(idsOf(await bench.receive(group, topic)), 'a2');
    // Handed back, it comes before what is still to come of its group.
    const redriving = bench.shard.redrive({ group, selection: {}, fromOffset: 0, countMax: 9, isDryRun: false });
    assert.equal((await bench.clock.settle(redriving)).results.length, 1);
    assert.equal(idsOf(await bench.receive(group, topic)), '', 'a2 is out');
    await bench.clock.settle(bench.shard.close());
  });
});

describe('when the number of queues changes', () => {
  test('an ordered group settles what came before first', async () => {
    const bench = new TestShard();
    await bench.open();
    const narrow = { readQueueCount: 1, writeQueueCount: 1 };
    const wide = { readQueueCount: 3, writeQueueCount: 3 };
    let topic = await bench.topic('topic', narrow);
    const [ordered, free] = [await bench.group('ordered', true), await bench.group('free')];
    for (const id of ['a1', 'b1']) send(bench, topic, id);
    topic = await bench.topic('topic', wide);
    send(bench, topic, 'a2', 1);
    send(bench, topic, 'b2', 2);
    await bench.settled();
    assert.equal((await bench.receive(free, topic)).length, 4, 'who wants no order has all at once');
    const [a1, b1] = await bench.receive(ordered, topic);
    assert.equal(idsOf([a1!, b1!]), 'a1 b1');
    assert.equal(idsOf(await bench.receive(ordered, topic)), '');
    bench.shard.acknowledge(leaseOf(ordered, topic, a1!));
    await bench.settled();
    assert.equal(idsOf(await bench.receive(ordered, topic)), '');
    await bench.crash();
    topic = bench.shard.metadata.topic('topic')!;
    const group = bench.shard.metadata.group('ordered')!;
    assert.equal(idsOf(await bench.receive(group, topic)), '');
    let isReady = false;
    void bench.shard.waitForMessages(group, topic).ready.then(() => {
      isReady = true;
    });
    await bench.clock.advance(10);
    assert.equal(isReady, false);
    bench.shard.acknowledge(leaseOf(group, topic, b1!));
    await bench.settled();
    assert.equal(isReady, true);
    assert.equal((await bench.receive(group, topic)).length, 2);
    await bench.clock.settle(bench.shard.close());
  });

  test('each of several changes counts, also one to fewer queues', async () => {
    const bench = new TestShard();
    await bench.open();
    let topic = await bench.topic('topic', { readQueueCount: 3, writeQueueCount: 3 });
    const group = await bench.group('ordered', true);
    send(bench, topic, 'a1', 2);
    topic = await bench.topic('topic', { readQueueCount: 3, writeQueueCount: 1 });
    send(bench, topic, 'a2', 0);
    topic = await bench.topic('topic', { readQueueCount: 3, writeQueueCount: 2 });
    send(bench, topic, 'a3', 1);
    await bench.settled();
    for (const expected of ['a1', 'a2', 'a3']) {
      const batch = await bench.receive(group, topic);
      assert.equal(idsOf(batch), expected);
      bench.shard.acknowledge(leaseOf(group, topic, batch[0]!));
      await bench.settled();
    }
    await bench.clock.settle(bench.shard.close());
  });

  for (const [blocking, attributes] of [
    ['queues', new Map<string, string>()],
    ['message groups', new Map([['fifo.blocking', 'MESSAGE_GROUP']])],
  ] as const) {
    test(`dead letters that were handed back keep to it where ${blocking} block`, async () => {
      const bench = new TestShard();
      await bench.open();
      const group = await grouped(bench, { retryMaxTimes: 0, attributes });
      let topic = await bench.topic('topic', { readQueueCount: 3, writeQueueCount: 1 });
      send(bench, topic, 'a1', 0);
      topic = await bench.topic('topic', { readQueueCount: 3, writeQueueCount: 3 });
      for (const [id, queueId] of [
        ['a2', 1],
        ['b2', 2],
      ] as const) {
        send(bench, topic, id, queueId);
      }
      await bench.settled();
      for (let taken = 0; taken < 3; ) {
        taken += (await bench.receive(group, topic, { invisibleMs: 100 })).length;
        await bench.clock.advance(200);
      }
      const redriving = bench.shard.redrive({ group, selection: {}, fromOffset: 0, countMax: 9, isDryRun: false });
      assert.equal((await bench.clock.settle(redriving)).results.length, 3);
      const front = await bench.receive(group, topic);
      assert.equal(idsOf(front), 'a1');
      assert.equal(idsOf(await bench.receive(group, topic)), '');
      let isReady = false;
      void bench.shard.waitForMessages(group, topic).ready.then(() => {
        isReady = true;
      });
      await bench.clock.advance(10);
      assert.equal(isReady, false);
      bench.shard.acknowledge(leaseOf(group, topic, front[0]!));
      await bench.settled();
      assert.equal(isReady, true);
      assert.deepEqual(
        idsOf(await bench.receive(group, topic))
          .split(' ')
          .sort(),
        ['a2', 'b2'],
      );
      await bench.clock.settle(bench.shard.close());
    });
  }
});
