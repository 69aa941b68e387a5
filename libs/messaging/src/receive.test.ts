import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { MIB } from '@orbitmq/base';
import {
  Code,
  type FilterType,
  MessagingServiceDefinition,
  NotifyClientTerminationRequest,
  ReceiveMessageRequest,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import { MESSAGING_DEFAULTS } from './config.ts';
import { as, handleOf, idsOf, message, type ReceiveWish, resource, TestBroker } from './test-broker.ts';

let broker: TestBroker;
let topic = '';
let topicNumber = 0;
before(async () => {
  broker = await TestBroker.start();
});
after(() => broker.stop());
beforeEach(async () => {
  topic = `t${topicNumber++}`;
  await broker.makeTopic(topic, 'NORMAL', 4);
});

const send = async (...ids: string[]): Promise<void> => {
  for (const id of ids) await broker.send(message(id, { topic }));
};

test('what is there comes at once, over all queues: status, messages, delivery timestamp', async () => {
  await send('a', 'b', 'c', 'd', 'e');
  const received = await broker.receiveLater({ topic });
  assert.equal(received.status.code, Code.OK);
  assert.deepEqual(idsOf(received).sort(), ['a', 'b', 'c', 'd', 'e']);
  assert.equal(received.deliveryTimestampCount, 1);
  const ofTwo = [
    await broker.receiveLater({ topic, group: 'other', batchSize: 2 }),
    await broker.receiveLater({ topic, group: 'other', batchSize: 99 }),
  ];
  assert.equal(ofTwo[0]!.messages.length, 2);
  assert.deepEqual(ofTwo.flatMap(idsOf).sort(), ['a', 'b', 'c', 'd', 'e']);
});

test('an empty receive waits for its polling time, and says so', async () => {
  const startMs = broker.clock.monotonicMs();
  const received = await broker.receive({ topic, pollingMs: 8_000 });
  assert.equal(received.status.code, Code.MESSAGE_NOT_FOUND);
  assert.deepEqual(received.messages, []);
  assert.equal(received.deliveryTimestampCount, 1);
  const tookMs = broker.clock.monotonicMs() - startMs;
  assert.ok(tookMs >= 8_000 && tookMs < 9_000, String(tookMs));
});

test('a waiting receive gets a message as soon as it comes', async () => {
  const receiving = broker.receiveLater({ topic });
  await broker.until(() => broker.service.gauges().waitingPolls === 1);
  await send('late');
  assert.deepEqual(idsOf(await receiving), ['late']);
  assert.equal(broker.service.gauges().waitingPolls, 0);
});

test('a receive may wait for a topic that its first message makes', async () => {
  const receiving = broker.receiveLater({ topic: 'not-yet' });
  await broker.until(() => broker.service.gauges().waitingPolls === 1);
  await broker.send(message('first', { topic: 'not-yet' }));
  assert.deepEqual(idsOf(await receiving), ['first']);
});

test('what is not acknowledged comes again after its invisible time, with a raised attempt', async () => {
  await send('a');
  assert.deepEqual(idsOf(await broker.receiveLater({ topic, invisibleMs: 10_000 })), ['a']);
  await broker.clock.advance(9_900);
  const receiving = broker.receiveLater({ topic, invisibleMs: 10_000 });
  await broker.until(() => broker.service.gauges().waitingPolls === 1);
  const again = await broker.run(receiving);
  assert.deepEqual(idsOf(again), ['a']);
  assert.equal(again.messages[0]!.systemProperties!.deliveryAttempt, 2);
});

test('tags choose messages; the others are passed over', async () => {
  for (const [id, tag] of [
    ['a', 'red'],
    ['b', 'green'],
    ['c', undefined],
    ['d', 'Aa'],
    ['e', 'BB'],
  ] as const) {
    await broker.send(message(id, { topic, system: { tag } }));
  }
  assert.deepEqual(idsOf(await broker.receiveLater({ topic, tags: 'red || Aa' })).sort(), ['a', 'd']);
  assert.deepEqual(idsOf(await broker.receiveLater({ topic, group: 'g2', tags: '*' })).length, 5);
});

test('an ordered group gets one batch of a queue at a time, and the same again for the same attempt', async () => {
  await broker.makeGroup('ordered', { consumeMessageOrderly: true });
  await broker.makeTopic('steps', 'FIFO', 2);
  for (const id of ['1', '2', '3']) await broker.send(message(id, { topic: 'steps', system: { messageGroup: 'g' } }));
  const wish: ReceiveWish = { topic: 'steps', group: 'ordered', batchSize: 2, pollingMs: 5_000, autoRenew: true };
  const first = await broker.receive({ ...wish, attemptId: 'one' });
  assert.deepEqual(idsOf(first), ['1', '2']);
  assert.equal((await broker.receive({ ...wish, attemptId: 'two' })).status.code, Code.MESSAGE_NOT_FOUND);
  const repeated = await broker.receive({ ...wish, attemptId: 'one' });
  assert.deepEqual(idsOf(repeated), ['1', '2']);
  assert.deepEqual(repeated.messages.map(handleOf), first.messages.map(handleOf));
  assert.equal(repeated.messages[0]!.systemProperties!.deliveryAttempt, 1);
  const acked = await broker.ack(first.messages.map(handleOf), { topic: 'steps', group: 'ordered' });
  assert.equal(acked.status?.code, Code.OK);
  assert.deepEqual(idsOf(await broker.receive({ ...wish, attemptId: 'three' })), ['3']);
});

test('a wrong receive is told so, a second later', async () => {
  await broker.makeGroup('disabled', { consumeEnable: false });
  await broker.makeTopic('writeonly', 'NORMAL', 1, 2);
  const cases: readonly (readonly [keyof typeof Code, ReceiveWish])[] = [
    ['ILLEGAL_TOPIC', { topic: '' }],
    ['ILLEGAL_TOPIC', { topic: 'a b' }],
    ['ILLEGAL_TOPIC', { topic: 'TBW102' }],
    ['TOPIC_NOT_FOUND', { topic: 'a|b' }],
    ['ILLEGAL_CONSUMER_GROUP', { group: '' }],
    ['ILLEGAL_CONSUMER_GROUP', { group: 'x'.repeat(121) }],
    ['ILLEGAL_CONSUMER_GROUP', { group: 'CID_RMQ_SYS_x' }],
    ['FORBIDDEN', { group: 'disabled' }],
    ['FORBIDDEN', { topic: 'writeonly' }],
    ['ILLEGAL_INVISIBLE_TIME', { invisibleMs: 9_999 }],
    ['ILLEGAL_INVISIBLE_TIME', { invisibleMs: 12 * 3_600_000 + 1 }],
    ['ILLEGAL_FILTER_EXPRESSION', { tags: '||' }],
    ['BAD_REQUEST', { batchSize: -1 }],
    ['BAD_REQUEST', { attemptId: 'x'.repeat(257) }],
  ];
  for (const [code, wish] of cases) {
    const startMs = broker.clock.monotonicMs();
    const received = await broker.receive({ topic, ...wish });
    assert.equal(received.status.code, Code[code], `${code}: ${received.status.message}`);
    assert.equal(received.deliveryTimestampCount, 1);
    assert.ok(broker.clock.monotonicMs() - startMs >= 1_000, `${code} was answered at once`);
  }
  const noClient = await broker.receive({ topic }, as(''));
  assert.equal(noClient.status.code, Code.CLIENT_ID_REQUIRED);
});

test('a wrong invisible time is named in the words of the original', async () => {
  const short = await broker.receive({ topic, invisibleMs: 9_999 });
  assert.equal(
    short.status.message,
    'the invisibleTime is too small: it is 10000 to 43200000 ms; found 9999 ms; set one in this range',
  );
  const long = await broker.receive({ topic, invisibleMs: 43_200_001 });
  assert.match(long.status.message, /^the invisibleTime is too large: .* found 43200001 ms/);
});

test('filters of unknown types are refused', async () => {
  for (const type of [3 as FilterType, 9 as FilterType]) {
    const request = {
      ...ReceiveMessageRequest.decode(new Uint8Array()),
      group: resource('group'),
      messageQueue: {
        topic: resource(topic),
        id: 0,
        permission: 4,
        broker: undefined,
        acceptMessageTypes: [],
      } as const,
      filterExpression: { type, expression: 'a = 1' },
      batchSize: 1,
      autoRenew: true,
    };
    const answers = broker.client.serverStream(
      MessagingServiceDefinition,
      'receiveMessage',
      { ...request, messageQueue: { ...request.messageQueue, acceptMessageTypes: [] } },
      as('consumer'),
    );
    const codes: number[] = [];
    const reading = (async () => {
      for await (const { status } of answers) if (status) codes.push(status.code);
    })();
    await broker.run(reading);
    assert.deepEqual(codes, [Code.ILLEGAL_FILTER_EXPRESSION]);
  }
});

test('a deadline that leaves too little time is refused, a long one cut', async () => {
  const short = await broker.receive({ topic }, { ...as('consumer'), timeoutMs: 3_000 });
  assert.equal(short.status.code, Code.ILLEGAL_POLLING_TIME);
  const startMs = broker.clock.monotonicMs();
  const received = await broker.receive({ topic }, { ...as('consumer'), timeoutMs: 10_000 });
  assert.equal(received.status.code, Code.MESSAGE_NOT_FOUND);
  assert.ok(broker.clock.monotonicMs() - startMs <= 9_700);
});

test('what a vanished client was to get is there for the next a second later', async () => {
  const cancel = new AbortController();
  const receiving = broker.receiveLater({ topic }, { ...as('gone'), signal: cancel.signal });
  await broker.until(() => broker.service.gauges().waitingPolls === 1);
  cancel.abort();
  await assert.rejects(receiving);
  await broker.until(() => broker.service.gauges().waitingPolls === 0);
  await send('a');
  assert.deepEqual(idsOf(await broker.receiveLater({ topic })), ['a']);
});

test('polls end when their client says that it is gone', async () => {
  const receiving = broker.receiveLater({ topic }, as('leaver'));
  await broker.until(() => broker.service.gauges().waitingPolls === 1);
  await broker.client.unary(
    MessagingServiceDefinition,
    'notifyClientTermination',
    NotifyClientTerminationRequest.decode(new Uint8Array()),
    as('leaver'),
  );
  assert.equal((await receiving).status.code, Code.MESSAGE_NOT_FOUND);
});

test('a deleted topic ends the polls on it', async () => {
  const receiving = broker.receiveLater({ topic });
  await broker.until(() => broker.service.gauges().waitingPolls === 1);
  await broker.shard.deleteTopic(topic);
  const received = await broker.run(receiving);
  // the next first message would make it anew, so it is waited for
  assert.equal(received.status.code, Code.MESSAGE_NOT_FOUND);
});

test('too many polls of a client are turned away; others are served', async () => {
  const limited = await TestBroker.start({
    limits: { ...MESSAGING_DEFAULTS.limits, pollsPerClientMax: 2, pollsMax: 3 },
  });
  try {
    await limited.makeTopic('orders');
    const waiting = [limited.receiveLater({}, as('one')), limited.receiveLater({}, as('one'))];
    await limited.until(() => limited.service.gauges().waitingPolls === 2);
    const refused = limited.receiveLater({}, as('one'));
    await limited.clock.advance(0);
    waiting.push(limited.receiveLater({}, as('two')));
    await limited.until(() => limited.service.gauges().waitingPolls === 3);
    const full = await limited.run(refused);
    assert.equal(full.status.code, Code.TOO_MANY_REQUESTS);
    assert.match(full.status.message, /polling full/);
    await limited.run(Promise.all(waiting));
    assert.equal(limited.service.gauges().waitingPolls, 0);
  } finally {
    await limited.stop();
  }
});

test('a message that is too large for a client does not keep the others from it', async () => {
  const large = new Uint8Array(4 * MIB);
  await broker.send(message('large', { topic, body: large }));
  await send('small');
  const node = as('node', { 'x-mq-language': 'HTTP' });
  const first = await broker.receiveLater({ topic, invisibleMs: 10_000 }, node);
  const second = first.messages.length > 0 ? first : await broker.receiveLater({ topic }, node);
  assert.deepEqual(idsOf(second), ['small']);
  await broker.clock.advance(10_000);
  const java = await broker.receive({ topic });
  assert.deepEqual(idsOf(java), ['large']);
  assert.equal(java.messages[0]!.body.length, 4 * MIB);
});

test('a consumer that stops reading is cut, and its messages are given to others', async () => {
  // more than a client's library reads ahead
  const ids = Array.from({ length: 32 }, (_, index) => `m${index}`);
  for (const id of ids) await broker.send(message(id, { topic, body: new Uint8Array(MIB / 10) }));
  const answers = broker.client
    .serverStream(
      MessagingServiceDefinition,
      'receiveMessage',
      broker.receiveRequest({ topic, invisibleMs: 3_600_000 }),
      as('stuck'),
    )
    [Symbol.asyncIterator]();
  assert.equal((await answers.next()).value?.status?.code, Code.OK);
  let received = await broker.receive({ topic });
  for (let polls = 0; received.messages.length === 0 && polls < 10; polls++) received = await broker.receive({ topic });
  assert.deepEqual(idsOf(received).sort(), ids.sort());
  await answers.return?.();
});

test('polls are answered when the broker stops', async () => {
  const stopping = await TestBroker.start();
  await stopping.makeTopic('orders');
  const receiving = stopping.receiveLater();
  await stopping.until(() => stopping.service.gauges().waitingPolls === 1);
  const drained = stopping.drain();
  assert.equal((await receiving).status.code, Code.MESSAGE_NOT_FOUND);
  stopping.client.close();
  await drained;
  await stopping.stop();
});
