import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Code, MessageType, MessagingServiceDefinition } from '@orbitmq/protocol/apache.rocketmq.v2';
import { as, idsOf, message, resource, TestBroker } from './test-broker.ts';

let broker: TestBroker;
before(async () => {
  broker = await TestBroker.start();
});
after(() => broker.stop());

async function sendAll(topic: string, priorities: readonly number[]): Promise<void> {
  for (const [index, priority] of priorities.entries()) {
    const sent = await broker.send(message(`${index} of ${priority}`, { topic, system: { priority } }));
    assert.equal(sent.entries[0]?.status?.code, Code.OK);
  }
}

test('the highest priorities come first, and the order of one priority is that of arrival', async () => {
  await broker.makeTopic('urgent', 'PRIORITY', 4);
  await sendAll('urgent', [0, 3, 1, 2, 100, 1, 0]);
  const received = await broker.receive({ topic: 'urgent' });
  // four queues: what is above 3 counts as 3
  assert.deepEqual(idsOf(received), ['1 of 3', '4 of 100', '3 of 2', '2 of 1', '5 of 1', '0 of 0', '6 of 0']);
  assert.deepEqual(
    received.messages.map(({ systemProperties }) => systemProperties?.priority),
    [3, 100, 2, 1, 1, 0, 0],
  );
  assert.ok(received.messages.every(({ systemProperties }) => systemProperties?.messageType === MessageType.PRIORITY));
});

test('a message without priority does not fit, nor does one with priority elsewhere', async () => {
  await broker.makeTopic('only-urgent', 'PRIORITY', 2);
  await broker.makeTopic('plain', 'NORMAL', 2);
  await broker.makeTopic('mixed', 'MIXED', 2);
  for (const [topic, system] of [
    ['only-urgent', {}],
    ['only-urgent', { priority: 1, messageGroup: 'group' }],
    ['plain', { priority: 0 }],
    ['mixed', { priority: 1 }],
    ['mixed', { liteTopic: 'one' }],
  ] as const) {
    const { status } = await broker.send(message('id', { topic, system }));
    assert.equal(status?.code, Code.MESSAGE_PROPERTY_CONFLICT_WITH_TYPE, topic);
  }
  const { status } = await broker.send(message('id', { topic: 'only-urgent', system: {} }));
  assert.match(status?.message ?? '', /takes PRIORITY messages; found a NORMAL one; set a priority/);
});

test('the first message with a priority makes its topic', async () => {
  const { messageQueues } = await broker.client.unary(
    MessagingServiceDefinition,
    'queryRoute',
    { topic: resource('made-urgent'), endpoints: undefined },
    as('producer'),
  );
  assert.ok(messageQueues[0]!.acceptMessageTypes.includes(MessageType.PRIORITY));
  await sendAll('made-urgent', [1, 5]);
  assert.equal(broker.shard.metadata.topic('made-urgent')?.messageType, 'PRIORITY');
  assert.deepEqual(idsOf(await broker.receive({ topic: 'made-urgent' })), ['1 of 5', '0 of 1']);
});

test('what is not acknowledged comes again in its place', async () => {
  await broker.makeTopic('again', 'PRIORITY', 3);
  await sendAll('again', [0, 2]);
  assert.equal((await broker.receive({ topic: 'again', invisibleMs: 10_000 })).messages.length, 2);
  await broker.clock.advance(10_001);
  await sendAll('again', [1]);
  assert.deepEqual(idsOf(await broker.receive({ topic: 'again' })), ['1 of 2', '0 of 1', '0 of 0']);
});
