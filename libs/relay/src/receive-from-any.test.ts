import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Code, MessagingServiceDefinition as Messaging } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { CallOptions } from '@orbitmq/rpc';
import { TestBroker, TestRelay } from './test-broker.ts';

const TOPIC = { resourceNamespace: '', name: 'orders' };
const GROUP = { resourceNamespace: '', name: 'group' };
const CLIENT: CallOptions = { metadata: [['x-mq-client-id', 'client-1']], timeoutMs: 20_000 };

interface Received {
  readonly code: number | undefined;
  readonly text: string | undefined;
  readonly bodies: readonly string[];
}

async function until(what: string, condition: () => boolean, deadlineMs = 30_000): Promise<void> {
  const endMs = performance.now() + deadlineMs;
  while (!condition()) {
    if (performance.now() > endMs) assert.fail(`not within ${deadlineMs} ms: ${what}`);
    await sleep(5);
  }
}

describe('a receive of a simple consumer by the relay', () => {
  let relay: TestRelay;
  let brokerA: TestBroker;
  let brokerB: TestBroker;

  before(async () => {
    relay = await TestRelay.start();
  });

  beforeEach(async () => {
    brokerA = new TestBroker('broker-a');
    brokerB = new TestBroker('broker-b');
    for (const broker of [brokerA, brokerB]) relay.register(broker.name, await broker.start(), ['orders']);
  });

  afterEach(() => Promise.all([brokerA.stop(), brokerB.stop()]));
  after(() => relay.stop());

  const receive = async (
    brokerName: string,
    options: CallOptions = CLIENT,
    through: TestRelay = relay,
    pollingS = 5,
  ): Promise<Received> => {
    const broker = { name: brokerName, id: 0, endpoints: undefined };
    const request = {
      group: GROUP,
      messageQueue: { topic: TOPIC, id: 0, permission: 4 as const, broker, acceptMessageTypes: [] },
      filterExpression: undefined,
      batchSize: 16,
      autoRenew: false,
      longPollingTimeout: { seconds: BigInt(pollingS), nanos: 0 },
    };
    const [bodies, statuses]: [string[], { code: number; message: string }[]] = [[], []];
    for await (const response of through.client.serverStream(Messaging, 'receiveMessage', request, options)) {
      if (response.status) statuses.push(response.status);
      if (response.message) bodies.push(Buffer.from(response.message.body).toString());
    }
    assert.ok(statuses.length <= 1);
    return { code: statuses[0]?.code, text: statuses[0]?.message, bodies };
  };
  const receivesAt = (): number[] => [brokerA, brokerB].map((broker) => broker.callsOf('ReceiveMessage'));
  const untilWaiting = (): Promise<void> =>
    until('it waits at both brokers', () => brokerA.openReceives === 1 && brokerB.openReceives === 1);

  it('is one call when the broker that it names has messages', async () => {
    brokerA.add('1', '2');
    brokerB.add('3');
    assert.deepEqual(await receive('broker-a'), { code: Code.OK, text: 'OK', bodies: ['1', '2'] });
    assert.deepEqual(receivesAt(), [1, 0]);
  });

  it('gets what the other broker has', async () => {
    brokerB.add('1');
    assert.deepEqual((await receive('broker-a')).bodies, ['1']);
    assert.deepEqual(receivesAt(), [1, 1]);
  });

  it('gets what comes to any broker while it waits, and nothing is handed out to nobody', async () => {
    for (const broker of [brokerA, brokerB]) {
      const receiving = receive('broker-a');
      await untilWaiting();
      broker.add(broker.name);
      assert.deepEqual((await receiving).bodies, [broker.name]);
      await until('nothing waits', () => brokerA.openReceives + brokerB.openReceives === 0);
    }
    assert.deepEqual([brokerA.handedOut, brokerB.handedOut], [['broker-a'], ['broker-b']]);
  });

  it('leaves what comes to both at once to the next', async () => {
    const receiving = receive('broker-a');
    await untilWaiting();
    brokerA.add('a');
    brokerB.add('b');
    const bodies = [...(await receiving).bodies, ...(await receive('broker-a')).bodies];
    assert.deepEqual(bodies.sort(), ['a', 'b']);
  });

  it('waits on when a broker says too early that nothing came', async () => {
    const receiving = receive('broker-a');
    await untilWaiting();
    brokerB.add();
    await until('it has looked again', () => brokerB.callsOf('ReceiveMessage') >= 3);
    brokerA.add('late');
    assert.deepEqual((await receiving).bodies, ['late']);
  });

  it('ends empty after its polling time', async () => {
    const startedMs = performance.now();
    assert.equal((await receive('broker-a')).code, Code.MESSAGE_NOT_FOUND);
    assert.ok(performance.now() - startedMs >= 4_900);
    await until('nothing waits', () => brokerA.openReceives + brokerB.openReceives === 0);
  });

  it('takes nothing when the client goes', async () => {
    const abort = new AbortController();
    const receiving = receive('broker-a', { ...CLIENT, signal: abort.signal });
    await untilWaiting();
    abort.abort();
    await assert.rejects(receiving);
    await until('nothing waits', () => brokerA.openReceives + brokerB.openReceives === 0);
    brokerA.add('kept');
    await sleep(50);
    assert.deepEqual(brokerA.handedOut, []);
  });

  it('ends empty when the name server stops', async () => {
    const stopping = await TestRelay.start();
    for (const broker of [brokerA, brokerB]) stopping.register(broker.name, broker.port, ['orders']);
    const receiving = receive('broker-a', CLIENT, stopping, 15);
    await untilWaiting();
    const stopped = stopping.stopServer(3000);
    assert.equal((await receiving).code, Code.MESSAGE_NOT_FOUND);
    await stopped;
    await stopping.stop();
  });

  it('goes on with the others when a broker is away, and with that one when it is back', async () => {
    await brokerB.stop();
    brokerA.add('1');
    assert.deepEqual((await receive('broker-b')).bodies, ['1']);
    const receiving = receive('broker-b', CLIENT, relay, 15);
    await until('it waits at the other', () => brokerA.openReceives === 1);
    brokerB = new TestBroker('broker-b');
    relay.register('broker-b', await brokerB.start(), ['orders']);
    brokerB.add('back');
    assert.deepEqual((await receiving).bodies, ['back']);
  });

  it('goes on with the others when a broker is in trouble', async () => {
    brokerA.receiveStatus = { code: Code.TOO_MANY_REQUESTS, message: 'busy' };
    brokerB.add('1');
    assert.deepEqual((await receive('broker-a')).bodies, ['1']);
    brokerB.receiveStatus = { code: Code.INTERNAL_SERVER_ERROR, message: 'broken' };
    const { code, text } = await receive('broker-a');
    assert.deepEqual([code, text], [Code.TOO_MANY_REQUESTS, 'busy']);
  });

  it('tells that a broker has messages and can not give them', async () => {
    const receiving = receive('broker-a', CLIENT, relay, 15);
    await untilWaiting();
    brokerB.takeStatus = { code: Code.TOO_MANY_REQUESTS, message: 'too much is out' };
    brokerB.add('1');
    const { code, text } = await receiving;
    assert.deepEqual([code, text], [Code.TOO_MANY_REQUESTS, 'too much is out']);
  });

  it('is refused in the words of the broker', async () => {
    brokerA.receiveStatus = { code: Code.ILLEGAL_FILTER_EXPRESSION, message: 'no such filter' };
    brokerB.add('1');
    const { code, text } = await receive('broker-a');
    assert.deepEqual([code, text], [Code.ILLEGAL_FILTER_EXPRESSION, 'no such filter']);
  });

  it('says so when no broker is there', async () => {
    await Promise.all([brokerA.stop(), brokerB.stop()]);
    const startedMs = performance.now();
    assert.equal((await receive('broker-a')).code, Code.INTERNAL_SERVER_ERROR);
    assert.ok(performance.now() - startedMs >= 990);
  });
});
