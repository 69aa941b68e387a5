import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Topic } from '@orbitmq/views';
import type { EarlierSend, MessageBytes } from './index.ts';
import { TestShard } from './test-shard.ts';

/** A message with nothing but an id. */
function named(id: string): MessageBytes {
  const bytes = Buffer.from(id);
  return { system: Buffer.concat([Buffer.from([0x1a, bytes.length]), bytes]), rest: Buffer.from([0x22, 1, 7]) };
}

function send(bench: TestShard, topic: Topic, id: string): number {
  return bench.shard.send({ topic, queueId: 0, tagHash: 0, message: named(id) }).queueOffset;
}

async function found(bench: TestShard, topic: Topic, id: string, from = 0): Promise<EarlierSend | undefined> {
  return await bench.clock.settle(Promise.resolve(bench.shard.findSent(topic, named(id), from)));
}

describe('messages sent before', () => {
  test('are known over restarts of all kinds, in memory and on the disk', async () => {
    const log = {
      flushDiskType: 'SYNC_FLUSH',
      segmentSizeBytes: 16384,
      recordBytesMax: 8192,
      tailCacheBytes: 65536,
    } as const;
    const bench = new TestShard({ log });
    await bench.open();
    await bench.topic();
    const topic = () => bench.shard.metadata.topic('topic')!;
    const offsets = new Map<string, number>();
    for (let index = 0; index < 400; index++) {
      offsets.set(`id-${index}`, send(bench, topic(), `id-${index}`));
      if (index % 50 === 49) await bench.settled();
    }
    for (const restart of [() => bench.restart(), () => bench.crash(), () => bench.restart()]) {
      const before = bench.shard.checksum().checksum;
      await restart();
      assert.equal(bench.shard.checksum().checksum, before);
      for (const [id, queueOffset] of offsets) {
        assert.deepEqual(await found(bench, topic(), id), { kind: 'message', queueOffset });
      }
    }
    assert.equal(await found(bench, topic(), 'id-400'), undefined);
  });

  test('are found at once while they are on their way, and not before a position', async () => {
    const bench = new TestShard();
    await bench.open();
    const topic = await bench.topic();
    const queueOffset = send(bench, topic, 'one');
    assert.deepEqual(bench.shard.findSent(topic, named('one'), 0), { kind: 'message', queueOffset });
    const { position } = bench.shard;
    assert.equal(bench.shard.findSent(topic, named('one'), position), undefined);
    const again = send(bench, topic, 'one');
    assert.deepEqual(bench.shard.findSent(topic, named('one'), position), { kind: 'message', queueOffset: again });
  });

  test('are found the same when many are looked for, also such as lie in one batch twice, and with others between', async () => {
    const bench = new TestShard();
    await bench.open();
    const [topic, other] = [await bench.topic(), await bench.topic('other')];
    const { shard } = bench;
    const offsets = ['a', 'b', 'c'].map((id) => send(bench, topic, id));
    const look = (message: MessageBytes, where = topic): number | undefined => {
      const earlier = shard.findSent(where, message, 0);
      if (earlier === undefined) return undefined;
      assert.ok(!(earlier instanceof Promise) && earlier.kind === 'message');
      return earlier.queueOffset;
    };
    const [first, second] = [['new', 'b', 'new', 'c', 'last'].map(named), ['c', 'x', 'a'].map(named)];
    shard.foreseeSends(topic, first);
    assert.equal(look(first[0]!), undefined);
    const queueOffset = shard.send({ topic, queueId: 0, tagHash: 0, message: first[0]! }).queueOffset;
    assert.equal(look(first[1]!, other), undefined, 'of another topic');
    assert.equal(look(named('a')), offsets[0], 'one that nobody foresaw');
    assert.equal(look(first[1]!), offsets[1]);
    assert.equal(look(first[2]!), queueOffset, 'sent in the same batch');
    shard.foreseeSends(topic, second);
    assert.deepEqual(
      second.map((message) => look(message)),
      [offsets[2], undefined, offsets[0]],
    );
    assert.deepEqual(
      first.slice(3).map((message) => look(message)),
      [offsets[2], undefined],
      'goes on after others',
    );
    const nameless = { system: Buffer.alloc(0), rest: Buffer.from([0x22, 1, 7]) };
    shard.foreseeSends(topic, second);
    shard.foreseeSends(topic, [named('y'), nameless]);
    assert.deepEqual(
      second.map((message) => look(message)),
      [offsets[2], undefined, offsets[0]],
    );
    assert.equal(look(nameless), undefined);
  });

  test('are forgotten after the window, or when there are too many', async () => {
    const bench = new TestShard({ dedupWindowMs: 1000, dedupCountMax: 3 });
    await bench.open();
    const topic = await bench.topic();
    for (const id of ['a', 'b', 'c', 'd']) send(bench, topic, id);
    assert.equal(await found(bench, topic, 'a'), undefined);
    assert.notEqual(await found(bench, topic, 'b'), undefined);
    await bench.clock.advance(1001);
    assert.equal(await found(bench, topic, 'd'), undefined);
    const off = new TestShard({ dedupWindowMs: 0 });
    await off.open();
    const other = await off.topic();
    send(off, other, 'a');
    assert.equal(await found(off, other, 'a'), undefined);
  });
});
