import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { MqError } from '@orbitmq/base';
import { readMessageId } from '@orbitmq/protocol';
import { Message, SystemProperties } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Group, Topic } from '@orbitmq/views';
import type { Delivery, LeaseRef, LiteReceiveRequest, LiteSubscriber, MessageBytes, SentMessage } from './index.ts';
import { TestShard } from './test-shard.ts';

const MINUTE_MS = 60_000;

function messageOf(liteTopic: string, id: string): MessageBytes {
  const properties = { ...SystemProperties.decode(new Uint8Array()), messageId: id, liteTopic, keys: [`key-${id}`] };
  const body = Buffer.from(`body of ${id}`);
  const fields = { topic: undefined, userProperties: new Map(), systemProperties: undefined, body };
  return { system: SystemProperties.encode(properties).finish(), rest: Message.encode(fields).finish() };
}

/** Sends messages by their ids: `a1` is the first for the lite topic `a`. */
function send(bench: TestShard, topic: Topic, ids: string): SentMessage[] {
  return ids
    .split(' ')
    .map((id) => bench.shard.sendLite({ topic, liteTopic: id[0]!, tagHash: 0, message: messageOf(id[0]!, id) }));
}

function receive(
  bench: TestShard,
  subscriber: LiteSubscriber,
  fields: Partial<LiteReceiveRequest> = {},
): Promise<Delivery[]> {
  const request = { countMax: 32, bytesMax: 1e6, invisibleMs: 30_000, attemptId: undefined, ...fields };
  return bench.clock.settle(subscriber.receive(request));
}

function idsOf(deliveries: readonly Delivery[]): string {
  return deliveries.map(({ message }) => readMessageId(message.system)).join(' ');
}

function leaseOf(group: Group, topic: Topic, { queueId, queueOffset, leaseId }: Delivery): LeaseRef {
  return { group, topic, queueId, queueOffset, leaseId };
}

function parent(bench: TestShard, expirationMinutes = -1): Promise<Topic> {
  const attributes = new Map([['lite.topic.expiration', String(expirationMinutes)]]);
  return bench.topic('parent', { messageType: 'LITE', attributes });
}

function open(bench: TestShard, group: Group, topic: Topic, names = ''): LiteSubscriber {
  const subscriber = bench.shard.openLiteSubscriber(group, topic, false);
  for (const name of names) subscriber.subscribe(name);
  return subscriber;
}

async function started(expirationMinutes = -1, options: ConstructorParameters<typeof TestShard>[0] = {}) {
  const bench = new TestShard(options);
  await bench.open();
  return { bench, topic: await parent(bench, expirationMinutes), group: await bench.group() };
}

function found(bench: TestShard): { topic: Topic; group: Group } {
  return { topic: bench.shard.metadata.topic('parent')!, group: bench.shard.metadata.group('group')! };
}

/** Whether a waiter has been woken, to be asked again and again. */
function watch(subscriber: LiteSubscriber): () => boolean | undefined {
  let woken: boolean | undefined;
  void subscriber.waitForMessages().ready.then((isReady) => {
    woken = isReady;
  });
  return () => woken;
}

describe('lite topics', () => {
  test('begin with their first message, and give each client what it has named', async () => {
    const { bench, topic, group } = await started();
    const [a1, b1] = send(bench, topic, 'a1 b1 a2 c1');
    assert.deepEqual([a1!.queueOffset, b1!.queueOffset], [0, 0]);
    assert.notEqual(a1!.queueId, b1!.queueId);
    const subscriber = open(bench, group, topic, 'ax');
    assert.equal(idsOf(await receive(bench, subscriber)), '', 'not before it is settled');
    await bench.settled();
    assert.equal(idsOf(await receive(bench, subscriber)), 'a1 a2');
    subscriber.subscribe('c');
    const [c1] = await receive(bench, subscriber);
    assert.deepEqual([c1!.queueOffset, c1!.attempt, idsOf([c1!])], [0, 1, 'c1']);
    assert.equal(bench.shard.liteTopicCount(topic), 3);
    assert.deepEqual(
      bench.shard.liteTopics(topic, 'a', 1).liteTopics.map(({ liteTopic }) => liteTopic),
      ['b'],
    );
    assert.equal(bench.shard.liteTopics(topic, 'a', 1).more, true);
    assert.equal(bench.shard.liteTopics(topic, 'b', 1).more, false);
    assert.equal((await bench.receive(group, topic)).length, 0, 'ordinary queues hold nothing of it');
    await bench.clock.settle(bench.shard.close());
  });

  test('are in order for the group: one batch of each at a time', async () => {
    const { bench, topic, group } = await started();
    send(bench, topic, 'a1 a2 a3 b1');
    const [first, second] = [open(bench, group, topic, 'ab'), open(bench, group, topic, 'ab')];
    await bench.settled();
    const [a1] = await receive(bench, first, { countMax: 1 });
    assert.equal(idsOf([a1!]), 'a1');
    assert.equal(idsOf(await receive(bench, second)), 'b1');
    assert.equal(idsOf(await receive(bench, first)), '');
    const isWoken = watch(second);
    send(bench, topic, 'a4');
    await bench.settled();
    assert.equal(isWoken(), undefined, 'nobody is woken for what he can not have');
    assert.equal(bench.shard.acknowledge(leaseOf(group, topic, a1!)), 'done');
    await bench.settled();
    assert.equal(isWoken(), true);
    assert.equal(idsOf(await receive(bench, second)), 'a2 a3 a4');
    await bench.clock.settle(bench.shard.close());
  });

  test('wake who waits: by a message, the end of a lease, a nack, an offset', async () => {
    const { bench, topic, group } = await started();
    const subscriber = open(bench, group, topic, 'a');
    let isWoken = watch(subscriber);
    send(bench, topic, 'b1');
    await bench.settled();
    assert.equal(isWoken(), undefined);
    send(bench, topic, 'a1');
    await bench.settled();
    assert.equal(isWoken(), true);
    assert.equal(idsOf(await receive(bench, subscriber, { invisibleMs: 1000 })), 'a1');
    isWoken = watch(subscriber);
    await bench.clock.advance(990);
    assert.equal(isWoken(), undefined);
    await bench.clock.advance(100);
    assert.equal(isWoken(), true);
    const [again] = await receive(bench, subscriber);
    assert.equal(again!.attempt, 2);
    isWoken = watch(subscriber);
    bench.shard.changeInvisible(leaseOf(group, topic, again!), 0);
    await bench.settled();
    assert.equal(isWoken(), true);
    const [third] = await receive(bench, subscriber);
    bench.shard.acknowledge(leaseOf(group, topic, third!));
    isWoken = watch(subscriber);
    await bench.clock.settle(bench.shard.setLiteOffsets(group, topic, ['a', 'nothing'], { kind: 'earliest' }));
    assert.equal(isWoken(), true);
    assert.equal(idsOf(await receive(bench, subscriber)), 'a1');
    isWoken = watch(subscriber);
    subscriber.close();
    await bench.settled();
    assert.equal(isWoken(), false);
    await assert.rejects(receive(bench, subscriber), (error: MqError) => error.code === 'FORBIDDEN');
    await bench.clock.settle(bench.shard.close());
  });

  test('give the same attempt the same messages, also when the client comes again after a restart', async () => {
    const { bench, topic, group } = await started();
    send(bench, topic, 'a1 a2 b1 b2');
    await bench.settled();
    const subscriber = open(bench, group, topic, 'ab');
    const before = await receive(bench, subscriber, { attemptId: 'x' });
    assert.equal(idsOf(before), 'a1 a2 b1 b2');
    assert.deepEqual(await receive(bench, subscriber, { attemptId: 'x' }), before);
    bench.shard.acknowledge(leaseOf(group, topic, before[0]!));
    await bench.restart();
    const now = found(bench);
    const later = open(bench, now.group, now.topic, 'ba');
    assert.equal(idsOf(await receive(bench, later, { attemptId: 'y' })), '');
    const again = await receive(bench, later, { attemptId: 'x' });
    assert.equal(idsOf(again), 'b1 b2 a2');
    assert.deepEqual(
      again.map(({ attempt }) => attempt),
      [1, 1, 1],
    );
    await bench.clock.settle(bench.shard.close());
  });

  test('rest as a whole when one message is suspended, and that is no attempt', async () => {
    const { bench, topic, group } = await started();
    send(bench, topic, 'a1 a2 b1');
    await bench.settled();
    const subscriber = open(bench, group, topic, 'ab');
    const [a1, a2, b1] = await receive(bench, subscriber, { invisibleMs: 1000 });
    const suspended = bench.shard.changeInvisible(leaseOf(group, topic, a1!), 5000, true);
    assert.equal(suspended.outcome, 'done');
    assert.equal(bench.shard.acknowledge(leaseOf(group, topic, a1!)), 'superseded');
    await bench.clock.advance(1100);
    assert.equal(idsOf(await receive(bench, subscriber)), 'b1');
    bench.shard.acknowledge({ ...leaseOf(group, topic, a2!), queueOffset: 1 });
    await bench.clock.advance(3500);
    assert.equal(idsOf(await receive(bench, subscriber)), '');
    const isWoken = watch(subscriber);
    await bench.clock.advance(600);
    assert.equal(isWoken(), true);
    const [again] = await receive(bench, subscriber);
    assert.deepEqual([idsOf([again!]), again!.attempt], ['a1', 1]);
    assert.equal(b1!.attempt, 1);
    await bench.clock.settle(bench.shard.close());
  });

  test('turn over what is used up to the dead letters, and go on', async () => {
    const { bench, topic, group: made } = await started();
    const group = await bench.clock.settle(bench.shard.putGroup({ ...made, retryMaxTimes: 1 }));
    send(bench, topic, 'a1 a2');
    await bench.settled();
    const subscriber = open(bench, group, topic, 'a');
    for (const attempt of [1, 2]) {
      const [a1] = await receive(bench, subscriber, { countMax: 1, invisibleMs: 1000 });
      assert.deepEqual([idsOf([a1!]), a1!.attempt], ['a1', attempt]);
      await bench.clock.advance(1100);
    }
    const [a2] = await receive(bench, subscriber);
    assert.equal(idsOf([a2!]), 'a2');
    assert.equal(await bench.clock.settle(bench.shard.deadLetter(leaseOf(group, topic, a2!))), 'done');
    const reader = await bench.group('reader');
    const dead = bench.shard.metadata.topic('%DLQ%group')!;
    assert.equal(idsOf(await bench.receive(reader, dead)), 'a1 a2');
    const selection = { messageId: 'a1' };
    const redriven = bench.shard.redrive({ group, selection, fromOffset: 0, countMax: 9, isDryRun: false });
    assert.deepEqual(
      (await bench.clock.settle(redriven)).results.map(({ outcome }) => outcome),
      ['redriven'],
    );
    assert.equal(idsOf(await receive(bench, subscriber)), 'a1');
    await bench.clock.settle(bench.shard.close());
  });

  test('go when nothing is sent to them for long, and begin anew: old handles settle nothing', async () => {
    const { bench, topic, group } = await started(30);
    send(bench, topic, 'a1 b1');
    await bench.settled();
    const subscriber = open(bench, group, topic, 'ab');
    const [a1] = await receive(bench, subscriber, { countMax: 1, invisibleMs: 100 * MINUTE_MS });
    await bench.clock.advance(20 * MINUTE_MS);
    send(bench, topic, 'b2');
    await bench.clock.advance(20 * MINUTE_MS);
    assert.deepEqual([bench.shard.liteTopic(topic, 'a'), bench.shard.liteTopicCount()], [undefined, 1]);
    assert.equal(bench.shard.acknowledge(leaseOf(group, topic, a1!)), 'unknown');
    const isWoken = watch(open(bench, group, topic, 'a'));
    send(bench, topic, 'a9');
    await bench.settled();
    assert.equal(isWoken(), true);
    const again = await receive(bench, subscriber);
    assert.equal(idsOf(again), 'b1 b2 a9');
    assert.deepEqual([again[2]!.queueOffset, again[2]!.queueId === a1!.queueId], [0, false]);
    assert.equal(bench.shard.acknowledge(leaseOf(group, topic, a1!)), 'unknown');
    await bench.clock.settle(bench.shard.close());
  });

  test('live 15 minutes at least, also from the start of the process on', async () => {
    const { bench, topic } = await started(1);
    send(bench, topic, 'a1');
    await bench.clock.advance(14 * MINUTE_MS);
    await bench.restart();
    await bench.clock.advance(14 * MINUTE_MS);
    assert.equal(bench.shard.liteTopicCount(), 1);
    await bench.clock.advance(4 * MINUTE_MS);
    assert.equal(bench.shard.liteTopicCount(), 0);
    await bench.clock.settle(bench.shard.close());
  });

  test('stay for ever without an expiration, until retention has taken all of them', async () => {
    const options = { retentionMs: 30 * MINUTE_MS };
    const { bench, topic } = await started(-1, options);
    send(bench, topic, 'a1');
    await bench.clock.advance(60 * MINUTE_MS);
    assert.equal(bench.shard.liteTopicCount(), 1, 'its segment is being written');
    for (let count = 0; count < 400; count++) send(bench, topic, `b${count}`);
    await bench.settled();
    await bench.clock.advance(60 * MINUTE_MS);
    send(bench, topic, 'c1');
    await bench.clock.advance(20 * MINUTE_MS);
    assert.equal(bench.shard.liteTopic(topic, 'a'), undefined);
    assert.notEqual(bench.shard.liteTopic(topic, 'c'), undefined);
    await bench.clock.settle(bench.shard.close());
  });

  test('are bounded in number', async () => {
    const { bench, topic } = await started(-1, { liteTopicsMax: 2 });
    send(bench, topic, 'a1 b1 a2');
    assert.throws(
      () => send(bench, topic, 'c1'),
      (error: MqError) => error.code === 'LITE_TOPIC_QUOTA_EXCEEDED',
    );
    send(bench, topic, 'b2');
    assert.equal(bench.shard.liteTopicCount(), 2);
    await bench.clock.settle(bench.shard.close());
  });

  test('offsets: earliest, latest, exact, by tail and by time', async () => {
    const { bench, topic, group } = await started();
    send(bench, topic, 'a1 a2');
    await bench.clock.advance(1000);
    const timestampMs = bench.clock.wallMs();
    send(bench, topic, 'a3 a4');
    await bench.settled();
    const subscriber = open(bench, group, topic, 'a');
    const set = async (target: Parameters<typeof bench.shard.setLiteOffsets>[3]): Promise<string> => {
      await bench.clock.settle(bench.shard.setLiteOffsets(group, topic, ['a'], target));
      return idsOf(await receive(bench, subscriber));
    };
    assert.equal(await set({ kind: 'tail', count: 1 }), 'a4', 'before the end when it has not begun');
    assert.equal(await set({ kind: 'latest' }), '');
    assert.equal(await set({ kind: 'tail', count: 2 }), 'a3 a4');
    assert.equal(await set({ kind: 'offset', offset: 1 }), 'a2 a3 a4');
    assert.equal(await set({ kind: 'tail', count: 100 }), 'a1 a2 a3 a4');
    assert.equal(await set({ kind: 'time', timestampMs }), 'a3 a4');
    assert.equal(await set({ kind: 'offset', offset: 99 }), '');
    assert.equal(await set({ kind: 'earliest' }), 'a1 a2 a3 a4');
    await bench.clock.settle(bench.shard.close());
  });

  test('offsets of all that a group reads are set at a time, or only spoken of', async () => {
    const { bench, topic, group } = await started();
    send(bench, topic, 'a1 a2 b1 c1 x1');
    await bench.settled();
    const subscriber = open(bench, group, topic, 'abc');
    for (const delivery of await receive(bench, subscriber, { countMax: 3 })) {
      bench.shard.acknowledge(leaseOf(group, topic, delivery));
    }
    const latest = { group, topic, queueId: undefined, target: { kind: 'latest' } } as const;
    const told = await bench.clock.settle(bench.shard.planOffsets(latest));
    assert.deepEqual(
      told.map(({ skippedCount }) => skippedCount),
      [0, 0, 1],
    );
    assert.equal(bench.shard.liteLag(group, topic, 0).lagCount, 1);
    await bench.clock.settle(bench.shard.setOffsets(latest));
    assert.equal(bench.shard.liteLag(group, topic, 0).lagCount, 0);
    const other = await bench.group('other');
    const copied = { ...latest, group: other, target: { kind: 'group', group } } as const;
    assert.equal((await bench.clock.settle(bench.shard.setOffsets(copied))).length, 3);
    send(bench, topic, 'a3');
    await bench.settled();
    assert.equal(idsOf(await receive(bench, open(bench, other, topic, 'ax'))), 'a3 x1');
    const woken = watch(subscriber);
    const earliest = { ...latest, target: { kind: 'time', timestampMs: 0 } } as const;
    const redelivered = (await bench.clock.settle(bench.shard.setOffsets(earliest))).map((one) => one.redeliveredCount);
    assert.deepEqual(redelivered, [2, 1, 1]);
    assert.equal(woken(), true);
    assert.equal(idsOf(await receive(bench, subscriber)), 'a1 a2 a3 b1 c1');
    await bench.clock.settle(bench.shard.close());
  });

  test('progress and lag are exact, for the group and for one', async () => {
    const { bench, topic, group } = await started();
    send(bench, topic, 'a1 a2 a3 b1 b2 c1');
    await bench.settled();
    const subscriber = open(bench, group, topic, 'ab');
    assert.equal(bench.shard.liteLag(group, topic, 0).lagCount, 5);
    const [a1] = await receive(bench, subscriber, { countMax: 2 });
    bench.shard.acknowledge(leaseOf(group, topic, a1!));
    await bench.settled();
    assert.deepEqual(bench.shard.liteLag(group, topic, 1), {
      liteTopicCount: 2,
      lagCount: 4,
      inflightCount: 1,
      readyCount: 3,
      top: [{ liteTopic: 'a', lagCount: 2 }],
    });
    const { floorOffset, nextOffset, maxOffset, inflightCount } = bench.shard.liteProgress(group, topic, 'a')!;
    assert.deepEqual([floorOffset, nextOffset, maxOffset, inflightCount], [1, 2, 3, 1]);
    assert.equal(bench.shard.liteProgress(group, topic, 'x'), undefined);
    const [statistics] = bench.shard.statistics().subscriptions;
    assert.deepEqual([statistics!.lagCount, statistics!.inflightCount, statistics!.readyCount], [4, 1, 3]);
    await bench.clock.settle(bench.shard.close());
  });

  test('statistics of very many are those of the last look, which goes in steps', async () => {
    const { bench, topic, group } = await started();
    const subscriber = open(bench, group, topic);
    const sendToAll = async (id: string): Promise<void> => {
      for (let index = 0; index < 5_000; index++) {
        const liteTopic = `lite-${index}`;
        bench.shard.sendLite({ topic, liteTopic, tagHash: 0, message: messageOf(liteTopic, `${id}-${index}`) });
        subscriber.subscribe(liteTopic);
      }
      await bench.settled();
    };
    const lag = (): number => bench.shard.statistics().subscriptions[0]!.lagCount;
    await receive(bench, subscriber);
    await sendToAll('first');
    assert.equal(lag(), 5_000);
    await sendToAll('second');
    assert.equal(lag(), 5_000, 'the last look');
    await bench.clock.advance(6_000);
    assert.equal(lag(), 5_000, 'it begins to look');
    await bench.clock.advance(1_000);
    assert.equal(lag(), 10_000);
    assert.deepEqual(bench.shard.totals(), { sentCount: 10_000, deliveredCount: 0 });
    await bench.clock.settle(bench.shard.close());
  });

  test('go on when one of them can not be looked up', async () => {
    const { bench } = await started();
    send(bench, found(bench).topic, 'a1');
    for (let index = 0; index < 6; index++) {
      const message = { ...messageOf('z', `z${index}`), rest: Buffer.alloc(7_000, 0x0a) };
      bench.shard.sendLite({ topic: found(bench).topic, liteTopic: 'z', tagHash: 0, message });
    }
    await bench.settled();
    // nothing of the first segment is in memory after this
    await bench.restart();
    const { topic, group } = found(bench);
    for (const path of ['00000000000000000000.index', 'commitlog/00000000000000000000']) {
      bench.disk.inject({ operation: 'read', path, count: 1e9, error: 'EIO' });
    }
    const subscriber = open(bench, group, topic, 'anm');
    send(bench, topic, 'n1 m1');
    await bench.settled();
    await assert.rejects(receive(bench, subscriber), { code: 'INTERNAL_SERVER_ERROR' });
    assert.equal(idsOf(await receive(bench, subscriber)), 'n1 m1');
    await bench.clock.settle(bench.shard.close());
  });

  test('clients that take all share them', async () => {
    const { bench, topic, group } = await started();
    send(bench, topic, 'a1 b1');
    await bench.settled();
    const [first, second] = [0, 1].map(() => bench.shard.openLiteSubscriber(group, topic, true));
    assert.equal(idsOf(await receive(bench, first!, { countMax: 1 })), 'a1');
    assert.equal(idsOf(await receive(bench, second!)), 'b1');
    const [firstWoken, secondWoken] = [watch(first!), watch(second!)];
    send(bench, topic, 'c1');
    await bench.settled();
    assert.deepEqual([firstWoken(), secondWoken()], [true, undefined], 'one of them');
    first!.close();
    await bench.settled();
    assert.equal(secondWoken(), true, 'the other one, when the first went without a receive');
    assert.equal(idsOf(await receive(bench, second!)), 'c1');
    assert.equal(bench.shard.liteLag(group, topic, 0).inflightCount, 3);
    await bench.clock.settle(bench.shard.close());
  });

  test('subscriptions are known by name, and taken away', async () => {
    const { bench, topic, group } = await started();
    const [first, second] = [open(bench, group, topic, 'ab'), open(bench, group, topic, 'a')];
    assert.deepEqual(bench.shard.liteSubscribers(group, topic, 'a'), [first, second]);
    assert.equal(bench.shard.liteSubscriptionCount, 3);
    assert.equal(first.subscribe('a'), false);
    assert.equal(first.unsubscribe('a'), true);
    assert.equal(first.unsubscribe('a'), false);
    assert.deepEqual(bench.shard.liteSubscribers(group, topic, 'a'), [second]);
    send(bench, topic, 'a1 b1');
    await bench.settled();
    assert.equal(idsOf(await receive(bench, first)), 'b1');
    second.close();
    assert.equal(bench.shard.liteSubscriptionCount, 1);
    first.subscribe('a');
    assert.equal(idsOf(await receive(bench, first)), 'a1');
    await bench.clock.settle(bench.shard.close());
  });

  test('go with their parent; a group takes its progress along', async () => {
    const { bench, topic, group } = await started();
    send(bench, topic, 'a1 b1');
    await bench.settled();
    const subscriber = open(bench, group, topic, 'ab');
    assert.equal(idsOf(await receive(bench, subscriber)), 'a1 b1');
    await bench.clock.settle(bench.shard.deleteGroup('group'));
    assert.equal(subscriber.isClosed, true);
    const later = await bench.group();
    const other = open(bench, later, topic, 'ab');
    assert.equal(idsOf(await receive(bench, other)), 'a1 b1');
    await bench.clock.settle(bench.shard.deleteTopic('parent'));
    await assert.rejects(receive(bench, other), (error: MqError) => error.code === 'TOPIC_NOT_FOUND');
    const anew = await parent(bench);
    assert.equal(bench.shard.liteTopicCount(), 0);
    send(bench, anew, 'a5');
    await bench.settled();
    assert.equal(idsOf(await receive(bench, open(bench, later, anew, 'ab'))), 'a5');
    await bench.clock.settle(bench.shard.close());
  });

  test('are the same after a restart, a crash and without a snapshot', async () => {
    const { bench, topic, group } = await started(60);
    for (let count = 0; count < 300; count++) send(bench, topic, `${'abcdefgh'[count % 8]}${count}`);
    await bench.settled();
    const subscriber = open(bench, group, topic, 'abc');
    const deliveries = await receive(bench, subscriber, { attemptId: 'x' });
    for (const delivery of deliveries.slice(0, 7)) bench.shard.acknowledge(leaseOf(group, topic, delivery));
    bench.shard.changeInvisible(leaseOf(group, topic, deliveries[8]!), 90_000, true);
    await bench.clock.settle(bench.shard.setLiteOffsets(group, topic, ['b'], { kind: 'latest' }));
    const before = bench.shard.checksum().checksum;
    await bench.crash();
    assert.equal(bench.shard.checksum().checksum, before);
    await bench.restart();
    assert.equal(bench.shard.checksum().checksum, before);
    const now = found(bench);
    const info = bench.shard.liteTopic(now.topic, 'h')!;
    const message = await bench.clock.settle(bench.shard.messageInQueue(now.topic, info.queueId, 0));
    assert.equal(readMessageId(message!.message.system), 'h7');
    const query = { topic: now.topic, beginMs: 0, endMs: Number.MAX_SAFE_INTEGER, countMax: 9, bytesMax: 1e6 };
    const byKey = bench.shard.findMessages({ ...query, by: 'key', text: 'key-h7', before: undefined });
    assert.deepEqual(
      (await bench.clock.settle(byKey)).messages.map(({ place }) => place),
      [{ queueId: info.queueId, queueOffset: 0 }],
    );
    const story = await bench.clock.settle(bench.shard.messageStory(now.topic, deliveries[0]!.queueId, 0));
    assert.deepEqual(
      story.events.map(({ kind }) => kind),
      ['delivered', 'settled'],
    );
    const again = bench.shard.findSent(now.topic, messageOf('h', 'h7'), 0);
    assert.deepEqual(await bench.clock.settle(Promise.resolve(again)), { kind: 'message', queueOffset: 0 });
    await bench.clock.settle(bench.shard.close());
  });

  test('outlive retention: the state in the log has them when nothing else does', async () => {
    const { bench, topic, group } = await started(-1, { retentionMs: 30 * MINUTE_MS });
    send(bench, topic, 'x1 x2');
    for (let round = 0; round < 4; round++) {
      for (let count = 0; count < 300; count++) send(bench, topic, `${'abcd'[count % 4]}${round}-${count}`);
      await bench.settled();
      await bench.clock.advance(20 * MINUTE_MS);
    }
    assert.notEqual(bench.shard.statistics().logStartOffset, 0);
    assert.equal(bench.shard.liteTopic(topic, 'x'), undefined);
    send(bench, topic, 'y1');
    await bench.settled();
    const [y1] = await receive(bench, open(bench, group, topic, 'xy'));
    const before = bench.shard.checksum().checksum;
    await bench.crash(/queueindex|snapshots/);
    assert.equal(bench.shard.viewsRecovery.base, 'state in the log');
    assert.equal(bench.shard.checksum().checksum, before);
    const now = found(bench);
    assert.equal(bench.shard.liteTopicCount(now.topic), 5);
    assert.equal(bench.shard.acknowledge(leaseOf(now.group, now.topic, y1!)), 'done');
    await bench.clock.settle(bench.shard.close());
  });

  test('on a crowded disk stay while somebody who has named them has not consumed them', async () => {
    const { bench, topic, group } = await started(-1, { diskCleanRatio: 0 });
    const subscriber = open(bench, group, topic, 'abc');
    for (let count = 0; count < 600; count++) send(bench, topic, `${'abcd'[count % 4]}${count}`);
    await bench.settled();
    await bench.clock.settle(bench.shard.retain());
    const minOffset = (name: string): number => bench.shard.liteTopic(topic, name)!.minOffset;
    assert.equal(minOffset('a'), 0, 'nobody has begun');
    await bench.clock.settle(bench.shard.retain());
    const told = bench.warned.find(({ message }) => /oldest messages are not consumed/.test(message));
    assert.deepEqual(told?.fields.waitsFor, ['parent: group']);
    for (;;) {
      const deliveries = await receive(bench, subscriber);
      if (deliveries.length === 0) break;
      for (const delivery of deliveries) bench.shard.acknowledge(leaseOf(group, topic, delivery));
      await bench.settled();
    }
    const late = open(bench, await bench.group('late'), topic, 'b');
    await bench.clock.settle(bench.shard.retain());
    assert.notEqual(minOffset('a'), 0);
    assert.equal(minOffset('b'), 0, 'a group has named it and not begun');
    assert.equal(minOffset('d'), 0, 'nobody reads it');
    late.close();
    await bench.clock.settle(bench.shard.close());
  });

  test('can be pulled by their queue id', async () => {
    const { bench, topic } = await started();
    const [a1] = send(bench, topic, 'a1');
    await bench.settled();
    const request = { topic, queueId: a1!.queueId, offset: 0, filter: undefined, countMax: 9, bytesMax: 1e6 };
    const pulled = await bench.clock.settle(bench.shard.pull(request));
    assert.equal(readMessageId(pulled.messages[0]!.message.system), 'a1');
    const waiter = bench.shard.waitForOffset(topic, a1!.queueId, 1);
    send(bench, topic, 'a2');
    assert.equal(await bench.clock.settle(waiter.ready), true);
    assert.deepEqual(bench.shard.queueRange(topic, a1!.queueId), { minOffset: 0, maxOffset: 2 });
    await assert.rejects(
      bench.clock.settle(bench.shard.pull({ ...request, queueId: a1!.queueId + 1 })),
      (error: MqError) => error.code === 'BAD_REQUEST',
    );
    await bench.clock.settle(bench.shard.close());
  });
});
