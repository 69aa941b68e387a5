import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Clock, systemClock } from '@orbitmq/base';
import {
  AddressScheme,
  Code,
  type Message,
  MessageType,
  MessagingServiceDefinition as Messaging,
  type ReceiveMessageResponse,
  SystemProperties,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import type { CallOptions, RpcError } from '@orbitmq/rpc';
import { OWN_ADDRESS, TestBroker, TestRelay } from './test-broker.ts';

const TOPIC = { resourceNamespace: '', name: 'orders' };
const GROUP = { resourceNamespace: '', name: 'group' };
const CLIENT: CallOptions = { metadata: [['x-mq-client-id', 'client-1']], timeoutMs: 5000 };

async function until(what: string, condition: () => boolean, deadlineMs = 30_000): Promise<void> {
  const endMs = performance.now() + deadlineMs;
  while (!condition()) {
    if (performance.now() > endMs) assert.fail(`not within ${deadlineMs} ms: ${what}`);
    await sleep(5);
  }
}

function messageOf(messageGroup?: string): Message {
  const systemProperties = SystemProperties.decode(new Uint8Array());
  if (messageGroup !== undefined) systemProperties.messageGroup = messageGroup;
  return { topic: TOPIC, userProperties: new Map(), systemProperties, body: Buffer.from('body') };
}

describe('relay', () => {
  let relay: TestRelay;
  let brokerA: TestBroker;
  let brokerB: TestBroker;
  let portA = 0;
  let portB = 0;

  before(async () => {
    relay = await TestRelay.start();
    brokerA = new TestBroker('broker-a');
    brokerB = new TestBroker('broker-b');
    [portA, portB] = [await brokerA.start(), await brokerB.start()];
  });

  beforeEach(() => {
    relay.register('broker-a', portA, ['orders']);
    relay.register('broker-b', portB, ['orders', 'only-b']);
    for (const broker of [brokerA, brokerB]) broker.calls.length = 0;
  });

  after(async () => {
    await relay.stop();
    await Promise.all([brokerA.stop(), brokerB.stop()]);
  });

  const send = async (message: Message): Promise<{ code: number | undefined; from: string | undefined }> => {
    const response = await relay.client.unary(Messaging, 'sendMessage', { messages: [message] }, CLIENT);
    return { code: response.status?.code, from: response.entries[0]?.messageId };
  };

  const receive = async (
    brokerName: string,
    options: CallOptions = CLIENT,
    through: TestRelay = relay,
  ): Promise<ReceiveMessageResponse[]> => {
    const request = {
      group: GROUP,
      messageQueue: {
        topic: TOPIC,
        id: 0,
        permission: 4 as const,
        broker: { name: brokerName, id: 0, endpoints: undefined },
        acceptMessageTypes: [],
      },
      filterExpression: undefined,
      batchSize: 1,
      autoRenew: true,
    };
    const responses: ReceiveMessageResponse[] = [];
    for await (const response of through.client.serverStream(Messaging, 'receiveMessage', request, options)) {
      responses.push(response);
    }
    return responses;
  };

  describe('routes', () => {
    const query = (name: string, options = CLIENT, resourceNamespace = '') =>
      relay.client.unary(
        Messaging,
        'queryRoute',
        { topic: { resourceNamespace, name }, endpoints: undefined },
        options,
      );

    it('tells an old client nothing of types that it would fail on', async () => {
      const fresh = await TestRelay.start();
      try {
        const messageTypes = [MessageType.NORMAL, MessageType.PRIORITY];
        fresh.register('broker-a', portA, [], { enabled: true, queueCount: 1, messageTypes });
        for (const [version, types] of [
          ['5.0.3', [MessageType.NORMAL]],
          ['5.2.0', messageTypes],
        ] as const) {
          const metadata = [...CLIENT.metadata!, ['x-mq-language', 'JAVA'], ['x-mq-client-version', version]] as const;
          const request = { topic: TOPIC, endpoints: undefined };
          const answer = await fresh.client.unary(Messaging, 'queryRoute', request, { ...CLIENT, metadata });
          assert.deepEqual(answer.messageQueues[0]?.acceptMessageTypes, types);
        }
      } finally {
        await fresh.stop();
      }
    });

    it('gives the endpoints of the brokers, and the topic as it was asked for', async () => {
      const { status, messageQueues } = await query('orders', CLIENT, 'space');
      assert.equal(status?.code, Code.OK);
      assert.deepEqual(
        messageQueues.map(({ broker, id }) => `${broker?.name}/${id}/${broker?.endpoints?.addresses[0]?.port}`),
        [`broker-a/0/${portA}`, `broker-b/0/${portB}`, `broker-a/1/${portA}`, `broker-b/1/${portB}`],
      );
      assert.ok(messageQueues.every(({ topic }) => topic?.resourceNamespace === 'space'));
    });

    it('show the way through here to whom another address has led here, in assignments too', async () => {
      const dialled = { scheme: AddressScheme.DOMAIN_NAME, addresses: [{ host: 'mq.example.com', port: 443 }] };
      const request = { topic: TOPIC, group: GROUP, endpoints: dialled };
      const { messageQueues } = await relay.client.unary(Messaging, 'queryRoute', request, CLIENT);
      assert.deepEqual(
        messageQueues.map(({ broker, id }) => `${broker?.name}/${id}`),
        ['broker-a/0', 'broker-b/0', 'broker-a/1', 'broker-b/1'],
      );
      for (const { broker } of messageQueues) assert.deepEqual(broker?.endpoints, dialled);
      const { assignments } = await relay.client.unary(Messaging, 'queryAssignment', request, CLIENT);
      for (const { messageQueue } of assignments) assert.deepEqual(messageQueue?.broker?.endpoints, dialled);
      assert.equal(assignments.length, 1);
    });

    it('show the brokers themselves to whom their network has led here, in assignments too', async () => {
      const dialled = { scheme: AddressScheme.IPv4, addresses: [{ host: '127.0.0.1', port: relay.port }] };
      const request = { topic: TOPIC, group: GROUP, endpoints: dialled };
      const { messageQueues } = await relay.client.unary(Messaging, 'queryRoute', request, CLIENT);
      assert.equal(messageQueues[0]?.broker?.endpoints?.addresses[0]?.port, portA);
      const { assignments } = await relay.client.unary(Messaging, 'queryAssignment', request, CLIENT);
      assert.deepEqual(assignments[0]?.messageQueue?.broker?.endpoints?.addresses, [OWN_ADDRESS]);
    });

    it('are refused for endpoints that nobody can dial', async () => {
      const dialled = { scheme: AddressScheme.IPv4, addresses: [{ host: '127.0.0.1', port: 0 }] };
      const request = { topic: TOPIC, group: GROUP, endpoints: dialled };
      for (const method of ['queryRoute', 'queryAssignment'] as const) {
        const { status } = await relay.client.unary(Messaging, method, request, CLIENT);
        assert.equal(status?.code, Code.ILLEGAL_ACCESS_POINT);
        assert.match(status!.message, /a port of 1 to 65535; found 0/);
      }
    });

    it('says what is wrong', async () => {
      assert.equal((await query('nothing')).status?.code, Code.TOPIC_NOT_FOUND);
      assert.equal((await query('../x')).status?.code, Code.ILLEGAL_TOPIC);
      assert.equal((await query('TBW102')).status?.code, Code.ILLEGAL_TOPIC);
      assert.equal((await query('orders', { timeoutMs: 1000 })).status?.code, Code.CLIENT_ID_REQUIRED);
    });

    it('waits for brokers to register after a start', async () => {
      const fresh = await TestRelay.start(3000);
      try {
        const request = { topic: TOPIC, endpoints: undefined };
        const answer = fresh.client.unary(Messaging, 'queryRoute', request, CLIENT);
        setTimeout(() => fresh.register('broker-a', portA, ['orders']), 100);
        assert.equal((await answer).messageQueues.length, 2);
      } finally {
        await fresh.stop();
      }
    });
  });

  describe('heartbeats', () => {
    it('reach all brokers with the metadata of the client, and nothing internal from outside', async () => {
      const metadata = [
        ...CLIENT.metadata!,
        ['x-orbitmq-client-address', 'forged'],
        ['authorization', 'secret'],
      ] as const;
      const request = { group: GROUP, clientType: 2 as const };
      const options = { ...CLIENT, metadata: metadata as Iterable<readonly [string, string]> };
      const { status } = await relay.client.unary(Messaging, 'heartbeat', request, options);
      assert.equal(status?.code, Code.OK);
      for (const broker of [brokerA, brokerB]) {
        const passed = broker.calls[0]!.metadata;
        assert.equal(passed.get('x-mq-client-id'), 'client-1');
        assert.equal(passed.get('authorization'), 'secret');
        assert.match(passed.get('x-orbitmq-client-address')!, /^127\.0\.0\.1:\d+$/);
      }
    });

    it('are accepted when only one broker accepts, whatever the others say', async () => {
      const beat = () => relay.client.unary(Messaging, 'heartbeat', { group: GROUP, clientType: 2 }, CLIENT);
      brokerA.refusal = 'RESOURCE_EXHAUSTED';
      try {
        assert.equal((await beat()).status?.code, Code.OK);
        brokerB.refusal = 'DATA_LOSS';
        assert.notEqual((await beat()).status?.code, Code.OK);
      } finally {
        brokerA.refusal = undefined;
        brokerB.refusal = undefined;
      }
    });

    it('are accepted when one broker is', async () => {
      relay.register('broker-a', 1, ['orders']);
      const { status } = await relay.client.unary(Messaging, 'heartbeat', { group: GROUP, clientType: 2 }, CLIENT);
      assert.equal(status?.code, Code.OK);
    });
  });

  describe('sends', () => {
    it('take turns, and stay with one broker for a message group', async () => {
      const turns = [await send(messageOf()), await send(messageOf())].map(({ from }) => from);
      assert.deepEqual(turns.sort(), ['broker-a', 'broker-b']);
      const seen = new Map<string, Set<string | undefined>>();
      for (let round = 0; round < 3; round++) {
        for (const group of ['g1', 'g2', 'g3', 'g4', 'g5', 'g6', 'g7', 'g8']) {
          const { from } = await send(messageOf(group));
          seen.set(group, (seen.get(group) ?? new Set()).add(from));
        }
      }
      assert.ok([...seen.values()].every((brokers) => brokers.size === 1));
      assert.equal(new Set([...seen.values()].map((brokers) => [...brokers][0])).size, 2);
    });

    /** A message group that belongs to broker-a while both are there. */
    const groupOfA = async (): Promise<string> => {
      for (let number = 0; ; number++)
        if ((await send(messageOf(`g${number}`))).from === 'broker-a') return `g${number}`;
    };

    it('of a message group wait for their broker when it is away for a moment', async () => {
      const group = await groupOfA();
      relay.forget('broker-a');
      const held = send(messageOf(group));
      assert.deepEqual(await send(messageOf()), { code: Code.OK, from: 'broker-b' });
      relay.register('broker-a', portA, ['orders']);
      assert.deepEqual(await held, { code: Code.OK, from: 'broker-a' });
    });

    it('of a message group go to no other broker when theirs can not be reached', async () => {
      const group = await groupOfA();
      relay.register('broker-a', 1, ['orders']);
      assert.equal((await send(messageOf(group))).code, Code.INTERNAL_SERVER_ERROR);
    });

    it('of a message group are refused when their broker is not back in time, and go on elsewhere when it stays away', async () => {
      let laterMs = 0;
      const clock: Clock = {
        ...systemClock,
        monotonicMs: () => systemClock.monotonicMs() + laterMs,
        setTimer: (delayMs, callback) => systemClock.setTimer(delayMs === 2000 ? 10 : delayMs, callback),
      };
      const fresh = await TestRelay.start(0, clock);
      try {
        fresh.register('broker-a', portA, ['orders']);
        fresh.register('broker-b', portB, ['orders']);
        const messages = [messageOf(await groupOfA())];
        const sendThere = () => fresh.client.unary(Messaging, 'sendMessage', { messages }, CLIENT);
        fresh.forget('broker-a');
        const { status } = await sendThere();
        assert.equal(status?.code, Code.INTERNAL_SERVER_ERROR);
        assert.match(status!.message, /"broker-a" .* is not registered at the moment/);
        laterMs = 30_000;
        assert.equal((await sendThere()).entries[0]?.messageId, 'broker-b');
      } finally {
        await fresh.stop();
      }
    });

    it('go to another broker when one can not be reached', async () => {
      relay.register('broker-a', 1, ['orders']);
      for (let count = 0; count < 4; count++)
        assert.deepEqual(await send(messageOf()), { code: Code.OK, from: 'broker-b' });
    });

    it('are not repeated when a broker may have the message', async () => {
      relay.forget('broker-b');
      const broker = new TestBroker('broker-a');
      const { promise, resolve } = Promise.withResolvers<void>();
      broker.sendGate = promise;
      relay.register('broker-a', await broker.start(), ['orders']);
      const answer = send(messageOf());
      await until('the broker has the message', () => broker.callsOf('SendMessage') === 1);
      await broker.stop();
      assert.deepEqual(await answer, { code: Code.PROXY_TIMEOUT, from: undefined });
      resolve();
    });

    it('end before the deadline of the client, which is passed on', async () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      for (const broker of [brokerA, brokerB]) broker.sendGate = promise;
      try {
        const options = { ...CLIENT, timeoutMs: 1000 };
        const told = await relay.client.unary(Messaging, 'sendMessage', { messages: [messageOf()] }, options).then(
          ({ status }) => status?.code,
          // The client's own deadline, on a machine that stood still for a moment.
          (error: RpcError) => error.status,
        );
        assert.ok(told === Code.PROXY_TIMEOUT || told === 'DEADLINE_EXCEEDED', String(told));
        const [call, ...others] = [...brokerA.calls, ...brokerB.calls];
        assert.equal(others.length, 0);
        assert.ok(call!.remainingMs <= 900, `the broker has ${call!.remainingMs} ms`);
      } finally {
        resolve();
        for (const broker of [brokerA, brokerB]) broker.sendGate = undefined;
      }
    });

    it('say so when no broker is there, or the topic is not', async () => {
      relay.forget('broker-a');
      assert.equal(
        (await send({ ...messageOf(), topic: { resourceNamespace: '', name: 'nothing' } })).from,
        'broker-b',
      );
      relay.forget('broker-b');
      assert.equal((await send(messageOf())).code, Code.INTERNAL_SERVER_ERROR);
    });

    it('refuse bytes that are no message', async () => {
      const path = '/apache.rocketmq.v2.MessagingService/SendMessage';
      const sent = relay.client.raw.unary(path, Buffer.from([0x0a, 0x7f, 0x01]), CLIENT);
      await assert.rejects(sent, (error: RpcError) => error.status === 'INVALID_ARGUMENT');
    });
  });

  describe('receives', () => {
    it('come from the broker that the queue names, else from one of the topic', async () => {
      assert.equal((await receive('broker-b'))[0]?.status?.message, 'broker-b');
      assert.match((await receive('unknown'))[0]!.status!.message, /^broker-[ab]$/);
    });

    it('hold an error for a second', async () => {
      relay.register('broker-a', 1, ['orders']);
      const startedMs = performance.now();
      const [first, last] = await receive('broker-a');
      assert.ok(performance.now() - startedMs >= 990);
      assert.equal(first?.status?.code, Code.INTERNAL_SERVER_ERROR);
      assert.match(first!.status!.message, /"broker-a" can't be reached/);
      assert.ok(last?.deliveryTimestamp);
      brokerB.receiveMode = 'cut';
      assert.equal((await receive('broker-b'))[0]?.status?.code, Code.PROXY_TIMEOUT);
      brokerB.receiveMode = 'message';
    });

    it('end without an error when the name server stops', async () => {
      const stopping = await TestRelay.start();
      stopping.register('broker-a', portA, ['orders']);
      brokerA.receiveMode = 'wait';
      const waiting = receive('broker-a', CLIENT, stopping);
      await until('it waits at the broker', () => brokerA.openReceives === 1);
      const stopped = stopping.stopServer(3000);
      const [first] = await waiting;
      assert.equal(first?.status?.code, Code.MESSAGE_NOT_FOUND);
      await stopped;
      await stopping.stop();
      brokerA.receiveMode = 'message';
    });

    it('end at the broker when the client goes, more of them than one connection carries', async () => {
      brokerA.receiveMode = 'wait';
      const abort = new AbortController();
      const waiting = Array.from({ length: 250 }, () => receive('broker-a', { ...CLIENT, signal: abort.signal }));
      await until('all wait at the broker', () => brokerA.openReceives === 250);
      abort.abort();
      await Promise.allSettled(waiting);
      await until('none waits any more', () => brokerA.openReceives === 0);
      brokerA.receiveMode = 'message';
    });
  });

  describe('acknowledgements', () => {
    const ack = (handles: readonly string[]) =>
      relay.client.unary(
        Messaging,
        'ackMessage',
        {
          group: GROUP,
          topic: TOPIC,
          entries: handles.map((receiptHandle, id) => ({ messageId: String(id), receiptHandle })),
        },
        CLIENT,
      );

    it('go to the broker of the handle', async () => {
      assert.equal((await ack([brokerB.handle(1), brokerB.handle(2)])).status?.code, Code.OK);
      assert.equal(brokerB.callsOf('AckMessage'), 1);
      assert.equal(brokerA.callsOf('AckMessage'), 0);
    });

    it('are split by broker and put together in order', async () => {
      const handles = [brokerA.handle(1), brokerB.handle(2), brokerA.handle(3)];
      const { status, entries } = await ack(handles);
      assert.equal(status?.code, Code.OK);
      assert.deepEqual(
        entries.map(({ receiptHandle }) => receiptHandle),
        handles,
      );
      assert.equal(brokerA.callsOf('AckMessage'), 1);
    });

    it('tell which entries failed', async () => {
      const lost = new TestBroker('broker-z');
      const { status, entries } = await ack([brokerA.handle(1), lost.handle(1)]);
      assert.equal(status?.code, Code.MULTIPLE_RESULTS);
      assert.deepEqual(
        entries.map((entry) => entry.status?.code),
        [Code.OK, Code.INTERNAL_SERVER_ERROR],
      );
      assert.equal((await ack([lost.handle(1)])).status?.code, Code.INTERNAL_SERVER_ERROR);
    });

    it('tell which entries a broker has refused in terms of gRPC', async () => {
      brokerB.refusal = 'RESOURCE_EXHAUSTED';
      try {
        const { entries } = await ack([brokerA.handle(1), brokerB.handle(1)]);
        assert.deepEqual(
          entries.map((entry) => entry.status?.code),
          [Code.OK, Code.TOO_MANY_REQUESTS],
        );
      } finally {
        brokerB.refusal = undefined;
      }
    });

    it('leave it to a broker to judge what is no handle', async () => {
      assert.equal((await ack(['no handle'])).status?.code, Code.OK);
      assert.equal(brokerA.callsOf('AckMessage') + brokerB.callsOf('AckMessage'), 1);
    });

    it('change the invisible time where the message is', async () => {
      const request = {
        group: GROUP,
        topic: TOPIC,
        receiptHandle: brokerB.handle(1),
        invisibleDuration: undefined,
        messageId: '',
      };
      const { receiptHandle } = await relay.client.unary(Messaging, 'changeInvisibleDuration', request, CLIENT);
      assert.equal(receiptHandle, 'broker-b');
    });

    it('hand a message over to the dead letters where it is', async () => {
      const request = {
        group: GROUP,
        topic: TOPIC,
        receiptHandle: brokerB.handle(1),
        messageId: '',
        deliveryAttempt: 1,
        maxDeliveryAttempts: 1,
      };
      const { status } = await relay.client.unary(Messaging, 'forwardMessageToDeadLetterQueue', request, CLIENT);
      assert.equal(status?.code, Code.OK);
      assert.equal(brokerB.callsOf('ForwardMessageToDeadLetterQueue'), 1);
      assert.equal(brokerA.callsOf('ForwardMessageToDeadLetterQueue'), 0);
    });
  });
});
