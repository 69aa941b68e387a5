import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  Code,
  MessageType,
  MessagingServiceDefinition,
  RecallMessageRequest,
  type RecallMessageResponse,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Timestamp } from '@orbitmq/protocol/google.protobuf';
import { as, idsOf, message, resource, TestBroker } from './test-broker.ts';
import { timestampOf } from './times.ts';

const YEAR_MS = 365 * 24 * 3_600_000;

let broker: TestBroker;
before(async () => {
  broker = await TestBroker.start();
  await broker.makeTopic('orders');
  await broker.makeTopic('later', 'DELAY', 2);
});
after(() => broker.stop());

const fromNow = (ms: number): Timestamp => timestampOf(Math.floor(broker.clock.wallMs()) + ms);

async function send(id: string, afterMs: number, topic = 'later', at: TestBroker = broker): Promise<string> {
  const sent = await at.send(message(id, { topic, system: { deliveryTimestamp: fromNow(afterMs) } }));
  assert.equal(sent.status?.code, Code.OK, sent.status?.message);
  assert.equal(sent.entries.length, 1);
  return sent.entries[0]!.recallHandle;
}

function recall(recallHandle: string, topic = 'later', at: TestBroker = broker): Promise<RecallMessageResponse> {
  const request = { ...RecallMessageRequest.decode(new Uint8Array()), topic: resource(topic), recallHandle };
  return at.client.unary(MessagingServiceDefinition, 'recallMessage', request, as('producer'));
}

test('a timed message comes at its time, and shows it', async () => {
  const deliveryTimestamp = fromNow(700);
  await broker.send(message('timed', { topic: 'later', system: { deliveryTimestamp, tag: 'a', keys: ['k'] } }));
  const topic = broker.shard.metadata.topic('later')!;
  assert.equal(broker.shard.timerCount(topic), 1);
  await broker.clock.advance(600);
  assert.equal(broker.shard.timerCount(topic), 1);
  await broker.clock.advance(110);
  const { messages } = await broker.receive({ topic: 'later', tags: 'a' });
  const system = messages[0]?.systemProperties;
  assert.deepEqual(
    [system?.messageId, system?.tag, system?.keys, system?.deliveryTimestamp, system?.messageType],
    ['timed', 'a', ['k'], deliveryTimestamp, MessageType.DELAY],
  );
  assert.equal(Buffer.from(messages[0]!.body).toString(), 'body of timed');
  await broker.ack([system!.receiptHandle!], { topic: 'later' });
});

test('one that is due already comes at once and can not be recalled', async () => {
  assert.equal(await send('past', -5000), '');
  const received = await broker.receive({ topic: 'later' });
  assert.deepEqual(idsOf(received), ['past']);
  assert.ok(received.messages[0]?.systemProperties?.deliveryTimestamp);
  await broker.ack([received.messages[0]!.systemProperties!.receiptHandle!], { topic: 'later' });
});

test('a recalled message never comes', async () => {
  const [kept, recalled] = [await send('kept', 900), await send('recalled', 900)];
  assert.notEqual(kept, recalled);
  const answer = await recall(recalled);
  assert.deepEqual([answer.status?.code, answer.messageId], [Code.OK, 'recalled']);
  assert.equal((await recall(recalled)).status?.code, Code.BAD_REQUEST);
  await broker.clock.advance(1000);
  const received = await broker.receive({ topic: 'later' });
  assert.deepEqual(idsOf(received), ['kept']);
  assert.equal((await recall(kept)).status?.code, Code.BAD_REQUEST);
  await broker.ack([received.messages[0]!.systemProperties!.receiptHandle!], { topic: 'later' });
});

test('years ahead are no problem', async () => {
  const handle = await send('far', 300 * YEAR_MS);
  assert.equal((await recall(handle)).status?.code, Code.OK);
});

test('what is no handle of this topic recalls nothing', async () => {
  const handle = await send('stays', YEAR_MS);
  await broker.makeTopic('later2', 'DELAY');
  for (const [code, text, topic] of [
    ['BAD_REQUEST', '', 'later'],
    ['BAD_REQUEST', 'v1 later broker-a 1 stays', 'later'],
    ['BAD_REQUEST', `${handle}A`, 'later'],
    ['BAD_REQUEST', handle, 'later2'],
    ['MESSAGE_PROPERTY_CONFLICT_WITH_TYPE', handle, 'orders'],
    ['TOPIC_NOT_FOUND', handle, 'nowhere'],
    ['ILLEGAL_TOPIC', handle, ''],
  ] as const) {
    const { status } = await recall(text, topic);
    assert.equal(status?.code, Code[code], status?.message);
  }
  assert.equal((await recall(handle)).status?.code, Code.OK);
});

test('recalls can be switched off; a first timed message makes a topic', async () => {
  const strict = await TestBroker.start({ recallMessageEnable: false });
  try {
    const handle = await send('auto', 100_000, 'made', strict);
    assert.equal(strict.shard.metadata.topic('made')?.messageType, 'DELAY');
    assert.equal((await recall(handle, 'made', strict)).status?.code, Code.FORBIDDEN);
  } finally {
    await strict.stop();
  }
});
