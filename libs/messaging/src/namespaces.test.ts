import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  AckMessageRequest,
  Code,
  MessagingServiceDefinition,
  type Resource,
  SendMessageRequest,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import type { CallOptions } from '@orbitmq/rpc';
import { as, handleOf, message, TestBroker } from './test-broker.ts';

let broker: TestBroker;
before(async () => {
  broker = await TestBroker.start();
  await broker.makeTopic('orders');
});
after(() => broker.stop());

/** A topic or group as a client of a tenant names it. */
const inSpace = (resourceNamespace: string, name: string): Resource => ({ resourceNamespace, name });

/** Options of a call of such a client. */
const from = (resourceNamespace: string, clientId: string): CallOptions =>
  as(clientId, { 'x-mq-namespace': resourceNamespace });

async function sendFrom(resourceNamespace: string, id: string): Promise<Code | undefined> {
  const { status } = await broker.client.unary(
    MessagingServiceDefinition,
    'sendMessage',
    {
      ...SendMessageRequest.decode(new Uint8Array()),
      messages: [{ ...message(id), topic: inSpace(resourceNamespace, 'orders') }],
    },
    from(resourceNamespace, `producer-${resourceNamespace}`),
  );
  return status?.code;
}

async function receiveFrom(resourceNamespace: string): Promise<{ ids: string[]; handles: string[] }> {
  const request = broker.receiveRequest();
  const ids: string[] = [];
  const handles: string[] = [];
  const responses = broker.client.serverStream(
    MessagingServiceDefinition,
    'receiveMessage',
    {
      ...request,
      group: inSpace(resourceNamespace, 'group'),
      messageQueue: { ...request.messageQueue!, topic: inSpace(resourceNamespace, 'orders') },
    },
    from(resourceNamespace, 'consumer'),
  );
  for await (const { message: received } of responses) {
    if (!received) continue;
    ids.push(received.systemProperties!.messageId);
    handles.push(handleOf(received));
  }
  return { ids, handles };
}

test('the name alone says which topic and group it is, whatever namespace a call brings', async () => {
  assert.equal(await sendFrom('tenant', 'first'), Code.OK);
  assert.equal(await sendFrom('', 'second'), Code.OK);
  const { ids, handles } = await receiveFrom('tenant');
  assert.deepEqual(ids.sort(), ['first', 'second']);
  // Node leaves the namespace out of the acks of what it has received with one
  for (const [index, resourceNamespace] of ['', 'tenant'].entries()) {
    const { status } = await broker.client.unary(
      MessagingServiceDefinition,
      'ackMessage',
      {
        ...AckMessageRequest.decode(new Uint8Array()),
        group: inSpace(resourceNamespace, 'group'),
        topic: inSpace(resourceNamespace, 'orders'),
        entries: [{ messageId: ids[index]!, receiptHandle: handles[index]! }],
      },
      from('tenant', 'consumer'),
    );
    assert.equal(status?.code, Code.OK);
  }
});

test('a group is one group for all namespaces: what one of its clients has taken is not given to another', async () => {
  assert.equal(await sendFrom('one', 'agreed'), Code.OK);
  const { ids } = await receiveFrom('two');
  assert.deepEqual(ids, ['agreed']);
  assert.deepEqual(
    [...broker.shard.metadata.groups()].map(({ name }) => name),
    ['group'],
  );
});

test('assignments come back with the namespace of the request', async () => {
  const topic = inSpace('tenant', 'orders');
  const { assignments } = await broker.client.unary(
    MessagingServiceDefinition,
    'queryAssignment',
    { topic, group: inSpace('tenant', 'group'), endpoints: undefined },
    from('tenant', 'consumer'),
  );
  assert.deepEqual(
    assignments.map(({ messageQueue }) => messageQueue?.topic),
    [topic],
  );
});
