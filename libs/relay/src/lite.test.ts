import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import {
  Code,
  type Endpoints,
  type MessageQueue,
  MessagingServiceDefinition as Messaging,
  SystemProperties,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import type { CallOptions } from '@orbitmq/rpc';
import { TestBroker, TestRelay } from './test-broker.ts';

const TOPIC = { resourceNamespace: '', name: 'lite-orders' };
const GROUP = { resourceNamespace: '', name: 'group' };
const CLIENT: CallOptions = { metadata: [['x-mq-client-id', 'client-1']], timeoutMs: 5000 };
const ACCESS_POINT: Endpoints = { scheme: 3, addresses: [{ host: 'names.example', port: 9876 }] };
const OK = { code: Code.OK, message: 'OK' };

describe('lite topics', () => {
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
    relay.register('broker-a', portA, ['lite-orders', 'orders']);
    relay.register('broker-b', portB, ['lite-orders', 'orders', 'lite-only-b']);
    for (const broker of [brokerA, brokerB]) {
      broker.calls.length = 0;
      broker.liteStatus = OK;
    }
  });

  after(async () => {
    await relay.stop();
    await Promise.all([brokerA.stop(), brokerB.stop()]);
  });

  const sync = async (name: string): Promise<number | undefined> => {
    const request = { action: 0 as const, topic: { ...TOPIC, name }, group: GROUP, liteTopicSet: ['one'] };
    return (await relay.client.unary(Messaging, 'syncLiteSubscription', request, CLIENT)).status?.code;
  };
  const syncedAt = (): number[] => [brokerA, brokerB].map((broker) => broker.callsOf('SyncLiteSubscription'));

  it('are subscribed to at all brokers of their parent, and at no other', async () => {
    assert.equal(await sync('lite-orders'), Code.OK);
    assert.deepEqual(syncedAt(), [1, 1]);
    assert.equal(await sync('lite-only-b'), Code.OK);
    assert.deepEqual(syncedAt(), [1, 2]);
  });

  it('are refused when one broker refuses', async () => {
    brokerB.liteStatus = { code: Code.LITE_SUBSCRIPTION_QUOTA_EXCEEDED, message: 'too many' };
    assert.equal(await sync('lite-orders'), Code.LITE_SUBSCRIPTION_QUOTA_EXCEEDED);
  });

  it('are subscribed to when one broker can not be reached, but not when none can', async () => {
    relay.register('broker-a', 1, ['lite-orders']);
    assert.equal(await sync('lite-orders'), Code.OK);
    relay.register('broker-b', 1, ['lite-orders']);
    assert.equal(await sync('lite-orders'), Code.INTERNAL_SERVER_ERROR);
  });

  it('of an unknown parent are left to a broker to refuse', async () => {
    brokerA.liteStatus = brokerB.liteStatus = { code: Code.TOPIC_NOT_FOUND, message: 'no such topic' };
    assert.equal(await sync('lite-nowhere'), Code.TOPIC_NOT_FOUND);
    assert.equal(syncedAt()[0]! + syncedAt()[1]!, 1);
  });

  it('stay each with one broker', async () => {
    const seen = new Map<string, Set<string | undefined>>();
    for (let round = 0; round < 3; round++) {
      for (const liteTopic of ['l1', 'l2', 'l3', 'l4', 'l5', 'l6', 'l7', 'l8']) {
        const systemProperties = { ...SystemProperties.decode(new Uint8Array()), liteTopic };
        const message = { topic: TOPIC, userProperties: new Map(), systemProperties, body: Buffer.from('body') };
        const { entries } = await relay.client.unary(Messaging, 'sendMessage', { messages: [message] }, CLIENT);
        seen.set(liteTopic, (seen.get(liteTopic) ?? new Set()).add(entries[0]?.messageId));
      }
    }
    assert.ok([...seen.values()].every((brokers) => brokers.size === 1));
    assert.equal(new Set([...seen.values()].map((brokers) => [...brokers][0])).size, 2);
  });

  describe('routes', () => {
    const hostsOf = (queues: readonly MessageQueue[]): string[] => [
      ...new Set(queues.map(({ broker }) => `${broker?.name} ${broker?.endpoints?.addresses[0]?.host}`)),
    ];
    const routed = async (name: string, endpoints: Endpoints | undefined): Promise<string[]> => {
      const request = { topic: { ...TOPIC, name }, endpoints };
      return hostsOf((await relay.client.unary(Messaging, 'queryRoute', request, CLIENT)).messageQueues);
    };

    it('of a parent on several brokers lead through the access point', async () => {
      const through = ['broker-a names.example', 'broker-b names.example'];
      assert.deepEqual((await routed('lite-orders', ACCESS_POINT)).sort(), through);
    });

    it('of all others lead to the brokers, where the client can reach them', async () => {
      const own: Endpoints = { scheme: 1, addresses: [{ host: '127.0.0.1', port: relay.port }] };
      const direct = ['broker-a 127.0.0.1', 'broker-b 127.0.0.1'];
      assert.deepEqual((await routed('orders', own)).sort(), direct);
      assert.deepEqual((await routed('lite-orders', undefined)).sort(), direct);
      assert.deepEqual(await routed('lite-only-b', own), ['broker-b 127.0.0.1']);
    });
  });
});
