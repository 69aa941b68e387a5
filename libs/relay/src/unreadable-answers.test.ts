import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '@orbitmq/base';
import {
  Code,
  MessagingServiceDefinition as Messaging,
  Settings,
  TelemetryCommand,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import { type BoundMethod, bidi, type CallOptions, type RpcServer, type Sink, serverStream, unary } from '@orbitmq/rpc';
import { serve, TestBroker, TestRelay } from './test-broker.ts';

const TOPIC = { resourceNamespace: '', name: 'orders' };
const GROUP = { resourceNamespace: '', name: 'group' };
const CLIENT: CallOptions = { metadata: [['x-mq-client-id', 'client-1']], timeoutMs: 5000 };

/** Answers everything with bytes that are no protobuf message. */
const GARBAGE = {
  decode: (bytes: Uint8Array): Uint8Array => bytes,
  encode: (): Uint8Array => Buffer.alloc(4, 0xff),
};
const methods: BoundMethod[] = [
  unary(Messaging, 'heartbeat', () => '', GARBAGE),
  unary(Messaging, 'queryAssignment', () => '', GARBAGE),
  unary(Messaging, 'ackMessage', () => '', GARBAGE),
  serverStream(
    Messaging,
    'receiveMessage',
    async (_request: Uint8Array, _call, sink: Sink<string>) => void sink.write(''),
    GARBAGE,
  ),
  bidi(
    Messaging,
    'telemetry',
    async (requests: AsyncIterable<Uint8Array>, _call, sink: Sink<string>) => {
      for await (const _ of requests) {
        garbledCount++;
        sink.write('');
      }
    },
    GARBAGE,
  ),
];
/** Telemetry commands that were answered so. */
let garbledCount = 0;

describe('an answer of a broker that can not be read', () => {
  const good = new TestBroker('broker-b');
  const nameOnly = new TestBroker('broker-a');
  let relay: TestRelay;
  let bad: RpcServer;

  before(async () => {
    relay = await TestRelay.start(0, systemClock, 'relay');
    bad = await serve(methods);
    relay.register('broker-a', bad.port, ['orders', 'only-a']);
    relay.register('broker-b', await good.start(), ['orders']);
  });

  after(async () => {
    await relay.stop();
    await Promise.all([bad.stop(0), good.stop()]);
  });

  it('is passed over where another broker has a better one', async () => {
    const { status } = await relay.client.unary(Messaging, 'heartbeat', { group: GROUP, clientType: 1 }, CLIENT);
    assert.equal(status?.code, Code.OK);
    good.add('a message');
    const request = {
      group: GROUP,
      messageQueue: {
        topic: TOPIC,
        id: 0,
        permission: 4 as const,
        broker: { name: 'broker-a', id: 0, endpoints: undefined },
        acceptMessageTypes: [],
      },
      filterExpression: undefined,
      batchSize: 1,
      autoRenew: false,
      invisibleDuration: undefined,
      longPollingTimeout: { seconds: 5n, nanos: 0 },
      attemptId: undefined,
    };
    const bodies: string[] = [];
    for await (const { message } of relay.client.serverStream(Messaging, 'receiveMessage', request, CLIENT)) {
      if (message) bodies.push(Buffer.from(message.body).toString());
    }
    assert.deepEqual(bodies, ['a message']);
  });

  it('is a failure of that broker where its part is needed', async () => {
    const handles = [nameOnly.handle(1), good.handle(1)];
    const request = {
      group: GROUP,
      topic: TOPIC,
      entries: handles.map((receiptHandle) => ({ messageId: 'm', receiptHandle, liteTopic: undefined })),
    };
    const { entries } = await relay.client.unary(Messaging, 'ackMessage', request, CLIENT);
    assert.deepEqual(
      entries.map((entry) => entry.status?.code),
      [Code.INTERNAL_SERVER_ERROR, Code.OK],
    );
    const topic = { resourceNamespace: '', name: 'only-a' };
    const endpoints = { scheme: 1 as const, addresses: [{ host: '127.0.0.1', port: relay.port }] };
    const { status } = await relay.client.unary(
      Messaging,
      'queryAssignment',
      { topic, group: GROUP, endpoints },
      CLIENT,
    );
    assert.equal(status?.code, Code.INTERNAL_SERVER_ERROR);
  });

  it('does not end the telemetry of a client: its broker is asked again', async () => {
    const call = relay.client.bidi(Messaging, 'telemetry', CLIENT);
    const settings = {
      ...Settings.decode(new Uint8Array()),
      publishing: { topics: [], maxBodySize: 0, validateMessageType: false },
    };
    call.write({ ...TelemetryCommand.decode(new Uint8Array()), settings });
    const responses = call.responses[Symbol.asyncIterator]();
    const answer = await responses.next();
    assert.equal(answer.value?.status?.code, Code.OK);
    while (garbledCount < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    call.end();
    assert.deepEqual(await responses.next(), { done: true, value: undefined });
  });
});
