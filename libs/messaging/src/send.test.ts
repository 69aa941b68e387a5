import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import {
  Code,
  DigestType,
  Encoding,
  MessageType,
  MessagingServiceDefinition,
  SendMessageRequest,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import { as, idsOf, type MessageWish, message, TestBroker } from './test-broker.ts';
import { timestampOf } from './times.ts';

let broker: TestBroker;
before(async () => {
  broker = await TestBroker.start();
  await broker.makeTopic('orders', 'NORMAL', 4);
  await broker.makeTopic('steps', 'FIFO', 4);
  await broker.makeTopic('readonly', 'NORMAL', 1, 4);
});
after(() => broker.stop());

test('a message is stored and delivered as it was sent, with what the server knows of it', async () => {
  const body = Buffer.from('hello');
  await broker.makeTopic('whole');
  const sent = await broker.send(
    message('id-1', {
      topic: 'whole',
      body,
      properties: new Map([
        ['__proto__', 'x'],
        ['constructor', 'y'],
        ['größe', '1'],
      ]),
      system: { tag: 'a', keys: ['k1', 'k2'], traceContext: 'trace', bornTimestamp: timestampOf(1_234_567) },
    }),
  );
  assert.equal(sent.status?.code, Code.OK);
  assert.deepEqual(
    sent.entries.map(({ status, messageId, offset }) => [status?.code, messageId, offset]),
    [[Code.OK, 'id-1', 0n]],
  );

  const { messages } = await broker.receive({ topic: 'whole' });
  const [received] = messages;
  assert.ok(received?.systemProperties);
  assert.deepEqual(Buffer.from(received.body), body);
  assert.equal(received.topic?.name, 'whole');
  assert.deepEqual(
    [...received.userProperties],
    [
      ['__proto__', 'x'],
      ['constructor', 'y'],
      ['größe', '1'],
    ],
  );
  const system = received.systemProperties;
  assert.deepEqual(
    [system.tag, system.keys, system.messageId, system.traceContext],
    ['a', ['k1', 'k2'], 'id-1', 'trace'],
  );
  assert.deepEqual([system.bodyEncoding, system.messageType], [Encoding.IDENTITY, MessageType.NORMAL]);
  assert.equal(system.bodyDigest?.type, DigestType.MD5);
  assert.equal(system.bodyDigest?.checksum, createHash('md5').update(body).digest('hex').toUpperCase());
  assert.deepEqual(system.bornTimestamp, timestampOf(1_234_567));
  assert.deepEqual([system.bornHost, system.storeHost], ['client-host', '127.0.0.1:10911']);
  assert.deepEqual([system.queueId, system.queueOffset, system.deliveryAttempt], [0, 0n, 1]);
  assert.ok(system.storeTimestamp!.seconds >= 1_700_000_000n);
  assert.ok(system.receiptHandle);
  assert.equal(system.invisibleDuration, undefined);
});

test('a message that does not say where it was made has the host of its client, also of one behind a relay', async () => {
  await broker.makeTopic('hosts');
  for (const [address, host] of [
    [undefined, '127.0.0.1'],
    ['192.0.2.7:5000', '192.0.2.7'],
    ['[2001:db8::7]:5000', '2001:db8::7'],
  ] as const) {
    const headers = address === undefined ? {} : { 'x-orbitmq-client-address': address };
    const messages = [message(`from ${host}`, { topic: 'hosts', system: { bornHost: '' } })];
    await broker.client.unary(
      MessagingServiceDefinition,
      'sendMessage',
      { ...SendMessageRequest.decode(new Uint8Array()), messages },
      as('producer', headers),
    );
    const { messages: received } = await broker.receive({ topic: 'hosts' });
    assert.equal(received[0]?.systemProperties?.bornHost, host);
  }
});

test('messages of one topic may come in one call: an entry each, in order', async () => {
  const batch = Array.from({ length: 10 }, (_, index) =>
    message(`b-${index}`, { topic: 'steps', system: { messageGroup: 'g' } }),
  );
  const sent = await broker.send(...batch);
  assert.equal(sent.status?.code, Code.OK);
  assert.deepEqual(
    sent.entries.map(({ messageId }) => messageId),
    batch.map((_, index) => `b-${index}`),
  );
  assert.deepEqual(
    sent.entries.map(({ offset }) => Number(offset)),
    batch.map((_, index) => index),
  );
  const received = await broker.receive({ topic: 'steps' });
  assert.deepEqual(
    idsOf(received),
    batch.map((_, index) => `b-${index}`),
  );
});

test('messages without a group go to all queues, the same message group to one', async () => {
  await broker.makeTopic('spread', 'NORMAL', 4);
  for (let index = 0; index < 8; index++) await broker.send(message(`s-${index}`, { topic: 'spread' }));
  const topic = broker.shard.metadata.topic('spread')!;
  assert.deepEqual(
    [0, 1, 2, 3].map((queueId) => broker.shard.queueRange(topic, queueId).maxOffset),
    [2, 2, 2, 2],
  );
  await broker.makeTopic('grouped', 'FIFO', 4);
  for (let index = 0; index < 8; index++) {
    await broker.send(message(`g-${index}`, { topic: 'grouped', system: { messageGroup: 'one' } }));
  }
  const grouped = broker.shard.metadata.topic('grouped')!;
  const counts = [0, 1, 2, 3].map((queueId) => broker.shard.queueRange(grouped, queueId).maxOffset);
  assert.deepEqual(counts.sort(), [0, 0, 0, 8]);
});

test('what is wrong with a message is told, and nothing of the call is stored', async () => {
  const later = (ms: number): ReturnType<typeof timestampOf> => timestampOf(broker.clock.wallMs() + ms);
  const many = new Map(Array.from({ length: 129 }, (_, index) => [`k${index}`, 'v']));
  const cases: readonly (readonly [keyof typeof Code, MessageWish & { id?: string }])[] = [
    ['ILLEGAL_TOPIC', { topic: '' }],
    ['ILLEGAL_TOPIC', { topic: '../../x' }],
    ['ILLEGAL_TOPIC', { topic: 'x'.repeat(128) }],
    ['ILLEGAL_TOPIC', { topic: 'TBW102' }],
    ['ILLEGAL_TOPIC', { topic: 'rmq_sys_x' }],
    ['ILLEGAL_TOPIC', { topic: '%RETRY%group' }],
    ['TOPIC_NOT_FOUND', { topic: 'a|b' }],
    ['MESSAGE_BODY_EMPTY', { body: new Uint8Array() }],
    ['MESSAGE_BODY_TOO_LARGE', { body: new Uint8Array(4 * 1024 * 1024 + 1) }],
    ['MESSAGE_PROPERTIES_TOO_LARGE', { properties: many }],
    ['MESSAGE_PROPERTIES_TOO_LARGE', { properties: new Map([['k', 'v'.repeat(16_384)]]) }],
    ['ILLEGAL_MESSAGE_PROPERTY_KEY', { properties: new Map([['KEYS', 'v']]) }],
    ['ILLEGAL_MESSAGE_PROPERTY_KEY', { properties: new Map([['k', 'a\nb']]) }],
    ['ILLEGAL_MESSAGE_ID', { id: ' ' }],
    ['ILLEGAL_MESSAGE_TAG', { system: { tag: ' ' } }],
    ['ILLEGAL_MESSAGE_TAG', { system: { tag: 'a|b' } }],
    ['ILLEGAL_MESSAGE_KEY', { system: { keys: ['ok', ' '] } }],
    ['ILLEGAL_MESSAGE_GROUP', { topic: 'steps', system: { messageGroup: ' ' } }],
    ['ILLEGAL_MESSAGE_GROUP', { topic: 'steps', system: { messageGroup: 'x'.repeat(64) } }],
    ['ILLEGAL_DELIVERY_TIME', { system: { deliveryTimestamp: { seconds: 10n ** 18n, nanos: 0 } } }],
    ['BAD_REQUEST', { system: { orphanedTransactionRecoveryDuration: { seconds: 3_601n, nanos: 0 } } }],
    ['MESSAGE_PROPERTY_CONFLICT_WITH_TYPE', { topic: 'steps' }],
    ['MESSAGE_PROPERTY_CONFLICT_WITH_TYPE', { system: { messageGroup: 'g' } }],
    ['MESSAGE_PROPERTY_CONFLICT_WITH_TYPE', { system: { deliveryTimestamp: later(1_000) } }],
    ['MESSAGE_PROPERTY_CONFLICT_WITH_TYPE', { system: { messageType: MessageType.TRANSACTION } }],
    ['MESSAGE_PROPERTY_CONFLICT_WITH_TYPE', { system: { priority: 3 } }],
    ['TOPIC_NOT_FOUND', { topic: 'unknown-lite', system: { liteTopic: 'one' } }],
    ['BAD_REQUEST', { system: { priority: -1 } }],
    ['FORBIDDEN', { topic: 'readonly' }],
  ];
  const endOffset = broker.shard.statistics().logEndOffset;
  for (const [code, wish] of cases) {
    const good = message('good', {
      topic: wish.topic ?? 'orders',
      system: wish.topic?.startsWith('unknown') ? wish.system! : {},
    });
    const answer = await broker.send(good, message(wish.id ?? 'bad', wish));
    assert.equal(answer.status?.code, Code[code], `${code}: ${answer.status?.message}`);
    assert.ok(answer.status.message.length > 20 && answer.status.message.length < 600, answer.status.message);
    assert.deepEqual(answer.entries, []);
  }
  assert.equal(broker.shard.statistics().logEndOffset, endOffset);
});

test('an unknown topic is not made for messages of two types', async () => {
  const grouped = message('b', { topic: 'undecided', system: { messageGroup: 'g' } });
  const answer = await broker.send(message('a', { topic: 'undecided' }), grouped);
  assert.equal(answer.status?.code, Code.MESSAGE_PROPERTY_CONFLICT_WITH_TYPE);
  assert.equal(broker.shard.metadata.topic('undecided'), undefined);
});

test('a send without messages, or with two topics, is refused', async () => {
  assert.equal((await broker.send()).status?.code, Code.MESSAGE_CORRUPTED);
  const mixed = await broker.send(message('a'), message('b', { topic: 'steps' }));
  assert.equal(mixed.status?.code, Code.MESSAGE_CORRUPTED);
});

test('the first message makes its topic, of its type, once', async () => {
  const wishes = [{ topic: 'new-normal' }, { topic: 'new-fifo', system: { messageGroup: 'g' } }];
  for (const wish of wishes) {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => broker.send(message(`n-${index}`, wish))),
    );
    assert.deepEqual(new Set(answers.map(({ status }) => status?.code)), new Set([Code.OK]));
  }
  const normal = broker.shard.metadata.topic('new-normal')!;
  assert.deepEqual([normal.messageType, normal.queues.length, normal.autoCreated], ['NORMAL', 8, true]);
  assert.equal(broker.shard.metadata.topic('new-fifo')!.messageType, 'FIFO');
});

test('without auto-creation an unknown topic is not found', async () => {
  const strict = await TestBroker.start({ autoCreateTopicEnable: false });
  try {
    const answer = await strict.send(message('x'));
    assert.equal(answer.status?.code, Code.TOPIC_NOT_FOUND);
    assert.match(answer.status!.message, /"orders".*mqadmin updateTopic/);
  } finally {
    await strict.stop();
  }
});

test('a call without client id is refused', async () => {
  for (const clientId of ['', ' ', 'x'.repeat(513)]) {
    const answer = await broker.client.unary(
      MessagingServiceDefinition,
      'sendMessage',
      { messages: [message('x')] },
      as(clientId),
    );
    assert.equal(answer.status?.code, clientId.length > 512 ? Code.BAD_REQUEST : Code.CLIENT_ID_REQUIRED);
  }
});
