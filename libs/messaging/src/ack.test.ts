import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { Code } from '@orbitmq/protocol/apache.rocketmq.v2';
import { as, handleOf, idsOf, message, TestBroker } from './test-broker.ts';

const RUST = as('rust', { 'x-mq-language': 'RUST' });
const PYTHON = as('python', { 'x-mq-language': 'PYTHON' });

let broker: TestBroker;
let topic = '';
let topicNumber = 0;
before(async () => {
  broker = await TestBroker.start();
});
after(() => broker.stop());
/** Messages that the topic has been sent. */
let sentCount = 0;
beforeEach(async () => {
  sentCount = 0;
  topic = `t${topicNumber++}`;
  await broker.makeTopic(topic);
});

/** Sends and receives messages; gives their handles. */
async function handles(count: number, invisibleMs = 10_000): Promise<string[]> {
  for (let index = 0; index < count; index++) await broker.send(message(`m${sentCount++}`, { topic }));
  const received = await broker.receiveLater({ topic, invisibleMs });
  assert.equal(received.messages.length, count);
  return received.messages.map(handleOf);
}

/** Whether nothing is left for the group, now and after all leases have ended. */
async function isDrained(): Promise<boolean> {
  await broker.clock.advance(60_000);
  return (await broker.receive({ topic, pollingMs: 5_000 })).status.code === Code.MESSAGE_NOT_FOUND;
}

test('what is acknowledged never comes again; a second ack is as good', async () => {
  const all = await handles(3);
  const acked = await broker.ack(all, { topic });
  assert.equal(acked.status?.code, Code.OK);
  assert.deepEqual(
    acked.entries.map(({ receiptHandle }) => receiptHandle),
    all,
  );
  assert.deepEqual(
    acked.entries.map(({ messageId, status }) => [messageId, status?.code]),
    [
      ['m0', Code.OK],
      ['m1', Code.OK],
      ['m2', Code.OK],
    ],
  );
  assert.equal((await broker.ack(all, { topic })).status?.code, Code.OK);
  assert.ok(await isDrained());
});

test('a lease that has ended still acknowledges, until the message is handed out again', async () => {
  const [first] = await handles(1);
  await broker.clock.advance(11_000);
  assert.equal((await broker.ack([first!], { topic })).status?.code, Code.OK);
  assert.ok(await isDrained());

  const [stale] = await handles(1);
  await broker.clock.advance(11_000);
  const again = await broker.receiveLater({ topic });
  assert.equal(again.messages[0]!.systemProperties!.deliveryAttempt, 2);
  for (const options of [RUST, PYTHON]) {
    assert.equal((await broker.ack([stale!], { topic, options })).status?.code, Code.OK);
  }
  const refused = await broker.ack(['none', stale!, handleOf(again.messages[0]!)], { topic });
  assert.equal(refused.status?.code, Code.MULTIPLE_RESULTS);
  assert.deepEqual(
    refused.entries.map(({ status }) => status?.code),
    [Code.INVALID_RECEIPT_HANDLE, Code.INVALID_RECEIPT_HANDLE, Code.OK],
  );
  assert.ok(await isDrained());
});

test('a handle is good for its own group and topic only', async () => {
  const [own] = await handles(1);
  await broker.makeTopic('elsewhere');
  await broker.makeGroup('strangers');
  for (const wish of [
    { topic: 'elsewhere' },
    { topic, group: 'strangers' },
    { topic: 'nowhere' },
    { topic, group: 'nobody' },
  ]) {
    for (const answer of [await broker.ack([own!], wish), await broker.changeInvisible(own!, 0, wish)]) {
      assert.equal(answer.status?.code, Code.INVALID_RECEIPT_HANDLE, JSON.stringify(wish));
    }
  }
  assert.equal((await broker.ack([own!], { topic })).status?.code, Code.OK);
});

test('forged and mutilated handles touch nothing', async () => {
  const [own] = await handles(1);
  const forged = [
    '',
    'x',
    own!.slice(0, -1),
    `${own}A`,
    `B${own!.slice(1)}`,
    'A'.repeat(100_000),
    '\u0000',
    '1 2 3 4 5 broker-a 0 0 0',
  ];
  for (let index = 0; index < own!.length; index++) {
    forged.push(`${own!.slice(0, index)}${own![index] === 'A' ? 'B' : 'A'}${own!.slice(index + 1)}`);
  }
  const answer = await broker.ack(forged, { topic });
  assert.equal(answer.status?.code, Code.INVALID_RECEIPT_HANDLE);
  for (const { status } of answer.entries) assert.equal(status?.code, Code.INVALID_RECEIPT_HANDLE);
  for (const options of [RUST, PYTHON]) {
    assert.equal((await broker.ack(forged, { topic, options })).status?.code, Code.INVALID_RECEIPT_HANDLE);
  }
  await broker.clock.advance(11_000);
  assert.deepEqual(idsOf(await broker.receiveLater({ topic })), ['m0']);
});

test('an ack is checked as a whole first', async () => {
  const [own] = await handles(1);
  const cases = [
    [Code.ILLEGAL_TOPIC, { topic: '' }],
    [Code.ILLEGAL_TOPIC, { topic: 'a b' }],
    [Code.ILLEGAL_CONSUMER_GROUP, { topic, group: '' }],
    [Code.CLIENT_ID_REQUIRED, { topic, options: as('') }],
  ] as const;
  for (const [code, wish] of cases) {
    assert.equal((await broker.ack([own!], wish)).status?.code, code);
    assert.equal((await broker.changeInvisible(own!, 0, wish)).status?.code, code);
  }
  assert.equal((await broker.ack([], { topic })).status?.code, Code.BAD_REQUEST);
  assert.equal((await broker.ack(new Array(4_097).fill(own), { topic })).status?.code, Code.BAD_REQUEST);
});

test('a changed invisible time gives a new handle and voids the old one', async () => {
  const [first] = await handles(1);
  const changed = await broker.changeInvisible(first!, 20_000, { topic });
  assert.equal(changed.status?.code, Code.OK);
  assert.notEqual(changed.receiptHandle, first);
  assert.equal((await broker.ack([first!], { topic })).status?.code, Code.INVALID_RECEIPT_HANDLE);
  assert.equal((await broker.changeInvisible(first!, 0, { topic })).status?.code, Code.INVALID_RECEIPT_HANDLE);
  const forgiven = await broker.changeInvisible(first!, 0, { topic, options: RUST });
  assert.deepEqual([forgiven.status?.code, forgiven.receiptHandle], [Code.OK, first]);

  await broker.clock.advance(15_000);
  const receiving = broker.receiveLater({ topic });
  await broker.until(() => broker.service.gauges().waitingPolls === 1);
  const again = await broker.run(receiving);
  assert.equal(again.messages[0]!.systemProperties!.deliveryAttempt, 2);
});

test('0 makes a message visible at once', async () => {
  const [first] = await handles(1, 3_600_000);
  assert.equal((await broker.changeInvisible(first!, 0, { topic })).status?.code, Code.OK);
  assert.deepEqual(idsOf(await broker.receive({ topic })), ['m0']);
});

test('invisible times outside of 0 to 12 h are refused', async () => {
  const [first] = await handles(1);
  for (const invisibleMs of [-1, -1_000, 12 * 3_600_000 + 1, 1e15]) {
    const answer = await broker.changeInvisible(first!, invisibleMs, { topic });
    assert.equal(answer.status?.code, Code.ILLEGAL_INVISIBLE_TIME, String(invisibleMs));
  }
  assert.equal((await broker.changeInvisible(first!, 12 * 3_600_000, { topic })).status?.code, Code.OK);
});

test('what was acknowledged can not be made visible again', async () => {
  const [first] = await handles(1);
  await broker.ack([first!], { topic });
  const answer = await broker.changeInvisible(first!, 0, { topic });
  assert.equal(answer.status?.code, Code.INVALID_RECEIPT_HANDLE);
  assert.match(answer.status!.message, /acknowledged already/);
  assert.ok(await isDrained());
});

test('handles of a deleted topic are void, for good', async () => {
  const [first] = await handles(1);
  await broker.shard.deleteTopic(topic);
  assert.equal((await broker.ack([first!], { topic })).status?.code, Code.INVALID_RECEIPT_HANDLE);
  assert.equal((await broker.ack([first!], { topic, options: RUST })).status?.code, Code.OK);
  await broker.makeTopic(topic);
  await handles(1);
  assert.equal((await broker.ack([first!], { topic })).status?.code, Code.INVALID_RECEIPT_HANDLE);
});
