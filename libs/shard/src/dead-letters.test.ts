import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readDeadLetterOrigin, readMessageId } from '@orbitmq/protocol';
import { Message, SystemProperties } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Group, Topic } from '@orbitmq/views';
import type { Delivery, LeaseRef, RedriveRequest } from './index.ts';
import { TestShard } from './test-shard.ts';

function send(bench: TestShard, topic: Topic, id: string, fields: Partial<SystemProperties> = {}, queueId = 0): void {
  const properties = { ...SystemProperties.decode(new Uint8Array()), messageId: id, ...fields };
  const rest = Message.encode({
    topic: { resourceNamespace: '', name: topic.name },
    userProperties: new Map(),
    systemProperties: undefined,
    body: Buffer.from(`body of ${id}`),
  }).finish();
  bench.shard.send({
    topic,
    queueId,
    tagHash: 0,
    message: { system: SystemProperties.encode(properties).finish(), rest },
  });
}

async function groupOf(bench: TestShard, retryMaxTimes: number, fields: Partial<Group> = {}): Promise<Group> {
  const group = await bench.group('group', fields.consumeMessageOrderly ?? false);
  return await bench.clock.settle(bench.shard.putGroup({ ...group, retryMaxTimes, ...fields }));
}

function leaseOf(group: Group, topic: Topic, { queueId, queueOffset, leaseId }: Delivery): LeaseRef {
  return { group, topic, queueId, queueOffset, leaseId };
}

function idsOf(deliveries: readonly Delivery[]): string[] {
  return deliveries.map(({ message }) => readMessageId(message.system));
}

function bodyOf({ message }: Delivery): string {
  return Buffer.from(Message.decode(message.rest).body).toString();
}

/** Receives everything of the group's dead letters, by a group of its own. */
async function deadLetters(bench: TestShard): Promise<Delivery[]> {
  const topic = bench.shard.metadata.topic('%DLQ%group');
  if (topic === undefined) return [];
  return await bench.receive(await bench.group(`reader-${bench.clock.monotonicMs()}`), topic);
}

const redriveAll = (group: Group): RedriveRequest => ({
  group,
  selection: {},
  fromOffset: 0,
  countMax: 100,
  isDryRun: false,
});

describe('dead letters', () => {
  test('are made when the attempts are used up, also when nobody receives', async () => {
    const bench = new TestShard();
    await bench.open();
    const [topic, group] = [await bench.topic(), await groupOf(bench, 1)];
    send(bench, topic, 'poison');
    await bench.settled();
    const announced: string[] = [];
    bench.shard.onMetadataChange(() => announced.push(bench.shard.metadata.topic('%DLQ%group')?.name ?? ''));
    for (const attempt of [1, 2]) {
      const [delivery] = await bench.receive(group, topic, { invisibleMs: 1000 });
      assert.equal(delivery!.attempt, attempt);
      assert.deepEqual(await deadLetters(bench), []);
      await bench.clock.advance(1100);
    }
    assert.deepEqual(await bench.receive(group, topic), []);
    const [letter] = await deadLetters(bench);
    assert.deepEqual(readDeadLetterOrigin(letter!.message.system), { topicName: 'topic', messageId: 'poison' });
    assert.equal(Message.decode(letter!.message.rest).topic?.name, '%DLQ%group');
    assert.equal(bodyOf(letter!), 'body of poison');
    assert.equal(letter!.attempt, 1);
    assert.equal(bench.shard.metadata.topic('%DLQ%group')?.permission, 4);
    assert.equal(announced[0], '%DLQ%group');
    const counted = bench.shard.statistics().subscriptions.find((each) => each.topic === 'topic')!;
    assert.deepEqual([counted.deadLetterCount, counted.lagCount], [1, 0]);
    await bench.clock.settle(bench.shard.close());
  });

  test('outlive a power loss, and none is made twice', async () => {
    const bench = new TestShard();
    await bench.open();
    let [topic, group] = [await bench.topic(), await groupOf(bench, 0)];
    for (let index = 0; index < 20; index++) send(bench, topic, `m${index}`);
    await bench.settled();
    assert.equal((await bench.receive(group, topic, { invisibleMs: 500 })).length, 20);
    await bench.clock.advance(501.5);
    await bench.crash();
    await bench.clock.advance(1000);
    [topic, group] = [bench.shard.metadata.topic('topic')!, bench.shard.metadata.group('group')!];
    assert.equal((await deadLetters(bench)).length, 20);
    await bench.restart();
    await bench.clock.advance(10_000);
    assert.deepEqual(
      await bench.receive(bench.shard.metadata.group('group')!, bench.shard.metadata.topic('topic')!),
      [],
    );
    assert.equal((await deadLetters(bench)).length, 20);
    await bench.clock.settle(bench.shard.close());
  });

  test('are made by consumers, once, by the lease that is current', async () => {
    const bench = new TestShard();
    await bench.open();
    const [topic, group] = [await bench.topic(), await groupOf(bench, 16)];
    send(bench, topic, 'one');
    await bench.settled();
    const [first] = await bench.receive(group, topic, { invisibleMs: 100 });
    await bench.clock.advance(200);
    const [second] = await bench.receive(group, topic);
    assert.equal(await bench.shard.deadLetter(leaseOf(group, topic, first!)), 'superseded');
    const outcomes = await Promise.all([
      bench.shard.deadLetter(leaseOf(group, topic, second!)),
      bench.shard.deadLetter(leaseOf(group, topic, second!)),
    ]);
    assert.deepEqual(outcomes.sort(), ['done', 'settled']);
    assert.equal(bench.shard.acknowledge(leaseOf(group, topic, second!)), 'settled');
    await bench.settled();
    assert.equal((await deadLetters(bench)).length, 1);
    await bench.clock.settle(bench.shard.close());
  });

  test('wait for what a late acknowledgement says, and for another number of attempts', async () => {
    const bench = new TestShard();
    await bench.open();
    const [topic, group] = [await bench.topic(), await groupOf(bench, 0)];
    send(bench, topic, 'late');
    await bench.settled();
    const [late] = await bench.receive(group, topic, { invisibleMs: 1000 });
    await groupOf(bench, 3);
    await bench.clock.advance(1100);
    const [again] = await bench.receive(group, topic, { invisibleMs: 1000 });
    assert.equal(again!.attempt, 2);
    assert.equal(bench.shard.acknowledge(leaseOf(group, topic, late!)), 'superseded');
    await bench.clock.advance(1100);
    assert.equal((await deadLetters(bench)).length, 0);
    // Fewer attempts than it has had already: it has expired, so that it goes at once.
    await groupOf(bench, 1);
    await bench.clock.advance(10);
    assert.equal((await deadLetters(bench)).length, 1);
    await bench.clock.settle(bench.shard.close());
  });

  test('keep the order of their queue: the next comes when one is out of the way', async () => {
    const bench = new TestShard();
    await bench.open();
    const topic = await bench.topic();
    const group = await groupOf(bench, 1, { consumeMessageOrderly: true });
    for (const id of ['a', 'b', 'c']) send(bench, topic, id);
    await bench.settled();
    const wish = { invisibleMs: 1000, countMax: 1 };
    for (let attempt = 1; attempt <= 2; attempt++) {
      assert.deepEqual(idsOf(await bench.receive(group, topic, wish)), ['a']);
      assert.deepEqual(await bench.receive(group, topic, wish), []);
      await bench.clock.advance(1100);
    }
    const [b] = await bench.receive(group, topic, wish);
    assert.equal(readMessageId(b!.message.system), 'b');
    assert.equal(await bench.shard.deadLetter(leaseOf(group, topic, b!)), 'done');
    await bench.settled();
    assert.deepEqual(idsOf(await bench.receive(group, topic, wish)), ['c']);
    assert.deepEqual(idsOf(await deadLetters(bench)), ['a', 'b']);
    await bench.clock.settle(bench.shard.close());
  });

  test('of dead letters stay readable and name the topic that they were taken from', async () => {
    const bench = new TestShard();
    await bench.open();
    const [topic, group] = [await bench.topic(), await groupOf(bench, 0)];
    send(bench, topic, 'one');
    await bench.settled();
    await bench.receive(group, topic, { invisibleMs: 100 });
    await bench.clock.advance(200);
    const deadTopic = bench.shard.metadata.topic('%DLQ%group')!;
    // The group itself fails again, then another one does.
    const own = await bench.receive(group, deadTopic, { invisibleMs: 100 });
    assert.deepEqual(idsOf(own), ['one']);
    await bench.clock.advance(200);
    const again = await bench.receive(group, deadTopic);
    assert.deepEqual(readDeadLetterOrigin(again[0]!.message.system), { topicName: 'topic', messageId: 'one' });
    const other = await bench.group('other');
    const [taken] = await bench.receive(other, deadTopic);
    await bench.shard.deadLetter(leaseOf(other, deadTopic, taken!));
    await bench.settled();
    const [letter] = await bench.receive(group, bench.shard.metadata.topic('%DLQ%other')!);
    assert.deepEqual(readDeadLetterOrigin(letter!.message.system), { topicName: '%DLQ%group', messageId: 'one' });
    assert.equal(bodyOf(letter!), 'body of one');
    await bench.clock.settle(bench.shard.close());
  });
});

describe('a redrive', () => {
  test('hands each dead letter back once, to its group alone, with fresh attempts', async () => {
    const bench = new TestShard();
    await bench.open();
    const [topic, group] = [await bench.topic(), await groupOf(bench, 0)];
    const other = await bench.group('other');
    send(bench, topic, 'one', { keys: ['k1'] });
    send(bench, topic, 'two', { keys: ['k2', 'k3'] }, 1);
    await bench.settled();
    for (const taken of await bench.receive(other, topic)) bench.shard.acknowledge(leaseOf(other, topic, taken));
    await bench.receive(group, topic, { invisibleMs: 100 });
    await bench.clock.advance(200);
    const dry = await bench.clock.settle(bench.shard.redrive({ ...redriveAll(group), isDryRun: true }));
    assert.deepEqual(dry.results.map(({ messageId, topicName, outcome }) => [messageId, topicName, outcome]).sort(), [
      ['one', 'topic', 'redriven'],
      ['two', 'topic', 'redriven'],
    ]);
    const some = await bench.clock.settle(bench.shard.redrive({ ...redriveAll(group), selection: { key: 'k3' } }));
    assert.deepEqual(
      some.results.map(({ messageId }) => messageId),
      ['two'],
    );
    const [two] = await bench.receive(group, topic);
    assert.deepEqual([idsOf([two!]), two!.attempt, two!.queueId], [['two'], 1, 1]);
    bench.shard.acknowledge(leaseOf(group, topic, two!));
    await bench.settled();
    await bench.crash();
    const [group2, topic2] = [bench.shard.metadata.group('group')!, bench.shard.metadata.topic('topic')!];
    const rest = await bench.clock.settle(bench.shard.redrive(redriveAll(group2)));
    assert.deepEqual(
      rest.results.map(({ messageId }) => messageId),
      ['one'],
    );
    assert.equal(rest.more, false);
    const none = await bench.clock.settle(bench.shard.redrive(redriveAll(group2)));
    assert.deepEqual(none.results, []);
    const [one] = await bench.receive(group2, topic2, { invisibleMs: 100 });
    assert.deepEqual([idsOf([one!]), one!.attempt], [['one'], 1]);
    assert.deepEqual(await bench.receive(bench.shard.metadata.group('other')!, topic2), []);
    // It fails again: a new dead letter, which can be handed back as well.
    await bench.clock.advance(200);
    const again = await bench.clock.settle(bench.shard.redrive(redriveAll(group2)));
    assert.deepEqual(
      again.results.map(({ messageId }) => messageId),
      ['one'],
    );
    await bench.clock.settle(bench.shard.close());
  });

  test('says what can not be handed back, and leaves it', async () => {
    const bench = new TestShard({ retentionMs: 5000, retentionIntervalMs: 1e9, heldAfterExpiryMs: 0 });
    await bench.open();
    const [topic, group] = [await bench.topic(), await groupOf(bench, 0)];
    const filler = await bench.topic('filler');
    send(bench, topic, 'old');
    await bench.settled();
    await bench.receive(group, topic, { invisibleMs: 4000 });
    for (let index = 0; index < 5; index++) {
      bench.shard.send({
        topic: filler,
        queueId: 0,
        tagHash: 0,
        message: { system: Buffer.alloc(0), rest: Buffer.alloc(7000) },
      });
      await bench.settled();
    }
    await bench.clock.advance(4500);
    const [letter] = await deadLetters(bench);
    assert.equal(bodyOf(letter!), 'body of old');
    await bench.clock.advance(1000);
    await bench.clock.settle(bench.shard.retain());
    assert.ok(bench.shard.queueRange(topic, 0).minOffset > 0, 'retention has taken the message from its queue');
    const page = await bench.clock.settle(bench.shard.redrive(redriveAll(group)));
    assert.deepEqual(
      page.results.map(({ outcome }) => outcome),
      ['expired'],
    );
    assert.equal(bodyOf((await deadLetters(bench))[0]!), 'body of old', 'its body is still there');
    await bench.clock.settle(bench.shard.deleteTopic('topic'));
    const gone = await bench.clock.settle(bench.shard.redrive(redriveAll(group)));
    assert.deepEqual(
      gone.results.map(({ outcome }) => outcome),
      ['topic gone'],
    );
    await bench.clock.settle(bench.shard.close());
  });
});

test('a dead letter whose body is removed while it is read is settled', async () => {
  const bench = new TestShard({ retentionIntervalMs: 1e9, heldAfterExpiryMs: 0, retentionBytes: 60_000 });
  await bench.open();
  const [topic, group, filler] = [await bench.topic(), await bench.group(), await bench.topic('filler')];
  const fill = async (count: number): Promise<void> => {
    for (let index = 0; index < count; index++) {
      const message = { system: Buffer.alloc(0), rest: Buffer.alloc(1000) };
      bench.shard.send({ topic: filler, queueId: 0, tagHash: 0, message });
      await bench.settled();
    }
  };
  const message = { system: Buffer.alloc(0), rest: Buffer.alloc(500) };
  const deliveryTimestampMs = Math.floor(bench.clock.wallMs()) + 100;
  bench.shard.sendTimed({ topic, queueId: 0, tagHash: 0, deliveryTimestampMs, message });
  await fill(40);
  await bench.clock.advance(200);
  const [delivery] = await bench.receive(group, topic);
  await fill(30);
  await bench.restart();
  const gate = Promise.withResolvers<void>();
  const open = bench.disk.open.bind(bench.disk);
  bench.disk.open = async (path, mode) => {
    const file = await open(path, mode);
    if (!path.endsWith(`/commitlog/${'0'.repeat(20)}`)) return file;
    const read = file.read.bind(file);
    file.read = async (target, position) => {
      const count = await read(target, position);
      await gate.promise;
      return count;
    };
    return file;
  };
  const { queueId, queueOffset, leaseId } = delivery!;
  const moving = bench.shard.deadLetter({ group, topic, queueId, queueOffset, leaseId });
  await bench.clock.settle(bench.shard.retain());
  assert.ok(bench.shard.statistics().logStartOffset > 0, 'the segment with the body is gone');
  gate.resolve();
  assert.equal(await bench.clock.settle(moving), 'done');
  assert.equal(bench.shard.metadata.topic('%DLQ%group'), undefined);
});
