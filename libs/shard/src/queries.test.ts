import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Topic, TRANSACTION_END } from '@orbitmq/views';
import type { Delivery, FoundMessage, FoundPage, MessageBytes, MessageQuery } from './index.ts';
import { TestShard } from './test-shard.ts';

function field(number: number, text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
}

/** A message with nothing but an id and keys. */
function named(id: string, ...keys: string[]): MessageBytes {
  const system = Buffer.concat([...keys.map((key) => field(2, key)), field(3, id)]);
  return { system, rest: Buffer.concat([Buffer.from([0x22, 100]), Buffer.alloc(100)]) };
}

const SMALL = { flushDiskType: 'SYNC_FLUSH', segmentSizeBytes: 16_384, recordBytesMax: 8_192 } as const;

async function opened(): Promise<{ bench: TestShard; topic: Topic }> {
  const bench = new TestShard();
  await bench.open();
  return { bench, topic: await bench.topic() };
}

function find(bench: TestShard, query: Partial<MessageQuery>): Promise<FoundPage> {
  const all = {
    by: 'key',
    text: '',
    topic: undefined,
    beginMs: 0,
    endMs: 1e15,
    countMax: 32,
    bytesMax: 1e6,
    before: undefined,
  } as const;
  return bench.clock.settle(bench.shard.findMessages({ ...all, ...query }));
}

function placesOf({ messages }: FoundPage): unknown[] {
  return messages.map(({ place }) => place?.queueOffset);
}

async function sendMany(bench: TestShard, topic: Topic, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    bench.shard.send({ topic, queueId: 0, tagHash: 0, message: named(`id-${index}`, 'all', `mod-${index % 50}`) });
    if (index % 20 === 19) await bench.settled();
    if (index % 100 === 99) await bench.clock.advance(1000);
  }
  await bench.settled();
}

describe('queries', () => {
  test('say so where there is no index, and find all when there is one again', async () => {
    const off = { log: SMALL, messageIndexEnable: false };
    const bench = new TestShard({ ...off });
    await bench.open();
    const topic = await bench.topic();
    await sendMany(bench, topic, 40);
    await assert.rejects(find(bench, { text: 'all' }), { code: 'FORBIDDEN', message: /messageIndexEnable/ });
    const { physicalOffset } = (await bench.clock.settle(bench.shard.messageInQueue(topic, 0, 7)))!;
    const found = await bench.clock.settle(bench.shard.messageAt(physicalOffset));
    assert.equal(found?.place?.queueOffset, 7);
    await bench.restart({ log: SMALL });
    assert.equal((await find(bench, { text: 'mod-7' })).messages.length, 1);
    await bench.restart(off);
    await assert.rejects(find(bench, { by: 'messageId', text: 'id-7' }), { code: 'FORBIDDEN' });
    await bench.clock.settle(bench.shard.close());
  });

  test('find what was sent, by id and by key, in memory and in files, over restarts of all kinds', async () => {
    const { bench, topic } = await opened();
    await sendMany(bench, topic, 500);
    for (const restart of [undefined, () => bench.restart(), () => bench.crash()]) {
      await restart?.();
      for (const index of [0, 123, 499]) {
        const { messages, next } = await find(bench, { by: 'messageId', text: `id-${index}` });
        assert.deepEqual(placesOf({ messages, next }), [index]);
        assert.equal(next, undefined);
        assert.equal(messages[0]!.topic.name, 'topic');
      }
      assert.deepEqual(placesOf(await find(bench, { text: 'mod-7' })), [457, 407, 357, 307, 257, 207, 157, 107, 57, 7]);
      assert.deepEqual(placesOf(await find(bench, { text: 'id-7' })), [], 'an id is not a key');
    }
  });

  test('go page by page, and keep to topic and time', async () => {
    const { bench, topic } = await opened();
    const other = await bench.topic('other');
    await sendMany(bench, topic, 300);
    const seen: unknown[] = [];
    let before: number | undefined;
    do {
      const page = await find(bench, { text: 'all', countMax: 70, before });
      seen.push(...placesOf(page));
      before = page.next;
    } while (before !== undefined);
    assert.deepEqual(
      seen,
      Array.from({ length: 300 }, (_, index) => 299 - index),
    );
    assert.deepEqual(placesOf(await find(bench, { text: 'mod-1', topic: other })), []);
    const [first] = (await find(bench, { by: 'messageId', text: 'id-100' })).messages;
    const since = await find(bench, { text: 'mod-1', beginMs: first!.storeTimestampMs });
    assert.deepEqual(placesOf(since), [251, 201, 151, 101]);
    const until = await find(bench, { text: 'mod-1', endMs: first!.storeTimestampMs - 1 });
    assert.deepEqual(placesOf(until), [51, 1]);
  });

  test('find a message by its place in the log or in its queue, and nothing elsewhere', async () => {
    const { bench, topic } = await opened();
    await sendMany(bench, topic, 200);
    const at = (physicalOffset: number) => bench.clock.settle(bench.shard.messageAt(physicalOffset));
    const inQueue = (offset: number) => bench.clock.settle(bench.shard.messageInQueue(topic, 0, offset));
    const found = (await inQueue(150)) as FoundMessage;
    assert.deepEqual((await at(found.physicalOffset))?.place, { queueId: 0, queueOffset: 150 });
    for (const offset of [8, -8, 4, found.physicalOffset + 8, 1e12, bench.shard.position]) {
      assert.equal(await at(offset), undefined, String(offset));
    }
    await assert.rejects(() => inQueue(200), { code: 'OFFSET_NOT_FOUND' });
    await assert.rejects(() => inQueue(-1), { code: 'OFFSET_NOT_FOUND' });
  });

  test('make damaged and missing files again', async () => {
    const { bench, topic } = await opened();
    await sendMany(bench, topic, 500);
    await find(bench, { text: 'all' });
    const names = (await bench.clock.settle(bench.disk.list('/store/keyindex'))).filter((name) =>
      name.endsWith('.keys'),
    );
    assert.ok(names.length > 2, `${names.length} files`);
    const file = await bench.clock.settle(bench.disk.open(`/store/keyindex/${names[1]}`, 'write'));
    await bench.clock.settle(file.write([Buffer.alloc(64, 0xff)], 40));
    await bench.clock.settle(file.close());
    await bench.clock.settle(bench.disk.remove(`/store/keyindex/${names[0]}`));
    // The first search finds the damage, and a later one what was made again.
    await bench.restart();
    await find(bench, { text: 'mod-3' });
    await bench.clock.advance(1000);
    assert.deepEqual(placesOf(await find(bench, { text: 'mod-3' })), [453, 403, 353, 303, 253, 203, 153, 103, 53, 3]);
  });

  test('find what begins a segment while the file of the one before is being written', async () => {
    const bench = new TestShard({ log: { ...SMALL, flushMarkDelayMs: 3_600_000 } });
    await bench.open();
    const topic = await bench.topic();
    const send = async (message: MessageBytes): Promise<void> => {
      bench.shard.send({ topic, queueId: 0, tagHash: 0, message });
      await bench.settled();
    };
    const roomBytes = (): number => SMALL.segmentSizeBytes - (bench.shard.position % SMALL.segmentSizeBytes);
    // The file is written about 150 ms after the last message: the next segment begins a little before it, meanwhile, or behind it.
    const pauses = Array.from({ length: 40 }, (_, index) => 135 + index * 0.75);
    for (const pauseMs of pauses) {
      while (roomBytes() > SMALL.recordBytesMax) await send(named('filler'));
      const { system } = named('last');
      // Nothing is left behind it: the next segment is begun by the next message.
      await send({ system, rest: Buffer.alloc(roomBytes() - 58 - system.length) });
      assert.equal(roomBytes(), SMALL.segmentSizeBytes);
      await bench.clock.advance(pauseMs);
      await send(named(`first-${pauseMs}`));
      await bench.clock.advance(1000);
    }
    for (const pauseMs of pauses) {
      const { messages } = await find(bench, { by: 'messageId', text: `first-${pauseMs}` });
      assert.equal(messages.length, 1, `after ${pauseMs} ms`);
    }
  });

  test('follow timed messages and transactions into their queues', async () => {
    const { bench, topic } = await opened();
    const request = { topic, queueId: 0, tagHash: 0 };
    const deliveryTimestampMs = bench.clock.wallMs() + 5000;
    bench.shard.sendTimed({ ...request, message: named('timed'), deliveryTimestampMs });
    const { half } = bench.shard.sendHalf({ ...request, message: named('half', 'deal'), immunityMs: 1000 });
    await bench.settled();
    const one = async (text: string) => (await find(bench, { by: 'messageId', text })).messages[0]!;
    assert.deepEqual([(await one('timed')).pending, (await one('half')).pending], ['timed', 'half']);
    bench.shard.endTransaction(topic, half, TRANSACTION_END.committed, 1);
    await bench.clock.advance(6000);
    assert.deepEqual((await one('timed')).place, { queueId: 0, queueOffset: 0 });
    assert.deepEqual((await one('half')).place, { queueId: 1, queueOffset: 0 });
    assert.deepEqual(placesOf(await find(bench, { text: 'deal' })), [0]);
  });

  test('tell what became of a message', async () => {
    const { bench, topic } = await opened();
    const [group, slow] = [await bench.group('group'), await bench.group('slow')];
    await bench.group('idle');
    await sendMany(bench, topic, 3);
    const leaseOf = (of: typeof group, { queueId, queueOffset, leaseId }: Delivery) => ({
      group: of,
      topic,
      queueId,
      queueOffset,
      leaseId,
    });
    const handed = await bench.receive(group, topic);
    bench.shard.changeInvisible(leaseOf(group, handed[1]!), 0);
    const [again] = await bench.receive(group, topic);
    bench.shard.acknowledgeAll([leaseOf(group, handed[0]!), leaseOf(group, again!)]);
    await bench.receive(slow, topic, { countMax: 2, invisibleMs: 5000 });
    const story = await bench.clock.settle(bench.shard.messageStory(topic, 0, 1));
    assert.deepEqual(
      story.events.map(({ kind, group: name }) => `${name}: ${kind}`),
      ['group: delivered', 'group: handed back', 'group: delivered', 'group: settled', 'slow: delivered'],
    );
    assert.deepEqual(
      story.groups.map(({ group: name, standing, attempt }) => [name, standing, attempt]),
      [
        ['group', 'settled', 0],
        ['slow', 'in flight', 1],
      ],
    );
    assert.ok(story.isComplete);
    const next = await bench.clock.settle(bench.shard.messageStory(topic, 0, 2));
    assert.equal(next.groups[1]!.standing, 'not reached');
    await assert.rejects(() => bench.clock.settle(bench.shard.messageStory(topic, 0, 3)), { code: 'OFFSET_NOT_FOUND' });
  });
});
