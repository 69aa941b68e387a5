import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { MIB } from '@orbitmq/base';
import { MessagingServiceDefinition as Messaging, SystemProperties } from '@orbitmq/protocol/apache.rocketmq.v2';
import { type CallOptions, createRpcClient } from '@orbitmq/rpc';
import { TestBroker, TestRelay } from './test-broker.ts';

const TOPIC = { resourceNamespace: '', name: 'orders' };
const GROUP = { resourceNamespace: '', name: 'group' };
const CLIENT: CallOptions = { metadata: [['x-mq-client-id', 'client-1']], timeoutMs: 10_000 };
const SLOW_COUNT = 20;

let relay: TestRelay;
const broker = new TestBroker('broker-a');
before(async () => {
  relay = await TestRelay.start();
  relay.register(broker.name, await broker.start(), ['orders']);
});
after(async () => {
  await relay.stop();
  await broker.stop();
});

it('a client that does not read its messages holds nobody else', async () => {
  broker.receiveMode = 'large';
  const slow = Array.from({ length: SLOW_COUNT }, () =>
    createRpcClient({ addresses: [`127.0.0.1:${relay.port}`], tls: undefined }),
  );
  const queue = { topic: TOPIC, id: 0, permission: 4 as const, broker: undefined, acceptMessageTypes: [] };
  const request = { group: GROUP, messageQueue: queue, filterExpression: undefined, batchSize: 8, autoRenew: true };
  for (const client of slow) {
    const responses = client.serverStream(Messaging, 'receiveMessage', request, CLIENT)[Symbol.asyncIterator]();
    await responses.next();
  }
  broker.receiveMode = 'message';
  const message = {
    topic: TOPIC,
    userProperties: new Map(),
    systemProperties: SystemProperties.decode(new Uint8Array()),
    body: Buffer.alloc(MIB),
  };
  for (let round = 0; round < 5; round++) {
    const startedMs = performance.now();
    await relay.client.unary(Messaging, 'sendMessage', { messages: [message] }, CLIENT);
    for await (const _ of relay.client.serverStream(Messaging, 'receiveMessage', request, CLIENT));
    assert.ok(performance.now() - startedMs < 5_000, 'the others have their answers at once');
  }
  // Those of the others are over here before the broker's own ends of them.
  while (broker.openReceives > SLOW_COUNT) await setImmediate();
  assert.equal(broker.openReceives, SLOW_COUNT, 'the broker has not got rid of what nobody reads');
  for (const client of slow) client.close();
});
