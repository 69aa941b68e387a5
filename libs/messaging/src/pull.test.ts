import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  Code,
  FilterType,
  type Message,
  type MessageQueue,
  MessagingServiceDefinition,
  PullMessageRequest,
  QueryOffsetPolicy,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import { as, message, resource, TestBroker } from './test-broker.ts';
import { durationOf, timestampOf } from './times.ts';

interface PullWish {
  readonly topic?: string;
  readonly queueId?: number;
  readonly brokerName?: string;
  readonly batchSize?: number;
  readonly tags?: string;
  readonly pollingMs?: number;
}

interface PullAnswer {
  readonly code: number | undefined;
  readonly messages: readonly Message[];
  readonly nextOffset: bigint | undefined;
}

function queueOf({ topic = 'orders', queueId = 0, brokerName }: PullWish): MessageQueue {
  const broker = brokerName === undefined ? undefined : { name: brokerName, id: 0, endpoints: undefined };
  return { topic: resource(topic), id: queueId, permission: 4, broker, acceptMessageTypes: [] };
}

describe('reading without a lease', () => {
  let broker: TestBroker;
  before(async () => {
    broker = await TestBroker.start();
    await broker.makeTopic('orders', 'NORMAL', 1);
    await broker.makeGroup('group');
    for (let index = 0; index < 5; index++) {
      await broker.send(message(`m${index}`, { system: { tag: index % 2 === 0 ? 'even' : 'odd' } }));
      await broker.clock.advance(1_000);
    }
  });
  after(() => broker.stop());

  async function pullLater(offset: bigint, wish: PullWish = {}): Promise<PullAnswer> {
    const request = {
      ...PullMessageRequest.decode(new Uint8Array()),
      group: resource('group'),
      messageQueue: queueOf(wish),
      offset,
      batchSize: wish.batchSize ?? 32,
      filterExpression: { type: FilterType.TAG, expression: wish.tags ?? '*' },
      ...(wish.pollingMs === undefined ? {} : { longPollingTimeout: durationOf(wish.pollingMs) }),
    };
    const messages: Message[] = [];
    let [code, nextOffset]: [number | undefined, bigint | undefined] = [undefined, undefined];
    for await (const response of broker.client.serverStream(
      MessagingServiceDefinition,
      'pullMessage',
      request,
      as('puller'),
    )) {
      if (response.status) code = response.status.code;
      if (response.message) messages.push(response.message);
      if (response.nextOffset !== undefined) nextOffset = response.nextOffset;
    }
    return { code, messages, nextOffset };
  }
  const pull = (offset: bigint, wish: PullWish = {}) => broker.run(pullLater(offset, wish));
  const ids = ({ messages }: PullAnswer) => messages.map(({ systemProperties }) => systemProperties!.messageId);

  const update = async (offset: bigint, wish: PullWish = {}, group = 'group') => {
    const request = { group: resource(group), messageQueue: queueOf(wish), offset };
    const { status } = await broker.client.unary(MessagingServiceDefinition, 'updateOffset', request, as('puller'));
    return status?.code;
  };
  const stored = (group = 'group') => {
    const request = { group: resource(group), messageQueue: queueOf({}) };
    return broker.client.unary(MessagingServiceDefinition, 'getOffset', request, as('puller'));
  };
  const query = (queryOffsetPolicy: QueryOffsetPolicy, timestampMs?: number) => {
    const timestamp = timestampMs === undefined ? {} : { timestamp: timestampOf(timestampMs) };
    const request = { messageQueue: queueOf({}), queryOffsetPolicy, ...timestamp };
    return broker.client.unary(MessagingServiceDefinition, 'queryOffset', request, as('puller'));
  };

  test('gives messages from an offset on, again and again, with where to go on', async () => {
    for (let round = 0; round < 2; round++) {
      const answer = await pull(1n, { batchSize: 2, brokerName: 'broker-a' });
      assert.deepEqual(ids(answer), ['m1', 'm2']);
      assert.deepEqual([answer.code, answer.nextOffset], [Code.OK, 3n]);
      const system = answer.messages[0]!.systemProperties!;
      assert.deepEqual([system.queueId, system.queueOffset, system.receiptHandle], [0, 1n, undefined]);
      assert.ok(system.storeTimestamp !== undefined && system.bodyDigest !== undefined);
    }
  });

  test('passes over what the filter does not want', async () => {
    const answer = await pull(0n, { tags: 'odd' });
    assert.deepEqual([ids(answer), answer.nextOffset], [['m1', 'm3'], 5n]);
    const none = await pull(0n, { tags: 'none' });
    assert.deepEqual([none.code, none.nextOffset], [Code.MESSAGE_NOT_FOUND, 5n]);
  });

  test('waits at the end of the queue for as long as it is asked to', async () => {
    const beganMs = broker.clock.monotonicMs();
    const none = await pull(5n, { pollingMs: 3_000 });
    assert.deepEqual([none.code, none.nextOffset], [Code.MESSAGE_NOT_FOUND, 5n]);
    assert.ok(broker.clock.monotonicMs() - beganMs >= 3_000);
    const waiting = [pullLater(5n, { pollingMs: 15_000 }), pullLater(5n, { pollingMs: 15_000 })];
    await broker.until(() => broker.service.gauges().waitingPolls === 2);
    await broker.send(message('m5'));
    for (const answer of await Promise.all(waiting)) assert.deepEqual([ids(answer), answer.nextOffset], [['m5'], 6n]);
  });

  test('says what is wrong, and where to go on', async () => {
    const refused = async (offset: bigint, wish: PullWish, code: number, nextOffset: bigint | undefined) => {
      const answer = await pull(offset, wish);
      assert.deepEqual([answer.code, answer.nextOffset, answer.messages.length], [code, nextOffset, 0]);
    };
    await refused(-1n, {}, Code.ILLEGAL_OFFSET, 0n);
    await refused(2n ** 62n, {}, Code.ILLEGAL_OFFSET, 6n);
    await refused(0n, { queueId: 1 }, Code.BAD_REQUEST, undefined);
    await refused(0n, { queueId: -1 }, Code.BAD_REQUEST, undefined);
    await refused(0n, { brokerName: 'broker-b' }, Code.BAD_REQUEST, undefined);
    await refused(0n, { batchSize: -1 }, Code.BAD_REQUEST, undefined);
    await refused(0n, { topic: 'nobody-made-it' }, Code.TOPIC_NOT_FOUND, undefined);
    await refused(0n, { topic: 'bad/name' }, Code.ILLEGAL_TOPIC, undefined);
  });

  test('stores offsets of groups, which receives go on from', async () => {
    assert.equal((await stored('fresh')).status?.code, Code.OFFSET_NOT_FOUND);
    assert.equal(await update(4n, {}, 'fresh'), Code.OK);
    assert.equal((await stored('fresh')).offset, 4n);
    assert.equal(await update(7n, {}, 'fresh'), Code.ILLEGAL_OFFSET);
    assert.equal(await update(-1n, {}, 'fresh'), Code.ILLEGAL_OFFSET);
    assert.equal(await update(0n, { queueId: 3 }), Code.BAD_REQUEST);
    assert.equal(await update(0n, { brokerName: 'broker-b' }), Code.BAD_REQUEST);
    const received = await broker.receive({ group: 'fresh' });
    assert.deepEqual(
      received.messages.map(({ systemProperties }) => systemProperties!.messageId),
      ['m4', 'm5'],
    );
    assert.equal((await stored('fresh')).offset, 4n, 'what is in flight is not settled');
  });

  test('knows the ends of a queue and its offsets by time', async () => {
    assert.deepEqual((await query(QueryOffsetPolicy.BEGINNING)).offset, 0n);
    assert.deepEqual((await query(QueryOffsetPolicy.END)).offset, 6n);
    const [second] = (await pull(1n, { batchSize: 1 })).messages;
    const { seconds, nanos } = second!.systemProperties!.storeTimestamp!;
    const storedMs = Number(seconds) * 1_000 + nanos / 1_000_000;
    assert.equal((await query(QueryOffsetPolicy.TIMESTAMP, storedMs)).offset, 1n);
    assert.equal((await query(QueryOffsetPolicy.TIMESTAMP, storedMs + 1)).offset, 2n);
    assert.equal((await query(QueryOffsetPolicy.TIMESTAMP, 0)).offset, 0n);
    assert.equal((await query(QueryOffsetPolicy.TIMESTAMP)).status?.code, Code.BAD_REQUEST);
    assert.equal((await query(9 as QueryOffsetPolicy)).status?.code, Code.BAD_REQUEST);
  });
});
