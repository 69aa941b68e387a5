import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MqError } from '@orbitmq/base';
import { type HalfRef, type Topic, TRANSACTION_END } from '@orbitmq/views';
import type { SentHalf } from './shard.ts';
import { TestShard } from './test-shard.ts';

const { committed, rolledBack, discarded } = TRANSACTION_END;
const NOTHING = new Uint8Array(0);

/** Stores a half message and waits until it is settled. */
async function sendHalf(world: TestShard, topic: Topic, text: string, immunityMs = 6_000): Promise<HalfRef> {
  const message = { system: Buffer.from('system'), rest: Buffer.from(text) };
  const { half }: SentHalf = world.shard.sendHalf({ topic, tagHash: -3, message, immunityMs });
  await world.settled();
  return half;
}

async function receivedTexts(world: TestShard, topic: Topic, group = 'group'): Promise<string[]> {
  const deliveries = await world.receive(await world.group(group), topic);
  return deliveries.map(({ message }) => Buffer.from(message.rest).toString());
}

test('a half message is seen when its transaction is committed, not before', async () => {
  const world = new TestShard();
  await world.open();
  const topic = await world.topic();
  const half = await sendHalf(world, topic, 'whole');
  assert.deepEqual(await receivedTexts(world, topic), []);
  assert.equal(world.shard.endTransaction(topic, half, committed, 1).kind, 'ended');
  await world.settled();
  const [delivery] = await world.receive(await world.group(), topic);
  assert.deepEqual([delivery?.queueId, delivery?.queueOffset, delivery?.attempt], [1, 0, 1]);
  assert.equal(Buffer.from(delivery!.message.system).toString(), 'system');
  assert.equal(Buffer.from(delivery!.message.rest).toString(), 'whole');
  await world.clock.settle(world.shard.close());
});

test('the first end wins, and the others hear of it, also after restarts', async () => {
  const world = new TestShard();
  await world.open();
  const topic = await world.topic();
  const [first, second] = [await sendHalf(world, topic, 'a'), await sendHalf(world, topic, 'b')];
  world.shard.endTransaction(topic, first, committed, 0);
  world.shard.endTransaction(topic, second, rolledBack, 0);
  await world.settled();
  for (const again of ['now', 'restart', 'crash'] as const) {
    if (again !== 'now') await world[again]();
    for (const end of [committed, rolledBack, discarded]) {
      assert.deepEqual(world.shard.endTransaction(topic, first, end, 0), { kind: 'ended before', end: committed });
      assert.deepEqual(world.shard.endTransaction(topic, second, end, 0), { kind: 'ended before', end: rolledBack });
    }
    assert.deepEqual(world.shard.endTransaction(topic, { id: 8, slot: 0 }, committed, 0), { kind: 'unknown' });
  }
  assert.deepEqual(await receivedTexts(world, topic), ['a']);
  await world.clock.settle(world.shard.close());
});

test('an open transaction is the same after a restart and after a loss of power', async () => {
  const world = new TestShard();
  await world.open();
  const topic = await world.topic();
  const half = await sendHalf(world, topic, 'kept');
  world.shard.transactionsChecked([half], 30_000);
  await world.settled();
  await world.restart();
  await world.crash();
  const [open] = world.shard.openTransactions(topic, 0, 10);
  assert.deepEqual([open?.half, open?.checkCount], [half, 1]);
  const stored = await world.clock.settle(world.shard.readHalf(half));
  assert.equal(Buffer.from(stored!.message.rest).toString(), 'kept');
  assert.equal(world.shard.endTransaction(topic, half, committed, 0).kind, 'ended');
  await world.settled();
  await world.crash();
  assert.deepEqual(await receivedTexts(world, topic), ['kept']);
  assert.equal(await world.clock.settle(world.shard.readHalf(half)), undefined);
  await world.clock.settle(world.shard.close());
});

test('a commit that was not settled before the power was lost leaves the transaction open', async () => {
  const world = new TestShard();
  await world.open();
  const topic = await world.topic();
  const half = await sendHalf(world, topic, 'open');
  world.shard.endTransaction(topic, half, committed, 0);
  await world.crash();
  assert.equal(world.shard.endTransaction(topic, half, committed, 0).kind, 'ended');
  await world.settled();
  assert.deepEqual(await receivedTexts(world, topic), ['open']);
  await world.clock.settle(world.shard.close());
});

test('producers are to be asked after the immunity, and then after each pause', async () => {
  const world = new TestShard();
  await world.open();
  const topic = await world.topic();
  const [soon, later] = [await sendHalf(world, topic, 'soon', 6_000), await sendHalf(world, topic, 'later', 60_000)];
  const due = (): HalfRef[] => world.shard.dueTransactions(topic, 10).map(({ half }) => half);
  assert.deepEqual(due(), []);
  await world.clock.advance(6_001);
  assert.deepEqual(due(), [soon]);
  world.shard.transactionsChecked([soon], 30_000);
  assert.deepEqual(due(), []);
  await world.clock.advance(30_000);
  assert.deepEqual(due(), [soon]);
  await world.clock.advance(30_000);
  assert.deepEqual(due(), [soon, later]);
  assert.deepEqual(world.shard.statistics().transactions, [{ topic: 'topic', openCount: 2 }]);
  await world.clock.settle(world.shard.close());
});

test('more transactions than may be open are refused, and taken again when some have ended', async () => {
  const world = new TestShard({ transactionsMax: 2 });
  await world.open();
  const topic = await world.topic();
  const half = await sendHalf(world, topic, 'one');
  await sendHalf(world, topic, 'two');
  await assert.rejects(
    () => sendHalf(world, topic, 'three'),
    (error) =>
      error instanceof MqError && error.code === 'TOO_MANY_REQUESTS' && error.message.includes('transactionOpenMax'),
  );
  world.shard.endTransaction(topic, half, rolledBack, 0);
  await sendHalf(world, topic, 'three');
  await world.clock.settle(world.shard.close());
});

test('a transaction goes with its topic', async () => {
  const world = new TestShard();
  await world.open();
  const topic = await world.topic();
  const half = await sendHalf(world, topic, 'gone');
  await world.clock.settle(world.shard.deleteTopic('topic'));
  const made = await world.topic();
  assert.deepEqual(world.shard.endTransaction(made, half, committed, 0), { kind: 'unknown' });
  assert.deepEqual(world.shard.transactionTopics(), []);
  assert.throws(
    () => world.shard.sendHalf({ topic, tagHash: 0, message: { system: NOTHING, rest: NOTHING }, immunityMs: 0 }),
    (error) => error instanceof MqError && error.code === 'TOPIC_NOT_FOUND',
  );
  await world.restart();
  await world.clock.settle(world.shard.close());
});

test('an open transaction outlives the retention of its segment', async () => {
  const world = new TestShard({ retentionMs: 60_000, retentionIntervalMs: 1_000, heldAfterExpiryMs: 0 });
  await world.open();
  const topic = await world.topic();
  const half = await sendHalf(world, topic, 'patient');
  const start = world.shard.statistics().logStartOffset;
  const body = { system: Buffer.from('s'), rest: Buffer.alloc(1_500) };
  for (let round = 0; round < 6; round++) {
    for (let index = 0; index < 20; index++) {
      world.shard.send({ topic, queueId: 0, tagHash: 0, message: body });
      await world.settled();
    }
    await world.clock.advance(61_000);
  }
  assert.ok(world.shard.statistics().logStartOffset > start + 16_384, 'nothing was removed');
  await world.crash();
  assert.equal(world.shard.openTransactions(topic, 0, 10).length, 1);
  assert.equal(world.shard.endTransaction(topic, half, committed, 1).kind, 'ended');
  await world.settled();
  await world.restart();
  assert.ok((await receivedTexts(world, topic)).includes('patient'));
  await world.clock.settle(world.shard.close());
});
