import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ReceiveRequest } from './index.ts';
import { TestShard } from './test-shard.ts';

const REQUEST = { countMax: 32, bytesMax: 1e6, invisibleMs: 30_000, attemptId: undefined };

/** A receive is under way when its group is deleted. */
async function receiveAndDelete(bench: TestShard, filter: ReceiveRequest['filter']): Promise<void> {
  const [topic, group] = [bench.shard.metadata.topic('topic')!, bench.shard.metadata.group('group')!];
  const receiving = bench.shard.receive({ ...REQUEST, group, topic, filter });
  const deleting = bench.shard.deleteGroup('group');
  await assert.rejects(bench.clock.settle(receiving), { code: 'CONSUMER_GROUP_NOT_FOUND' });
  assert.equal(await bench.clock.settle(deleting), true);
}

async function prepared(): Promise<TestShard> {
  const bench = new TestShard();
  await bench.open();
  const topic = await bench.topic();
  await bench.group();
  for (let index = 0; index < 60; index++) {
    bench.shard.send({ topic, queueId: 0, tagHash: 7, message: { system: Buffer.alloc(0), rest: Buffer.alloc(1000) } });
  }
  await bench.settled();
  return bench;
}

describe('a receive whose group is deleted meanwhile', () => {
  test('ends, although its filter passes over everything', async () => {
    const bench = await prepared();
    let asked = 0;
    const mayMatch = (): boolean => {
      assert.ok(++asked <= 60, 'the same messages are looked at again');
      return false;
    };
    await receiveAndDelete(bench, { mayMatch });
  });

  test('ends, although it waits for the disk', async () => {
    const bench = await prepared();
    await bench.restart();
    await receiveAndDelete(bench, undefined);
  });
});
