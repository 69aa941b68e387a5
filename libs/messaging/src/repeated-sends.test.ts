import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { DEDUP_KEY_PROPERTY } from '@orbitmq/protocol';
import { Code, type Message, MessageType } from '@orbitmq/protocol/apache.rocketmq.v2';
import { idsOf, message, TestBroker } from './test-broker.ts';
import { timestampOf } from './times.ts';

describe('a message that is sent again', () => {
  let broker: TestBroker;
  before(async () => {
    broker = await TestBroker.start();
    for (const type of ['NORMAL', 'FIFO', 'DELAY', 'TRANSACTION'] as const) await broker.makeTopic(type, type, 4);
    await broker.makeTopic('other');
  });
  after(() => broker.stop());

  const entryOf = async (sent: Message) => (await broker.send(sent)).entries[0]!;
  const inTopic = (name: string) => {
    const topic = broker.shard.metadata.topic(name)!;
    return topic.queues.reduce((sum, { id }) => sum + broker.shard.queueRange(topic, id).maxOffset, 0);
  };

  test('is stored once and answered like the first, also while that is on its way', async () => {
    await broker.send(message('before', { topic: 'NORMAL' }));
    const again = () => entryOf(message('same', { topic: 'NORMAL' }));
    const [first, ...others] = await Promise.all([again(), again(), again()]);
    assert.equal(first.status?.code, Code.OK);
    for (const other of [...others, await again()]) assert.deepEqual(other, first);
    assert.equal(inTopic('NORMAL'), 2);
    const batch = await broker.send(
      message('x', { topic: 'NORMAL' }),
      message('x', { topic: 'NORMAL' }),
      message('y', { topic: 'NORMAL' }),
    );
    assert.equal(batch.status?.code, Code.OK);
    assert.equal(batch.entries[0]!.offset, batch.entries[1]!.offset);
    assert.equal(inTopic('NORMAL'), 4);
  });

  test('is another message in another topic, and after the window', async () => {
    await broker.send(message('kept', { topic: 'NORMAL' }));
    await broker.send(message('kept', { topic: 'other' }));
    assert.equal(inTopic('other'), 1);
    await broker.clock.advance(599_000);
    await broker.send(message('kept', { topic: 'other' }));
    assert.equal(inTopic('other'), 1, 'the window is not prolonged');
    await broker.clock.advance(2_000);
    await broker.send(message('kept', { topic: 'other' }));
    assert.equal(inTopic('other'), 2);
  });

  test('gets the same recall handle, and the same transaction', async () => {
    const deliveryTimestamp = timestampOf(broker.clock.wallMs() + 60_000);
    const timed = () => entryOf(message('timed', { topic: 'DELAY', system: { deliveryTimestamp } }));
    const first = await timed();
    assert.notEqual(first.recallHandle, '');
    assert.deepEqual(await timed(), first);
    const half = () =>
      entryOf(message('half', { topic: 'TRANSACTION', system: { messageType: MessageType.TRANSACTION } }));
    const opened = await half();
    assert.notEqual(opened.transactionId, '');
    assert.deepEqual(await half(), opened);
    await broker.clock.advance(61_000);
    const received = await broker.receive({ topic: 'DELAY' });
    assert.deepEqual(idsOf(received), ['timed']);
    assert.equal((await timed()).recallHandle, first.recallHandle, 'also after it was delivered');
  });

  test("is what the application's key says, whatever the ids", async () => {
    const keyed = (id: string, key: string) =>
      entryOf(message(id, { topic: 'other', properties: new Map([[DEDUP_KEY_PROPERTY, key]]) }));
    const count = inTopic('other');
    const first = await keyed('id-1', 'order-1');
    const second = await keyed('id-2', 'order-1');
    assert.deepEqual([second.offset, second.messageId], [first.offset, 'id-2']);
    assert.notEqual((await keyed('id-1', 'order-2')).offset, first.offset);
    await broker.send(message('order-1', { topic: 'other' }));
    assert.equal(inTopic('other'), count + 3, 'a key is not an id');
  });
});
