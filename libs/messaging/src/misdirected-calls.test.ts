import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { systemClock } from '@orbitmq/base';
import {
  AddressScheme,
  Code,
  EndTransactionRequest,
  type EndTransactionResponse,
  type MessageQueue,
  MessageType,
  MessagingServiceDefinition,
  Permission,
  RecallMessageRequest,
  type RecallMessageResponse,
  TransactionResolution,
  TransactionSource,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import { createRpcClient, type RpcClient, type RpcServer } from '@orbitmq/rpc';
import { NO_MESSAGING_EVENTS } from './events.ts';
import { MisdirectedCalls } from './misdirected-calls.ts';
import { as, idsOf, listen, message, resource, TestBroker } from './test-broker.ts';
import { timestampOf } from './times.ts';

/** broker-a is behind a port that brings misdirected calls to others. */
let brokerA: TestBroker;
let brokerB: TestBroker;
let misdirected: MisdirectedCalls;
let port: RpcServer;
let client: RpcClient;
/** The route of every topic; changed by tests. */
let queues: MessageQueue[];

before(async () => {
  brokerA = await TestBroker.start();
  brokerB = await TestBroker.start({ brokerName: 'broker-b' });
  for (const broker of [brokerA, brokerB]) {
    await broker.makeTopic('later', 'DELAY');
    await broker.makeTopic('halves', 'TRANSACTION');
  }
  queues = [queueOf('broker-a', brokerA.port), queueOf('broker-b', brokerB.port)];
  const routes = { routeOf: async () => queues };
  misdirected = new MisdirectedCalls({
    brokerName: 'broker-a',
    routes,
    clock: systemClock,
    events: NO_MESSAGING_EVENTS,
  });
  port = await listen(misdirected.wrap(brokerA.service.methods));
  client = createRpcClient({ addresses: [`127.0.0.1:${port.port}`], tls: undefined });
});
after(async () => {
  client.close();
  await port.stop(1_000);
  misdirected.stop();
  await brokerA.stop();
  await brokerB.stop();
});

function queueOf(name: string, at: number): MessageQueue {
  const endpoints = { scheme: AddressScheme.IPv4, addresses: [{ host: '127.0.0.1', port: at }] };
  const broker = { name, id: 0, endpoints };
  return { topic: resource('later'), id: 0, permission: Permission.READ_WRITE, broker, acceptMessageTypes: [] };
}

async function sendLater(broker: TestBroker, id: string): Promise<string> {
  const deliveryTimestamp = timestampOf(Math.floor(broker.clock.wallMs()) + 60_000);
  const sent = await broker.send(message(id, { topic: 'later', system: { deliveryTimestamp } }));
  return sent.entries[0]!.recallHandle;
}

function recall(recallHandle: string): Promise<RecallMessageResponse> {
  const request = { ...RecallMessageRequest.decode(new Uint8Array()), topic: resource('later'), recallHandle };
  return client.unary(MessagingServiceDefinition, 'recallMessage', request, as('producer'));
}

function commit(messageId: string, transactionId: string): Promise<EndTransactionResponse> {
  const request: EndTransactionRequest = {
    ...EndTransactionRequest.decode(new Uint8Array()),
    topic: resource('halves'),
    messageId,
    transactionId,
    resolution: TransactionResolution.COMMIT,
    source: TransactionSource.SOURCE_CLIENT,
  };
  return client.unary(MessagingServiceDefinition, 'endTransaction', request, as('producer'));
}

test('recalls a message of its own, and one of another broker', async () => {
  for (const [broker, id] of [
    [brokerA, 'own'],
    [brokerB, 'foreign'],
  ] as const) {
    const handle = await sendLater(broker, id);
    const answer = await recall(handle);
    assert.deepEqual([answer.status?.code, answer.messageId], [Code.OK, id], answer.status?.message);
    assert.equal((await recall(handle)).status?.code, Code.BAD_REQUEST);
  }
});

test('ends a transaction of another broker', async () => {
  const half = { topic: 'halves', system: { messageType: MessageType.TRANSACTION } };
  const sent = await brokerB.send(message('half', half));
  const answer = await commit('half', sent.entries[0]!.transactionId);
  assert.equal(answer.status?.code, Code.OK, answer.status?.message);
  assert.deepEqual(idsOf(await brokerB.receive({ topic: 'halves' })), ['half']);
});

test('what is no handle is refused here, and what another refuses as that broker says', async () => {
  const refused = await recall('nothing');
  assert.equal(refused.status?.code, Code.BAD_REQUEST);
  const half = { topic: 'halves', system: { messageType: MessageType.TRANSACTION } };
  const sent = await brokerB.send(message('half2', half));
  assert.equal((await commit('other', sent.entries[0]!.transactionId)).status?.code, Code.INVALID_TRANSACTION_ID);
});

test('a broker that is away is named', async () => {
  const handle = await sendLater(brokerB, 'away');
  const known = queues;
  queues = [queueOf('broker-a', brokerA.port)];
  const gone = await recall(handle);
  assert.equal(gone.status?.code, Code.INTERNAL_SERVER_ERROR);
  assert.match(gone.status?.message ?? '', /broker-b/);
  queues = [queueOf('broker-b', 1)];
  const unreachable = await recall(handle);
  assert.equal(unreachable.status?.code, Code.PROXY_TIMEOUT);
  assert.match(unreachable.status?.message ?? '', /broker-b/);
  queues = known;
});

test('a call is passed on once only', async () => {
  const handle = await sendLater(brokerB, 'once');
  const known = queues;
  // A route that is wrong leads back here.
  queues = [queueOf('broker-b', port.port)];
  assert.equal((await recall(handle)).status?.code, Code.BAD_REQUEST);
  queues = known;
});
