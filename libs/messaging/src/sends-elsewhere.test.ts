import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { MqError, systemClock } from '@orbitmq/base';
import { decodeSendMessageRequest, type IncomingMessage } from '@orbitmq/protocol';
import {
  AddressScheme,
  Code,
  type Message,
  type MessageQueue,
  MessagingServiceDefinition,
  Permission,
  type SendMessageResponse,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import { createRpcClient, type RpcClient, type RpcServer, unary } from '@orbitmq/rpc';
import { answering } from './answers.ts';
import { MESSAGING_DEFAULTS } from './config.ts';
import { NO_MESSAGING_EVENTS } from './events.ts';
import { SendsElsewhere } from './sends-elsewhere.ts';
import { as, idsOf, listen, message, resource, TestBroker } from './test-broker.ts';

/** broker-a is being drained; its port takes nothing itself. */
let elsewhere: SendsElsewhere;
let port: RpcServer;
let client: RpcClient;
let brokerB: TestBroker;
let brokerC: TestBroker;
let queues: MessageQueue[] | undefined;

before(async () => {
  brokerB = await TestBroker.start({ brokerName: 'broker-b' });
  brokerC = await TestBroker.start({ brokerName: 'broker-c' });
  for (const broker of [brokerB, brokerC]) await broker.makeTopic('orders', 'MIXED');
  const config = { ...MESSAGING_DEFAULTS, brokerName: 'broker-a', storeHost: '' };
  elsewhere = new SendsElsewhere({ routes: { routeOf: async () => queues }, config, clock: systemClock });
  const refusal = new MqError('HA_NOT_AVAILABLE', 'being emptied');
  const send = (messages: readonly IncomingMessage[], call: Parameters<SendsElsewhere['send']>[1]) =>
    elsewhere.send(messages, call, refusal);
  port = await listen([
    unary(
      MessagingServiceDefinition,
      'sendMessage',
      answering('SendMessage', NO_MESSAGING_EVENTS, send, (status) => ({ status, entries: [] })),
      { decode: decodeSendMessageRequest },
    ),
  ]);
  client = createRpcClient({ addresses: [`127.0.0.1:${port.port}`], tls: undefined });
});
after(async () => {
  client.close();
  await port.stop(1_000);
  elsewhere.stop();
  await brokerB.stop();
  await brokerC.stop();
});

function queueOf(name: string, at: number, permission: Permission = Permission.READ_WRITE): MessageQueue {
  const endpoints = { scheme: AddressScheme.IPv4, addresses: [{ host: '127.0.0.1', port: at }] };
  return { topic: resource('orders'), id: 0, permission, broker: { name, id: 0, endpoints }, acceptMessageTypes: [] };
}

function send(...messages: Message[]): Promise<SendMessageResponse> {
  return client.unary(MessagingServiceDefinition, 'sendMessage', { messages }, as('producer'));
}

test('sends go to brokers that can be written, in turns, and their answers come back', async () => {
  queues = [
    queueOf('broker-a', port.port),
    queueOf('broker-b', brokerB.port),
    queueOf('broker-c', brokerC.port),
    queueOf('broker-d', 1, Permission.READ),
  ];
  for (const id of ['one', 'two', 'three', 'four']) {
    const { status, entries } = await send(message(id, { properties: new Map([['key', 'value']]) }));
    assert.deepEqual([status?.code, entries[0]?.messageId], [Code.OK, id], status?.message);
  }
  const found = [idsOf(await brokerB.receive()), idsOf(await brokerC.receive())];
  assert.deepEqual([found[0]!.length, found[1]!.length], [2, 2]);
  assert.deepEqual(found.flat().sort(), ['four', 'one', 'three', 'two']);
});

test('what is to stay in order goes to one broker, and a broker that is away is passed over', async () => {
  queues = [queueOf('broker-b', brokerB.port), queueOf('broker-c', brokerC.port)];
  const ids = ['f1', 'f2', 'f3', 'f4'];
  for (const id of ids) {
    const sent = await send(message(id, { system: { messageGroup: 'customer', messageType: 2 } }));
    assert.equal(sent.status?.code, Code.OK, sent.status?.message);
  }
  const found = [idsOf(await brokerB.receive({ pollingMs: 0 })), idsOf(await brokerC.receive({ pollingMs: 0 }))];
  assert.deepEqual(
    found.filter((each) => each.length > 0),
    [ids],
  );
  queues = [queueOf('broker-b', 1), queueOf('broker-c', brokerC.port)];
  for (const id of ['away-1', 'away-2']) assert.equal((await send(message(id))).status?.code, Code.OK);
});

test('where nobody takes it, the client is told so, and it goes round in no circle', async () => {
  for (const known of [undefined, [], [queueOf('broker-a', port.port)], [queueOf('broker-b', 1)]]) {
    queues = known;
    const { status } = await send(message('nowhere'));
    assert.deepEqual([status?.code, status?.message], [Code.HA_NOT_AVAILABLE, 'being emptied']);
  }
  // A route that is wrong leads back here.
  queues = [queueOf('broker-b', port.port)];
  assert.equal((await send(message('circle'))).status?.code, Code.HA_NOT_AVAILABLE);
});
