import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { MqError } from '@orbitmq/base';
import type { Group, Topic } from '@orbitmq/views';
import type { Delivery, LeaseRef, OffsetTarget, SentMessage } from './index.ts';
import { TestShard } from './test-shard.ts';

async function opened(): Promise<TestShard> {
  const bench = new TestShard();
  await bench.open();
  return bench;
}

function send(bench: TestShard, topic: Topic, queueId = 0): SentMessage {
  const message = { system: Buffer.from('sys'), rest: Buffer.alloc(100) };
  return bench.shard.send({ topic, queueId, tagHash: 0, message });
}

async function sendMany(bench: TestShard, topic: Topic, count: number, queueId = 0): Promise<void> {
  for (let index = 0; index < count; index++) {
    send(bench, topic, queueId);
    if (index % 20 === 19) await bench.settled();
  }
  await bench.settled();
}

/** What the receipt handle of a delivery points at. */
function leaseOf(group: Group, topic: Topic, { queueId, queueOffset, leaseId }: Delivery): LeaseRef {
  return { group, topic, queueId, queueOffset, leaseId };
}

function offsetsOf(deliveries: readonly Delivery[]): number[] {
  return deliveries.map(({ queueOffset }) => queueOffset);
}

/** The only queue with messages. */
const QUEUE = 0;

function set(bench: TestShard, group: Group, topic: Topic, target: OffsetTarget, queueId: number | undefined = QUEUE) {
  return bench.clock.settle(bench.shard.setOffsets({ group, topic, queueId, target }));
}

describe('setting offsets', () => {
  test('back to the earliest: all again as new, and what was in flight is void', async () => {
    const bench = await opened();
    const [topic, group] = [await bench.topic(), await bench.group()];
    await sendMany(bench, topic, 4);
    const [first, second] = await bench.receive(group, topic, { countMax: 2 });
    bench.shard.acknowledge(leaseOf(group, topic, first!));
    const [change] = await set(bench, group, topic, { kind: 'earliest' });
    assert.equal(change!.redeliveredCount, 1, 'the acknowledged one');
    assert.equal(change!.skippedCount, 0);
    assert.equal(change!.inflightCount, 1);
    assert.equal(change!.floorOffset, 1);
    assert.equal(bench.shard.acknowledge(leaseOf(group, topic, first!)), 'unknown');
    assert.equal(bench.shard.acknowledge(leaseOf(group, topic, second!)), 'unknown');
    assert.equal(bench.shard.changeInvisible(leaseOf(group, topic, second!), 0).outcome, 'unknown');
    const again = await bench.receive(group, topic);
    assert.deepEqual(offsetsOf(again), [0, 1, 2, 3]);
    assert.deepEqual(
      again.map(({ attempt }) => attempt),
      [1, 1, 1, 1],
    );
    assert.equal(bench.shard.acknowledge(leaseOf(group, topic, second!)), 'unknown', 'also when it is out again');
    assert.equal(bench.shard.acknowledge(leaseOf(group, topic, again[1]!)), 'done');
  });

  test('on to the latest: the rest is skipped, and stays so over restarts of both kinds', async () => {
    const bench = await opened();
    const [topic, group] = [await bench.topic(), await bench.group()];
    await sendMany(bench, topic, 150);
    const [first] = await bench.receive(group, topic, { countMax: 1 });
    const [change] = await set(bench, group, topic, { kind: 'latest' });
    assert.deepEqual([change!.skippedCount, change!.redeliveredCount, change!.newOffset], [150, 0, 150]);
    for (const restart of [() => bench.restart(), () => bench.crash()]) {
      const before = bench.shard.checksum().checksum;
      await restart();
      assert.equal(bench.shard.checksum().checksum, before);
      assert.equal(bench.shard.acknowledge(leaseOf(group, topic, first!)), 'unknown');
      assert.deepEqual(await bench.receive(group, topic), []);
    }
    const [progress] = bench.shard.progress(group, topic);
    assert.deepEqual([progress!.floorOffset, progress!.inflightCount, progress!.begun], [150, 0, true]);
  });

  test('a dry run says what would be done, and does nothing', async () => {
    const bench = await opened();
    const [topic, group] = [await bench.topic(), await bench.group()];
    await sendMany(bench, topic, 6, 0);
    await bench.clock.advance(5000);
    await sendMany(bench, topic, 6, 1);
    const handed = await bench.receive(group, topic, { countMax: 4 });
    const queueId = handed[0]!.queueId;
    for (const delivery of handed.slice(0, 3)) bench.shard.acknowledge(leaseOf(group, topic, delivery));
    const before = bench.shard.checksum().checksum;
    const target = { kind: 'offset', offset: 2 } as const;
    const changes = await bench.clock.settle(bench.shard.planOffsets({ group, topic, queueId, target }));
    assert.equal(changes.length, 1);
    assert.deepEqual(
      [changes[0]!.redeliveredCount, changes[0]!.skippedCount, changes[0]!.inflightCount, changes[0]!.nextOffset],
      [1, 0, 1, 4],
    );
    assert.ok(changes[0]!.newOffsetTimestampMs! > 1_600_000_000_000);
    assert.equal(bench.shard.checksum().checksum, before);
    const done = await set(bench, group, topic, target, queueId);
    assert.deepEqual(done, changes);
  });

  test('by time: the first message stored then or later, in segments on the disk too', async () => {
    const bench = await opened();
    const [topic, group] = [await bench.topic(), await bench.group()];
    const times: number[] = [];
    for (let index = 0; index < 250; index++) {
      times.push(send(bench, topic).storeTimestampMs);
      await bench.settled();
      await bench.clock.advance(10);
    }
    for (const offset of [0, 1, 99, 249]) {
      assert.equal(await bench.clock.settle(bench.shard.offsetAt(topic, 0, times[offset]!)), offset);
      assert.equal(await bench.clock.settle(bench.shard.offsetAt(topic, 0, times[offset]! + 1)), offset + 1);
    }
    assert.equal(await bench.clock.settle(bench.shard.offsetAt(topic, 0, 0)), 0);
    const [change] = await set(bench, group, topic, { kind: 'time', timestampMs: times[100]! });
    assert.deepEqual([change!.newOffset, change!.newOffsetTimestampMs], [100, times[100]]);
    assert.equal((await bench.receive(group, topic, { countMax: 1 }))[0]!.queueOffset, 100);
  });

  test('after another group: from where that one has settled all', async () => {
    const bench = await opened();
    const topic = await bench.topic();
    const [group, source] = [await bench.group(), await bench.group('source')];
    await sendMany(bench, topic, 3, 1);
    const handed = await bench.receive(source, topic);
    bench.shard.acknowledge(leaseOf(source, topic, handed[0]!));
    const changes = await bench.clock.settle(
      bench.shard.setOffsets({ group, topic, queueId: undefined, target: { kind: 'group', group: source } }),
    );
    assert.deepEqual(
      changes.map(({ queueId, newOffset }) => [queueId, newOffset]),
      [[1, 1]],
      'queues that the source has not begun are left alone',
    );
    assert.deepEqual(offsetsOf(await bench.receive(group, topic)), [1, 2]);
  });

  test('frees a FIFO queue and wakes who waits', async () => {
    const bench = await opened();
    const [topic, group] = [await bench.topic(), await bench.group('fifo', true)];
    await sendMany(bench, topic, 3);
    await bench.receive(group, topic, { countMax: 1, invisibleMs: 1_000_000, attemptId: 'a' });
    assert.deepEqual(await bench.receive(group, topic), [], 'blocked');
    const waiter = bench.shard.waitForMessages(group, topic);
    await set(bench, group, topic, { kind: 'offset', offset: 1 });
    assert.equal(await waiter.ready, true);
    const handed = await bench.receive(group, topic, { attemptId: 'a' });
    assert.deepEqual(offsetsOf(handed), [1, 2], 'the attempt of before means nothing any more');
  });

  test('refuses what is not there', async () => {
    const bench = await opened();
    const [topic, group] = [await bench.topic(), await bench.group()];
    await sendMany(bench, topic, 3);
    const refused = (target: OffsetTarget, code: string, queueId?: number) =>
      assert.rejects(
        () => set(bench, group, topic, target, queueId),
        (error: MqError) => error.code === code,
      );
    await refused({ kind: 'offset', offset: 4 }, 'ILLEGAL_OFFSET');
    await refused({ kind: 'offset', offset: -1 }, 'ILLEGAL_OFFSET');
    await refused({ kind: 'latest' }, 'BAD_REQUEST', 7);
    await bench.clock.settle(bench.shard.deleteTopic('topic'));
    await refused({ kind: 'latest' }, 'TOPIC_NOT_FOUND');
  });
});
