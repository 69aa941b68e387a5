import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { Code, MessagingServiceDefinition, Permission } from '@orbitmq/protocol/apache.rocketmq.v2';
import { as, handleOf, idsOf, message, type Received, resource, TestBroker } from './test-broker.ts';

const RUST = as('rust', { 'x-mq-language': 'RUST' });

let broker: TestBroker;
let topic = '';
let group = '';
let number = 0;
before(async () => {
  broker = await TestBroker.start();
});
after(() => broker.stop());
beforeEach(async () => {
  topic = `t${++number}`;
  group = `g${number}`;
  await broker.makeTopic(topic, 'FIFO');
});

async function sendAll(...ids: string[]): Promise<void> {
  for (const id of ids) {
    const sent = await broker.send(message(id, { topic, system: { messageGroup: 'one', tag: 'T', keys: ['k'] } }));
    assert.equal(sent.status?.code, Code.OK, sent.status?.message);
  }
}

function receive(wish: { topic?: string; group?: string; batchSize?: number } = {}): Promise<Received> {
  return broker.receive({ topic, group, invisibleMs: 10_000, pollingMs: 5_000, ...wish });
}

test('a consumer hands a message over; it can be read with its origin, and its queue goes on', async () => {
  await broker.makeGroup(group, { consumeMessageOrderly: true });
  await sendAll('poison', 'next');
  const [poison] = (await receive({ batchSize: 1 })).messages;
  assert.equal((await receive()).status.code, Code.MESSAGE_NOT_FOUND);
  const before = await receive({ topic: `%DLQ%${group}` });
  assert.equal(before.status.code, Code.TOPIC_NOT_FOUND, before.status.message);
  assert.equal((await broker.forward(handleOf(poison!), { topic, group })).status?.code, Code.OK);
  assert.deepEqual(idsOf(await receive()), ['next']);
  const [letter] = (await receive({ topic: `%DLQ%${group}`, group: 'reader' })).messages;
  assert.equal(letter!.topic?.name, `%DLQ%${group}`);
  assert.deepEqual(letter!.systemProperties?.deadLetterQueue, { topic, messageId: 'poison' });
  assert.equal(letter!.systemProperties?.messageId, 'poison');
  assert.equal(letter!.systemProperties?.deliveryAttempt, 1);
  assert.equal(letter!.systemProperties?.tag, 'T');
  assert.equal(Buffer.from(letter!.body).toString(), 'body of poison');
  const acked = await broker.ack([handleOf(letter!)], { topic: `%DLQ%${group}`, group: 'reader' });
  assert.equal(acked.status?.code, Code.OK, acked.status?.message);
});

test('the call is repeated without harm, and a stale handle is answered with OK: clients would never stop', async () => {
  await broker.makeGroup(group);
  await sendAll('one');
  const [first] = (await receive()).messages;
  await broker.clock.advance(11_000);
  const [second] = (await receive()).messages;
  for (const options of [as('consumer'), RUST]) {
    assert.equal((await broker.forward(handleOf(first!), { topic, group, options })).status?.code, Code.OK);
  }
  assert.equal(broker.shard.metadata.topic(`%DLQ%${group}`), undefined, 'a stale handle moves nothing');
  for (let round = 0; round < 2; round++) {
    assert.equal((await broker.forward(handleOf(second!), { topic, group })).status?.code, Code.OK);
  }
  assert.equal((await broker.ack([handleOf(second!)], { topic, group })).status?.code, Code.OK);
  assert.deepEqual(idsOf(await receive({ topic: `%DLQ%${group}`, group: 'reader2' })), ['one']);
  await broker.clock.advance(60_000);
  assert.equal((await receive()).status.code, Code.MESSAGE_NOT_FOUND);
});

test('forged handles and those of others are refused', async () => {
  await broker.makeGroup(group);
  await broker.makeGroup('stranger');
  await sendAll('one');
  const [one] = (await receive()).messages;
  const handle = handleOf(one!);
  const forged = `${handle.slice(0, -2)}${handle.endsWith('A') ? 'B' : 'A'}A`;
  for (const [text, of] of [
    [forged, group],
    ['', group],
    [handle, 'stranger'],
  ] as const) {
    const { status } = await broker.forward(text, { topic, group: of });
    assert.equal(status?.code, Code.INVALID_RECEIPT_HANDLE, status?.message);
  }
  assert.equal((await broker.forward(handle, { topic, group: '' })).status?.code, Code.ILLEGAL_CONSUMER_GROUP);
  assert.equal((await broker.forward(handle, { topic: '', group })).status?.code, Code.ILLEGAL_TOPIC);
  assert.equal(broker.shard.metadata.topic(`%DLQ%${group}`), undefined);
  assert.equal((await broker.ack([handle], { topic, group })).status?.code, Code.OK);
});

test('without retries the first failed delivery is the last', async () => {
  await broker.makeGroup(group, { retryMaxTimes: 0 });
  await sendAll('one');
  const [one] = (await receive()).messages;
  await broker.changeInvisible(handleOf(one!), 0, { topic, group });
  assert.equal((await receive()).status.code, Code.MESSAGE_NOT_FOUND);
  const letters = await receive({ topic: `%DLQ%${group}`, group: 'reader4' });
  assert.deepEqual(idsOf(letters), ['one']);
});

test('dead letters are no topic to send to; their route can be read', async () => {
  await broker.makeGroup(group);
  await sendAll('one');
  const [one] = (await receive()).messages;
  assert.equal((await broker.send(message('no', { topic: `%DLQ%${group}` }))).status?.code, Code.ILLEGAL_TOPIC);
  await broker.forward(handleOf(one!), { topic, group });
  assert.equal((await broker.send(message('no', { topic: `%DLQ%${group}` }))).status?.code, Code.ILLEGAL_TOPIC);
  const route = await broker.client.unary(
    MessagingServiceDefinition,
    'queryRoute',
    { topic: resource(`%DLQ%${group}`), endpoints: undefined },
    as('reader'),
  );
  assert.deepEqual(
    route.messageQueues.map(({ id, permission }) => [id, permission]),
    [[0, Permission.READ]],
  );
});
