import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Topic } from '@orbitmq/views';
import type { Delivery, TimedMessagePage, TimerRef } from './index.ts';
import { TestShard } from './test-shard.ts';

const MINUTE_MS = 60_000;

function sendTimed(bench: TestShard, topic: Topic, text: string, afterMs: number, bodyBytes = 0): TimerRef {
  const { timer } = bench.shard.sendTimed({
    topic,
    queueId: 0,
    tagHash: 7,
    deliveryTimestampMs: Math.floor(bench.clock.wallMs()) + afterMs,
    message: { system: Buffer.from(text), rest: Buffer.alloc(bodyBytes, text) },
  });
  return timer;
}

function textsOf(deliveries: readonly Delivery[]): string[] {
  return deliveries.map(({ message }) => Buffer.from(message.system).toString()).sort();
}

/** Fills the log with messages of another topic. */
async function fill(bench: TestShard, bytes: number): Promise<void> {
  const topic = bench.shard.metadata.topic('filler') ?? (await bench.topic('filler'));
  for (let sent = 0; sent < bytes; sent += 1000) {
    const message = { system: Buffer.alloc(0), rest: Buffer.alloc(1000) };
    bench.shard.send({ topic, queueId: 0, tagHash: 0, message });
    await bench.settled();
  }
}

describe('timed messages', () => {
  test('come at their time, not before, each once, in the order of their times', async () => {
    const bench = new TestShard();
    await bench.open();
    const [topic, group] = [await bench.topic(), await bench.group()];
    sendTimed(bench, topic, 'c', 300);
    sendTimed(bench, topic, 'a', 100);
    sendTimed(bench, topic, 'b', 100);
    await bench.settled();
    assert.equal(bench.shard.timerCount(topic), 3);
    await bench.clock.advance(90);
    assert.deepEqual(await bench.receive(group, topic), []);
    await bench.clock.advance(12);
    const first = await bench.receive(group, topic);
    assert.deepEqual(
      first.map(({ message, queueOffset }) => [Buffer.from(message.system).toString(), queueOffset]),
      [
        ['a', 0],
        ['b', 1],
      ],
    );
    await bench.clock.advance(300);
    assert.deepEqual(textsOf(await bench.receive(group, topic)), ['c']);
    assert.equal(bench.shard.timerCount(topic), 0);
    assert.equal(bench.shard.statistics().timers.firedCount, 3);
    await bench.clock.settle(bench.shard.close());
  });

  test('survive restarts and losses of power; what was due meanwhile comes at once', async () => {
    const bench = new TestShard();
    await bench.open();
    const group = await bench.group();
    let topic = await bench.topic();
    for (let index = 0; index < 20; index++) sendTimed(bench, topic, `m${index}`, 50 + index * 40);
    await bench.settled();
    const seen: string[] = [];
    for (let round = 0; round < 20; round++) {
      await bench.clock.advance(60);
      if (round % 3 === 0) await bench.crash();
      else if (round % 3 === 1) await bench.restart();
      topic = bench.shard.metadata.topic('topic')!;
      await bench.clock.advance(5);
      for (const delivery of await bench.receive(group, topic)) {
        seen.push(Buffer.from(delivery.message.system).toString());
        const { queueId, queueOffset, leaseId } = delivery;
        bench.shard.acknowledge({ group, topic, queueId, queueOffset, leaseId });
      }
      await bench.settled();
    }
    assert.equal(seen.length, 20);
    assert.equal(new Set(seen).size, 20);
    await bench.clock.settle(bench.shard.close());
  });

  test('follow the wall clock when it jumps', async () => {
    const bench = new TestShard();
    await bench.open();
    const [topic, group] = [await bench.topic(), await bench.group()];
    sendTimed(bench, topic, 'later', 10 * MINUTE_MS);
    sendTimed(bench, topic, 'soon', 1000);
    await bench.settled();
    bench.clock.jumpWall(-5 * MINUTE_MS);
    await bench.clock.advance(2000);
    assert.deepEqual(await bench.receive(group, topic), []);
    bench.clock.jumpWall(5 * MINUTE_MS);
    await bench.clock.advance(300);
    assert.deepEqual(textsOf(await bench.receive(group, topic)), ['soon']);
    bench.clock.jumpWall(60 * MINUTE_MS);
    await bench.clock.advance(300);
    assert.deepEqual(textsOf(await bench.receive(group, topic)), ['later']);
    await bench.clock.settle(bench.shard.close());
  });

  test('that are cancelled never come, not even after a crash', async () => {
    const bench = new TestShard();
    await bench.open();
    const [topic, other, group] = [await bench.topic(), await bench.topic('other'), await bench.group()];
    const timer = sendTimed(bench, topic, 'recalled', 500);
    sendTimed(bench, topic, 'stays', 500);
    await bench.settled();
    const found = await bench.clock.settle(bench.shard.findTimer(topic, timer));
    assert.equal(Buffer.from(found!.message.system).toString(), 'recalled');
    assert.equal(bench.shard.cancelTimer(other, timer), false, 'it is no timer of another topic');
    assert.equal(bench.shard.cancelTimer(topic, { ...timer, id: timer.id + 8 }), false);
    assert.equal(bench.shard.cancelTimer(topic, timer), true);
    assert.equal(bench.shard.cancelTimer(topic, timer), false);
    await bench.settled();
    await bench.crash();
    await bench.clock.advance(1000);
    assert.deepEqual(textsOf(await bench.receive(group, bench.shard.metadata.topic('topic')!)), ['stays']);
    await bench.clock.settle(bench.shard.close());
  });

  test('are listed by pages', async () => {
    const bench = new TestShard();
    await bench.open();
    const [topic, other] = [await bench.topic(), await bench.topic('other')];
    for (let index = 0; index < 10; index++) sendTimed(bench, index % 2 === 0 ? topic : other, `${index}`, 9000);
    await bench.settled();
    const found: string[] = [];
    let from: number | undefined = 0;
    while (from !== undefined) {
      const page: TimedMessagePage = await bench.clock.settle(bench.shard.timers(topic, from, 2));
      for (const { message } of page.messages) found.push(Buffer.from(message.system).toString());
      from = page.next;
    }
    assert.deepEqual(found, ['0', '2', '4', '6', '8']);
    await bench.clock.settle(bench.shard.deleteTopic('topic'));
    assert.equal(bench.shard.statistics().timers.pendingCount, 5);
    await bench.clock.settle(bench.shard.close());
  });

  test('are refused beyond the limit', async () => {
    const bench = new TestShard({ timersMax: 2 });
    await bench.open();
    const topic = await bench.topic();
    sendTimed(bench, topic, 'a', 1000);
    sendTimed(bench, topic, 'b', 1000);
    assert.throws(() => sendTimed(bench, topic, 'c', 1000), { code: 'TOO_MANY_REQUESTS' });
    await bench.clock.advance(1100);
    sendTimed(bench, topic, 'c', 1000);
    await bench.settled();
    await bench.clock.settle(bench.shard.close());
  });

  test('that outlive the retention are carried forward, over restarts', async () => {
    const bench = new TestShard({ retentionMs: 10_000, retentionIntervalMs: 1000, heldAfterExpiryMs: 0 });
    await bench.open();
    const [topic, group] = [await bench.topic(), await bench.group()];
    for (let index = 0; index < 8; index++) sendTimed(bench, topic, `m${index}`, 100_000, 500);
    const recalled = sendTimed(bench, topic, 'recalled', 100_000, 500);
    await bench.settled();
    for (let round = 0; round < 6; round++) {
      await fill(bench, 40_000);
      await bench.clock.advance(12_000);
      if (round === 2) await bench.restart();
      if (round === 4) await bench.crash();
    }
    const { logStartOffset } = bench.shard.statistics();
    assert.ok(logStartOffset > 100_000, `the log begins at ${logStartOffset}: the first segments are gone`);
    assert.equal(bench.shard.cancelTimer(topic, recalled), true, 'its name is still good');
    await bench.clock.advance(60_000);
    const received = await bench.receive(group, bench.shard.metadata.topic('topic')!);
    assert.deepEqual(
      textsOf(received),
      Array.from({ length: 8 }, (_, index) => `m${index}`),
    );
    assert.ok(received.every(({ message }) => message.rest.length === 500));
    await bench.clock.settle(bench.shard.close());
  });

  test('that have come hold their body as long as their queue has them', async () => {
    const bench = new TestShard({ retentionMs: 10_000, retentionIntervalMs: 1000, heldAfterExpiryMs: 0 });
    await bench.open();
    const [topic, group] = [await bench.topic(), await bench.group()];
    sendTimed(bench, topic, 'kept', 9000, 500);
    await bench.settled();
    await fill(bench, 40_000);
    await bench.clock.advance(9500);
    await fill(bench, 40_000);
    await bench.clock.advance(5000);
    assert.deepEqual(textsOf(await bench.receive(group, topic, { invisibleMs: 0 })), ['kept']);
    await bench.clock.advance(30_000);
    assert.deepEqual(textsOf(await bench.receive(group, topic)), [], 'then it goes with its queue');
    assert.ok(bench.shard.statistics().logStartOffset > 30_000);
    await bench.clock.settle(bench.shard.close());
  });

  test('that have come and are not consumed hold their body also on a crowded disk', async () => {
    const bench = new TestShard({ retentionIntervalMs: 1e9, heldAfterExpiryMs: 0, diskCleanRatio: 0 });
    await bench.open();
    const [topic, group] = [await bench.topic(), await bench.group()];
    sendTimed(bench, topic, 'kept', 100, 500);
    await bench.settled();
    await fill(bench, 40_000);
    await bench.clock.advance(200);
    assert.deepEqual(textsOf(await bench.receive(group, topic, { invisibleMs: 0 })), ['kept']);
    await fill(bench, 40_000);
    const filler = bench.shard.metadata.topic('filler')!;
    const latest = { group, topic: filler, queueId: undefined, target: { kind: 'latest' } } as const;
    await bench.clock.settle(bench.shard.setOffsets(latest));
    await bench.clock.settle(bench.shard.retain());
    const kept = await bench.receive(group, topic);
    assert.deepEqual(textsOf(kept), ['kept']);
    for (const { queueId, queueOffset, leaseId } of kept) {
      bench.shard.acknowledge({ group, topic, queueId, queueOffset, leaseId });
    }
    await bench.clock.settle(bench.shard.retain());
    assert.ok(bench.shard.statistics().logStartOffset > 0, 'consumed by all');
    await bench.clock.settle(bench.shard.close());
  });

  test('give the same state when they are replayed', async () => {
    const bench = new TestShard();
    await bench.open();
    const topic = await bench.topic();
    for (let index = 0; index < 30; index++) {
      const timer = sendTimed(bench, topic, `${index}`, 100 + index * 50);
      if (index % 5 === 0) bench.shard.cancelTimer(topic, timer);
      if (index === 10) await bench.clock.settle(bench.shard.snapshot());
    }
    await bench.settled();
    await bench.clock.advance(700);
    await bench.settled();
    const before = bench.shard.checksum();
    await bench.restart();
    assert.equal(bench.shard.checksum().checksum, before.checksum);
    await bench.clock.settle(bench.shard.close());
  });
});
