import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { seededRandom } from '@orbitmq/base';
import {
  ClientType,
  Code,
  EndTransactionRequest,
  type Message,
  MessageType,
  MessagingServiceDefinition,
  type RecoverOrphanedTransactionCommand,
  Settings,
  type Status,
  SystemProperties,
  type TelemetryCommand,
  TransactionResolution,
  TransactionSource,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import type { BidiCall } from '@orbitmq/rpc';
import { CHECK_INTERVAL_ATTRIBUTE } from '@orbitmq/shard';
import { SimClock, SimDisk } from '@orbitmq/testkit';
import { TRANSACTION_END, type TransactionEnd } from '@orbitmq/views';
import { CHECK_INTERVAL_PROPERTY } from './check-interval.ts';
import { MESSAGING_DEFAULTS } from './config.ts';
import { type MessagingEvents, NO_MESSAGING_EVENTS } from './events.ts';
import { as, idsOf, type MessageWish, message, resource, TestBroker } from './test-broker.ts';
import { durationOf } from './times.ts';

const { COMMIT, ROLLBACK, TRANSACTION_RESOLUTION_UNSPECIFIED } = TransactionResolution;
const ended: TransactionEnd[] = [];
const events: MessagingEvents = { ...NO_MESSAGING_EVENTS, transactionEnded: (_topic, end) => ended.push(end) };

let broker: TestBroker;
let producers: TestProducer[] = [];
before(async () => {
  broker = await TestBroker.start({}, events);
  await broker.makeTopic('tx', 'TRANSACTION');
  await broker.makeTopic('mixed', 'MIXED');
  await broker.makeTopic('normal');
});
beforeEach(() => ended.splice(0));
afterEach(() => {
  for (const producer of producers) producer.stream.cancel();
  producers = [];
});
after(() => broker.stop());

/** A producer with a telemetry stream that keeps what it is asked. */
class TestProducer {
  readonly asked: RecoverOrphanedTransactionCommand[] = [];
  readonly stream: BidiCall<TelemetryCommand, TelemetryCommand>;

  constructor(clientId: string, topics: readonly string[], where = broker) {
    this.stream = where.client.bidi(MessagingServiceDefinition, 'telemetry', as(clientId));
    const settings: Settings = {
      ...Settings.decode(new Uint8Array()),
      clientType: ClientType.PRODUCER,
      publishing: { topics: topics.map(resource), maxBodySize: 0, validateMessageType: false },
    };
    this.stream.write({ settings });
    producers.push(this);
  }

  /** Waits for the settings, and keeps reading. */
  async ready(): Promise<this> {
    const iterator = this.stream.responses[Symbol.asyncIterator]();
    await iterator.next();
    void this.#listen(iterator);
    return this;
  }

  async #listen(iterator: AsyncIterator<TelemetryCommand>): Promise<void> {
    try {
      for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
        if (next.value.recoverOrphanedTransactionCommand) this.asked.push(next.value.recoverOrphanedTransactionCommand);
      }
    } catch {
      // the test has cancelled the stream
    }
  }
}

const half = (id: string, wish: MessageWish = {}): Message =>
  message(id, { topic: 'tx', ...wish, system: { messageType: MessageType.TRANSACTION, ...wish.system } });

async function sendHalf(id: string, wish: MessageWish = {}, where = broker): Promise<string> {
  const { status, entries } = await where.send(half(id, wish));
  assert.equal(status?.code, Code.OK, status?.message);
  assert.notEqual(entries[0]!.transactionId, '');
  assert.equal(entries[0]!.messageId, id);
  return entries[0]!.transactionId;
}

async function end(
  transactionId: string,
  messageId: string,
  resolution: TransactionResolution,
  changes: Partial<EndTransactionRequest> = {},
  where = broker,
): Promise<Status> {
  const request = {
    ...EndTransactionRequest.decode(new Uint8Array()),
    topic: resource('tx'),
    transactionId,
    messageId,
    resolution,
    source: TransactionSource.SOURCE_CLIENT,
    ...changes,
  };
  const { status } = await where.client.unary(MessagingServiceDefinition, 'endTransaction', request, as('producer'));
  return status!;
}

const received = (group: string, topic = 'tx', where = broker): Promise<string[]> =>
  where.receive({ group, topic, pollingMs: 5_000 }).then(idsOf);

test('a half message is seen when it is committed, and never when it is rolled back', async () => {
  const [first, second] = [await sendHalf('t1'), await sendHalf('t2')];
  assert.deepEqual(await received('g1'), []);
  assert.equal((await end(first, 't1', COMMIT)).code, Code.OK);
  assert.equal((await end(second, 't2', ROLLBACK)).code, Code.OK);
  const { messages } = await broker.receive({ group: 'g1', topic: 'tx' });
  assert.equal(messages.length, 1);
  const { systemProperties: system, body, topic } = messages[0]!;
  assert.deepEqual([system?.messageId, topic?.name, Buffer.from(body).toString()], ['t1', 'tx', 'body of t1']);
  assert.equal(system?.messageType, MessageType.TRANSACTION);
  assert.equal(system?.deliveryAttempt, 1);
  assert.deepEqual(await received('g1'), []);
  assert.deepEqual(ended, [TRANSACTION_END.committed, TRANSACTION_END.rolledBack]);
});

test('the first end wins; the same again is OK, another is refused', async () => {
  const [first, second] = [await sendHalf('w1'), await sendHalf('w2')];
  for (const source of [TransactionSource.SOURCE_CLIENT, TransactionSource.SOURCE_SERVER_CHECK]) {
    assert.equal((await end(first, 'w1', COMMIT, { source })).code, Code.OK);
    assert.equal((await end(second, 'w2', ROLLBACK, { source })).code, Code.OK);
  }
  const [late, later] = [await end(first, 'w1', ROLLBACK), await end(second, 'w2', COMMIT)];
  assert.deepEqual([late.code, later.code], [Code.INVALID_TRANSACTION_ID, Code.INVALID_TRANSACTION_ID]);
  assert.match(late.message, /already committed/);
  assert.match(later.message, /already rolled back/);
  assert.deepEqual(ended, [TRANSACTION_END.committed, TRANSACTION_END.rolledBack]);
  assert.deepEqual(
    (await received('g2')).filter((id) => id.startsWith('w')),
    ['w1'],
  );
});

test('an end must name the transaction, its topic and its message', async () => {
  const id = await sendHalf('n1');
  const refused = async (status: Promise<Status>, code: number): Promise<void> =>
    assert.equal((await status).code, code);
  for (const text of ['', '  ', 'nonsense', `${id}A`, id.slice(0, -1)]) {
    await refused(end(text, 'n1', COMMIT), Code.INVALID_TRANSACTION_ID);
  }
  await refused(end(id, 'n2', COMMIT), Code.INVALID_TRANSACTION_ID);
  await refused(end(id, '', COMMIT), Code.INVALID_TRANSACTION_ID);
  await refused(end(id, 'n1', COMMIT, { topic: resource('mixed') }), Code.INVALID_TRANSACTION_ID);
  await refused(end(id, 'n1', COMMIT, { topic: resource('nowhere') }), Code.TOPIC_NOT_FOUND);
  await refused(end(id, 'n1', COMMIT, { topic: resource('') }), Code.ILLEGAL_TOPIC);
  await refused(end(id, 'n1', COMMIT, { topic: undefined }), Code.ILLEGAL_TOPIC);
  await refused(end(id, 'n1', TRANSACTION_RESOLUTION_UNSPECIFIED), Code.OK);
  await refused(end('', 'n1', TRANSACTION_RESOLUTION_UNSPECIFIED), Code.INVALID_TRANSACTION_ID);
  assert.deepEqual(ended, []);
  await refused(end(id, 'n1', COMMIT), Code.OK);
});

test('a transactional message goes to topics that take such, alone, and is nothing else beside', async () => {
  const refusal = async (...messages: Message[]): Promise<number | undefined> =>
    (await broker.send(...messages)).status?.code;
  const conflict = Code.MESSAGE_PROPERTY_CONFLICT_WITH_TYPE;
  await sendHalf('m1', { topic: 'mixed' });
  assert.equal(await refusal(half('m2', { topic: 'normal' })), conflict);
  assert.equal(await refusal(message('m3', { topic: 'tx' })), conflict);
  assert.equal(await refusal(half('m4', { topic: 'mixed', system: { messageGroup: 'g' } })), conflict);
  assert.equal(await refusal(half('m5', { topic: 'mixed', system: { priority: 1 } })), conflict);
  assert.equal(await refusal(half('m6', { system: { deliveryTimestamp: { seconds: 1n, nanos: 0 } } })), conflict);
  assert.equal(await refusal(half('m7'), half('m8')), conflict);
  const tooLong = { orphanedTransactionRecoveryDuration: durationOf(3_600_001) };
  assert.equal(await refusal(half('m9', { system: tooLong })), Code.BAD_REQUEST);
});

test('a producer of the topic is asked after the immunity, and may answer then', async () => {
  const topic = 'asked';
  await broker.makeTopic(topic, 'TRANSACTION');
  const other = await new TestProducer('other', ['tx']).ready();
  const producer = await new TestProducer('asked-1', [topic, 'tx']).ready();
  const properties = new Map([['colour', 'blue']]);
  const transactionId = await sendHalf('q1', { topic, properties, system: { tag: 'tag' } });
  await broker.clock.advance(5_900);
  assert.equal(producer.asked.length, 0);
  await broker.clock.advance(2_000);
  await broker.until(() => producer.asked.length === 1);
  const [asked] = producer.asked;
  assert.equal(asked!.transactionId, transactionId);
  const { message: shown } = asked!;
  assert.deepEqual([shown?.topic?.name, Buffer.from(shown!.body).toString()], [topic, 'body of q1']);
  assert.deepEqual(shown?.userProperties, properties);
  assert.deepEqual([shown?.systemProperties?.messageId, shown?.systemProperties?.tag], ['q1', 'tag']);
  assert.ok(shown?.systemProperties?.bodyDigest);
  await broker.clock.advance(29_000);
  assert.equal(producer.asked.length, 1);
  await broker.clock.advance(2_500);
  await broker.until(() => producer.asked.length === 2);
  assert.equal(other.asked.length, 0);
  const changes = { topic: resource(topic), source: TransactionSource.SOURCE_SERVER_CHECK };
  assert.equal((await end(transactionId, 'q1', COMMIT, changes)).code, Code.OK);
  assert.deepEqual(await received('g3', topic), ['q1']);
  await broker.clock.advance(120_000);
  assert.equal(producer.asked.length, 2);
});

test('a longer recovery duration is honoured, and all producers take turns', async () => {
  const topic = 'turns';
  await broker.makeTopic(topic, 'TRANSACTION');
  const pair = [await new TestProducer('turn-1', [topic]).ready(), await new TestProducer('turn-2', [topic]).ready()];
  const system = { orphanedTransactionRecoveryDuration: durationOf(60_000) };
  for (let index = 0; index < 6; index++) await sendHalf(`r${index}`, { topic, system });
  await broker.clock.advance(59_000);
  assert.deepEqual(
    pair.map(({ asked }) => asked.length),
    [0, 0],
  );
  await broker.clock.advance(3_000);
  await broker.until(() => pair.every(({ asked }) => asked.length === 3));
});

test("checks come at the producer's own interval, or the topic's, or the broker's", async () => {
  const topic = 'intervals';
  const { uid, ...made } = await broker.makeTopic(topic, 'TRANSACTION');
  await broker.shard.putTopic({ ...made, attributes: new Map([[CHECK_INTERVAL_ATTRIBUTE, '5000']]) });
  const producer = await new TestProducer('hurried', [topic]).ready();
  const countOf = (id: string): number =>
    producer.asked.filter(({ message }) => message?.systemProperties?.messageId === id).length;
  await sendHalf('topical', { topic });
  await sendHalf('own', { topic, properties: new Map([[CHECK_INTERVAL_PROPERTY, '10000']]) });
  await broker.clock.advance(7_000);
  await broker.until(() => producer.asked.length === 2);
  await broker.clock.advance(6_000);
  await broker.until(() => countOf('topical') === 2);
  assert.equal(countOf('own'), 1);
  await broker.clock.advance(5_000);
  await broker.until(() => countOf('topical') === 3 && countOf('own') === 2);
  for (const text of ['', '999', '3600001', '5s', '-5000', '1e4']) {
    const wrong = half('wrong', { topic, properties: new Map([[CHECK_INTERVAL_PROPERTY, text]]) });
    const { status } = await broker.send(wrong);
    assert.equal(status?.code, Code.BAD_REQUEST, text);
  }
  assert.equal(broker.shard.metadata.topic(topic)?.uid, uid);
});

test('a transaction is discarded after the last check, and not because nobody can be asked', async () => {
  const config = { transactions: { ...MESSAGING_DEFAULTS.transactions, checkMax: 3 } };
  const where = await TestBroker.start(config, events);
  try {
    await where.makeTopic('tx', 'TRANSACTION');
    const transactionId = await sendHalf('d1', {}, where);
    await where.clock.advance(3_600_000);
    const topic = where.shard.metadata.topic('tx')!;
    assert.equal(where.shard.openTransactions(topic, 0, 9)[0]?.checkCount, 0);
    const producer = await new TestProducer('late', ['tx'], where).ready();
    for (let count = 1; count <= 3; count++) {
      await where.clock.advance(count === 1 ? 1_000 : 31_000);
      await where.until(() => producer.asked.length === count);
    }
    assert.deepEqual(ended, []);
    await where.clock.advance(31_000);
    await where.until(() => ended.length === 1);
    assert.deepEqual(ended, [TRANSACTION_END.discarded]);
    assert.equal((await end(transactionId, 'd1', ROLLBACK, {}, where)).code, Code.OK);
    const late = await end(transactionId, 'd1', COMMIT, {}, where);
    assert.equal(late.code, Code.INVALID_TRANSACTION_ID);
    assert.match(late.message, /discarded/);
    assert.deepEqual(await received('g4', 'tx', where), []);
    producer.stream.cancel();
  } finally {
    await where.stop();
  }
});

test('a transaction that is open for weeks goes, whether somebody could be asked or not', async () => {
  const config = { transactions: { ...MESSAGING_DEFAULTS.transactions, ageMaxMs: 60_000 } };
  const where = await TestBroker.start(config, events);
  try {
    await where.makeTopic('tx', 'TRANSACTION');
    await sendHalf('o1', {}, where);
    await where.clock.advance(59_000);
    assert.deepEqual(ended, []);
    await where.clock.advance(3_000);
    await where.until(() => ended.length === 1);
  } finally {
    await where.stop();
  }
});

test('system properties that only the server sets are not taken from a producer', async () => {
  const transactionId = await sendHalf('s1', { system: { receiptHandle: 'forged', deliveryAttempt: 9 } });
  assert.equal((await end(transactionId, 's1', COMMIT)).code, Code.OK);
  const { messages } = await broker.receive({ group: 'g5', topic: 'tx' });
  const found = messages.find(({ systemProperties }) => systemProperties?.messageId === 's1');
  assert.notEqual(found?.systemProperties?.receiptHandle, 'forged');
  assert.equal((found?.systemProperties ?? SystemProperties.decode(new Uint8Array())).deliveryAttempt, 1);
});

test('a jump of the wall clock makes no check come sooner or later', async () => {
  const topic = 'jump';
  await broker.makeTopic(topic, 'TRANSACTION');
  const producer = await new TestProducer('jumping', [topic]).ready();
  await sendHalf('j1', { topic });
  broker.clock.jumpWall(3_600_000);
  await broker.clock.advance(5_900);
  assert.equal(producer.asked.length, 0);
  broker.clock.jumpWall(-7_200_000);
  await broker.clock.advance(2_000);
  await broker.until(() => producer.asked.length === 1);
});

test('a half message that can not be read stops no other, and goes in the end', async () => {
  const clock = new SimClock();
  const disk = new SimDisk({ clock, random: seededRandom(3), latencyMs: 0, syncLatencyMs: 0 });
  const config = { transactions: { ...MESSAGING_DEFAULTS.transactions, checkMax: 2 } };
  const where = await TestBroker.start(config, events, { clock, vfs: disk, log: { tailCacheBytes: 65_536 } });
  try {
    await where.run(where.makeTopic('tx', 'TRANSACTION'));
    for (const id of ['b1', 'b2', 'b3', 'b4']) {
      const { status } = await where.run(where.send(half(id, { body: Buffer.alloc(900_000) })));
      assert.equal(status?.code, Code.OK, status?.message);
    }
    const topic = where.shard.metadata.topic('tx')!;
    const [, damaged] = where.shard.openTransactions(topic, 0, 9);
    disk.flip('/store/commitlog/00000000000000000000', damaged!.half.id + 500);
    const producer = await new TestProducer('reader', ['tx'], where).ready();
    await where.clock.advance(7_000);
    await where.run(where.until(() => producer.asked.length === 3));
    const idsAsked = producer.asked.map((asked) => asked.message?.systemProperties?.messageId);
    assert.deepEqual(idsAsked.sort(), ['b1', 'b3', 'b4']);
    await where.run(where.until(() => ended.length === 4));
    assert.deepEqual(new Set(ended), new Set([TRANSACTION_END.discarded]));
    producer.stream.cancel();
  } finally {
    await where.stop();
  }
});

test('a broker may take no half messages', async () => {
  const config = { transactions: { ...MESSAGING_DEFAULTS.transactions, reject: true } };
  const where = await TestBroker.start(config, events);
  try {
    await where.makeTopic('tx', 'TRANSACTION');
    const { status } = await where.send(half('x1'));
    assert.equal(status?.code, Code.FORBIDDEN);
    assert.match(status?.message ?? '', /rejectTransactionMessage/);
  } finally {
    await where.stop();
  }
});
