import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  AddressScheme,
  Code,
  MessageType,
  MessagingServiceDefinition,
  Permission,
  type QueryAssignmentResponse,
  type QueryRouteResponse,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import { as, resource, TestBroker } from './test-broker.ts';

let broker: TestBroker;
before(async () => {
  broker = await TestBroker.start();
  await broker.makeTopic('orders', 'NORMAL', 4);
  await broker.makeTopic('steps', 'FIFO', 3);
  await broker.makeTopic('writeonly', 'NORMAL', 1, 2);
  await broker.makeGroup('ordered', { consumeMessageOrderly: true });
});
after(() => broker.stop());

const route = (topic: string, options = as('client')): Promise<QueryRouteResponse> =>
  broker.client.unary(
    MessagingServiceDefinition,
    'queryRoute',
    { topic: resource(topic), endpoints: undefined },
    options,
  );
const assignment = (topic: string, group: string, options = as('client')): Promise<QueryAssignmentResponse> =>
  broker.client.unary(
    MessagingServiceDefinition,
    'queryAssignment',
    { topic: resource(topic), group: resource(group), endpoints: undefined },
    options,
  );

test('a route lists the queues of the topic on this broker', async () => {
  const { status, messageQueues } = await route('steps');
  assert.equal(status?.code, Code.OK);
  assert.deepEqual(
    messageQueues.map(({ id }) => id),
    [0, 1, 2],
  );
  for (const queue of messageQueues) {
    assert.deepEqual(queue.topic, resource('steps'));
    assert.equal(queue.permission, Permission.READ_WRITE);
    assert.deepEqual(queue.acceptMessageTypes, [MessageType.FIFO]);
    assert.deepEqual(queue.broker, {
      name: 'broker-a',
      id: 0,
      endpoints: { scheme: AddressScheme.IPv4, addresses: [{ host: '127.0.0.1', port: 10911 }] },
    });
  }
});

test('a topic that a first message would make has the queues that it would get', async () => {
  const { messageQueues } = await route('not-yet');
  assert.equal(messageQueues.length, 8);
  assert.deepEqual(messageQueues[0]!.acceptMessageTypes, [
    MessageType.NORMAL,
    MessageType.FIFO,
    MessageType.DELAY,
    MessageType.TRANSACTION,
    MessageType.PRIORITY,
  ]);
});

test('a client that fails on types newer than itself is not told of them', async () => {
  const known = [MessageType.NORMAL, MessageType.FIFO, MessageType.DELAY, MessageType.TRANSACTION];
  for (const [language, version, types] of [
    ['JAVA', '5.0.3', known],
    ['DOTNET', '5.1.0-SNAPSHOT', known],
    ['JAVA', '5.2.0', [...known, MessageType.PRIORITY]],
    ['JAVA', '6.0.0', [...known, MessageType.PRIORITY]],
    ['HTTP', '1.0.8', [...known, MessageType.PRIORITY]],
    ['RUST', '5.0.0', [...known, MessageType.PRIORITY]],
  ] as const) {
    const options = as('client', { 'x-mq-language': language, 'x-mq-client-version': version });
    const { messageQueues } = await route('not-yet', options);
    assert.deepEqual(messageQueues[0]!.acceptMessageTypes, types, `${language} ${version}`);
    const { assignments } = await assignment('not-yet', 'group', options);
    assert.deepEqual(assignments[0]!.messageQueue?.acceptMessageTypes, types, `${language} ${version}`);
  }
});

test('the namespace of a client comes back', async () => {
  const topic = { resourceNamespace: 'tenant', name: 'orders' };
  const answer = await broker.client.unary(
    MessagingServiceDefinition,
    'queryRoute',
    { topic, endpoints: undefined },
    as('c'),
  );
  assert.deepEqual(answer.messageQueues[0]!.topic, topic);
});

test('wrong routes are refused', async () => {
  for (const [code, topic] of [
    [Code.ILLEGAL_TOPIC, ''],
    [Code.ILLEGAL_TOPIC, 'a b'],
    [Code.ILLEGAL_TOPIC, 'x'.repeat(128)],
    [Code.ILLEGAL_TOPIC, 'SCHEDULE_TOPIC_XXXX'],
  ] as const) {
    assert.equal((await route(topic)).status?.code, code, topic);
    assert.equal((await assignment(topic, 'group')).status?.code, code, topic);
  }
  assert.equal((await route('orders', as(''))).status?.code, Code.CLIENT_ID_REQUIRED);
});

test('a group shares brokers, an ordered group queues', async () => {
  const shared = await assignment('orders', 'group');
  assert.equal(shared.status?.code, Code.OK);
  assert.deepEqual(
    shared.assignments.map(({ messageQueue }) => [messageQueue?.id, messageQueue?.permission]),
    [[-1, Permission.READ]],
  );
  const ordered = await assignment('steps', 'ordered');
  assert.deepEqual(
    ordered.assignments.map(({ messageQueue }) => messageQueue?.id),
    [0, 1, 2],
  );
});

test('an assignment is an error rather than an empty list', async () => {
  assert.equal((await assignment('writeonly', 'group')).status?.code, Code.FORBIDDEN);
  assert.equal((await assignment('orders', '')).status?.code, Code.ILLEGAL_CONSUMER_GROUP);
  const strict = await TestBroker.start({ autoCreateTopicEnable: false });
  try {
    const answer = await strict.client.unary(
      MessagingServiceDefinition,
      'queryAssignment',
      { topic: resource('nowhere'), group: resource('g'), endpoints: undefined },
      as('client'),
    );
    assert.equal(answer.status?.code, Code.TOPIC_NOT_FOUND);
    assert.match(answer.status!.message, /"nowhere".*mqadmin/);
  } finally {
    await strict.stop();
  }
});
