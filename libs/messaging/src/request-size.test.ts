import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { MIB } from '@orbitmq/base';
import { AckMessageRequest, Code, MessagingServiceDefinition } from '@orbitmq/protocol/apache.rocketmq.v2';
import { RpcError } from '@orbitmq/rpc';
import { as, message, TestBroker } from './test-broker.ts';

let broker: TestBroker;
before(async () => {
  broker = await TestBroker.start();
  await broker.makeTopic('orders');
});
after(() => broker.stop());

test('megabytes of empty entries are refused before they become objects', async () => {
  const entry = { messageId: '', receiptHandle: '' };
  const request = { ...AckMessageRequest.decode(new Uint8Array()), entries: new Array(MIB).fill(entry) };
  await assert.rejects(
    broker.client.unary(MessagingServiceDefinition, 'ackMessage', request, as('consumer')),
    (error) =>
      error instanceof RpcError &&
      error.status === 'RESOURCE_EXHAUSTED' &&
      /AckMessage has at most 1048576/.test(error.message),
  );
});

test('a message may be as large as the broker takes it', async () => {
  const { status } = await broker.send(message('large', { body: Buffer.alloc(4 * MIB) }));
  assert.equal(status?.code, Code.OK);
});
