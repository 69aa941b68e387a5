import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TRANSACTION_END } from '@orbitmq/views';
import { TestShard } from './test-shard.ts';

const MESSAGE = { system: Buffer.alloc(0), rest: Buffer.alloc(10) };

test('a shard that is drained takes nothing new when its grace is over, and gives what it has', async () => {
  const bench = new TestShard();
  await bench.open();
  const [topic, group] = [await bench.topic(), await bench.group()];
  const send = { topic, queueId: 0, tagHash: 0, message: MESSAGE };
  const { half } = bench.shard.sendHalf({ topic, tagHash: 0, message: MESSAGE, immunityMs: 1_000 });
  const nowMs = bench.clock.wallMs();
  await bench.clock.settle(bench.shard.putStanding({ drain: { sinceMs: nowMs, refusesFromMs: nowMs + 5_000 } }));
  bench.shard.send(send);
  await bench.settled();
  await bench.clock.advance(5_000);
  const refused = { code: 'HA_NOT_AVAILABLE', message: /being emptied/ };
  assert.throws(() => bench.shard.send(send), refused);
  assert.throws(() => bench.shard.sendTimed({ ...send, deliveryTimestampMs: nowMs + 60_000 }), refused);
  assert.throws(() => bench.shard.sendHalf({ topic, tagHash: 0, message: MESSAGE, immunityMs: 1 }), refused);
  assert.equal(bench.shard.endTransaction(topic, half, TRANSACTION_END.committed, 1).kind, 'ended');
  await bench.settled();
  assert.equal((await bench.receive(group, topic)).length, 2);
});

test('what was said about a shard outlives it, with or without a snapshot, until it is taken back', async () => {
  const bench = new TestShard();
  await bench.open();
  assert.equal(bench.shard.metadata.isNew, true);
  assert.deepEqual(bench.shard.metadata.standing, { drain: undefined, topicCopy: undefined });
  await bench.clock.settle(bench.shard.putStanding({ topicCopy: { sinceMs: 1, endMs: undefined } }));
  await bench.clock.settle(bench.shard.putStanding({ drain: { sinceMs: 2, refusesFromMs: 3 } }));
  const said = { drain: { sinceMs: 2, refusesFromMs: 3 }, topicCopy: { sinceMs: 1, endMs: undefined } };
  await bench.crash();
  assert.deepEqual(bench.shard.metadata.standing, said);
  await bench.restart();
  assert.deepEqual(bench.shard.metadata.standing, said);
  assert.equal(bench.shard.metadata.isNew, true);
  const { uid } = await bench.topic();
  await bench.clock.settle(bench.shard.putStanding({ drain: undefined }));
  bench.shard.send({
    topic: bench.shard.metadata.topicByUid(uid)!,
    queueId: 0,
    tagHash: 0,
    message: MESSAGE,
  });
  await bench.restart();
  assert.deepEqual(bench.shard.metadata.standing, { ...said, drain: undefined });
  assert.equal(bench.shard.metadata.isNew, false);
});
