import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { AdminClient } from '@orbitmq/client';
import { Code, FilterType, MessageType, type Status } from '@orbitmq/protocol/apache.rocketmq.v2';
import { RpcError } from '@orbitmq/rpc';
import { type Cluster, type Member, startCluster } from '../cluster.ts';
import { waitUntil } from '../interop/child.ts';
import { type MessageFields, MessagingClient, newMessage } from './messaging-client.ts';

const TOPIC = 'errors';
const FIFO_TOPIC = 'errors-fifo';
const GROUP = 'errors-group';
const PATH = '/apache.rocketmq.v2.MessagingService';

/** What a refusal must be. */
interface Refusal {
  readonly code: Code;
  /** What the text must name. */
  readonly names?: RegExp;
}

const LONG = 'x'.repeat(200);

/** Sends that must be refused. */
const REFUSED_SENDS: readonly (readonly [what: string, fields: Partial<MessageFields>, refusal: Refusal])[] = [
  ['a topic with a bad character', { topic: 'bad/topic' }, { code: Code.ILLEGAL_TOPIC, names: /bad\/topic/ }],
  ['a blank topic', { topic: '  ' }, { code: Code.ILLEGAL_TOPIC }],
  ['a topic that is too long', { topic: LONG }, { code: Code.ILLEGAL_TOPIC, names: /127/ }],
  ['a topic of the system', { topic: 'rmq_sys_REVIVE_LOG' }, { code: Code.ILLEGAL_TOPIC, names: /rmq_sys_REVIVE_LOG/ }],
  ['a topic that nobody made', { topic: 'nobody-made-it' }, { code: Code.TOPIC_NOT_FOUND, names: /nobody-made-it/ }],
  ['an ordinary message for a FIFO topic', { topic: FIFO_TOPIC }, { code: Code.MESSAGE_PROPERTY_CONFLICT_WITH_TYPE }],
  ['a message group for an ordinary topic', { group: 'g' }, { code: Code.MESSAGE_PROPERTY_CONFLICT_WITH_TYPE }],
  ['an empty body', { body: new Uint8Array(0) }, { code: Code.MESSAGE_BODY_EMPTY }],
  [
    'a body over 4 MiB',
    { body: new Uint8Array(4 * 1024 * 1024 + 1) },
    { code: Code.MESSAGE_BODY_TOO_LARGE, names: /4194304/ },
  ],
  ['properties over 16 KiB', { properties: { big: 'v'.repeat(17_000) } }, { code: Code.MESSAGE_PROPERTIES_TOO_LARGE }],
  ['129 properties', { properties: manyProperties(129) }, { code: Code.MESSAGE_PROPERTIES_TOO_LARGE }],
  ['a reserved property', { properties: { KEYS: 'k' } }, { code: Code.ILLEGAL_MESSAGE_PROPERTY_KEY, names: /KEYS/ }],
  ['a control character in a property', { properties: { a: 'x\u0001' } }, { code: Code.ILLEGAL_MESSAGE_PROPERTY_KEY }],
  ['a blank tag', { tag: ' ' }, { code: Code.ILLEGAL_MESSAGE_TAG }],
  ['a tag with a bar', { tag: 'a|b' }, { code: Code.ILLEGAL_MESSAGE_TAG, names: /a\|b/ }],
  ['a blank key', { keys: ['ok', ' '] }, { code: Code.ILLEGAL_MESSAGE_KEY }],
  [
    'a message group that is too long',
    { topic: FIFO_TOPIC, group: 'g'.repeat(64) },
    { code: Code.ILLEGAL_MESSAGE_GROUP },
  ],
  ['a blank message id', { messageId: ' ' }, { code: Code.ILLEGAL_MESSAGE_ID }],
];

function manyProperties(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`p${index}`, 'v']));
}

describe('what is refused', () => {
  let cluster: Cluster;
  let broker: Member;
  let client: MessagingClient;
  let filesBefore = 0;

  before(async () => {
    cluster = await startCluster({
      brokerProperties: { autoCreateTopicEnable: false, autoCreateSubscriptionGroup: false },
    });
    broker = cluster.brokers[0]!;
    client = new MessagingClient(broker.endpoint);
    const admin = new AdminClient({ address: `127.0.0.1:${broker.adminPort}` });
    const none = { attributesRemoved: [] };
    await admin.putTopic({ name: TOPIC, attributesPut: new Map(), ...none });
    await admin.putTopic({ name: FIFO_TOPIC, attributesPut: new Map([['message.type', 'FIFO']]), ...none });
    await admin.putGroup({ name: GROUP, retryPolicy: undefined, attributesPut: new Map(), ...none });
    admin.close();
    assertRefused((await client.send({ topic: TOPIC, body: Buffer.from('warm') })).status, { code: Code.OK });
    filesBefore = openFiles(broker);
  });

  after(async () => {
    client.close();
    await cluster.stop();
  });

  for (const [what, fields, refusal] of REFUSED_SENDS) {
    it(`${what}`, async () => {
      const answer = await client.send({ topic: TOPIC, ...fields });
      assertRefused(answer.status, refusal);
    });
  }

  it('a send without messages, or for two topics', async () => {
    assertRefused((await client.sendRaw([])).status, { code: Code.MESSAGE_CORRUPTED });
    const two = await client.send({ topic: TOPIC }, { topic: FIFO_TOPIC, group: 'g' });
    assertRefused(two.status, { code: Code.MESSAGE_CORRUPTED });
  });

  it('a type that the topic does not take', async () => {
    const answer = await client.send({ topic: TOPIC, type: MessageType.TRANSACTION });
    assert.notEqual(answer.status?.code, Code.OK);
    assert.notEqual(answer.status?.message, '');
  });

  it('a call without a client id', async () => {
    using nameless = new MessagingClient(broker.endpoint, null);
    assertRefused((await nameless.send({ topic: TOPIC })).status, { code: Code.CLIENT_ID_REQUIRED });
    using blank = new MessagingClient(broker.endpoint, ' ');
    assertRefused((await blank.send({ topic: TOPIC })).status, { code: Code.CLIENT_ID_REQUIRED });
  });

  it('receives with bad groups, topics, filters and times', async () => {
    const good = { topic: TOPIC, group: GROUP, brokerName: broker.name };
    const expected: readonly (readonly [fields: object, refusal: Refusal])[] = [
      [{ group: 'no group!' }, { code: Code.ILLEGAL_CONSUMER_GROUP, names: /no group!/ }],
      [{ group: 'unknown-group' }, { code: Code.CONSUMER_GROUP_NOT_FOUND, names: /unknown-group/ }],
      [{ topic: 'nobody-made-it' }, { code: Code.TOPIC_NOT_FOUND, names: /nobody-made-it/ }],
      [{ filter: { type: 9 as FilterType, expression: '*' } }, { code: Code.ILLEGAL_FILTER_EXPRESSION }],
      [{ filter: { type: FilterType.SQL, expression: '' } }, { code: Code.ILLEGAL_FILTER_EXPRESSION }],
      [{ invisibleMs: 1_000 }, { code: Code.ILLEGAL_INVISIBLE_TIME, names: /1/ }],
      [{ invisibleMs: 13 * 3_600_000 }, { code: Code.ILLEGAL_INVISIBLE_TIME }],
    ];
    for (const [fields, refusal] of expected) {
      const parts = await client.receive({ ...good, ...fields });
      assertRefused(parts.find((part) => part.status !== undefined)?.status, refusal);
    }
  });

  it('handles that are none', async () => {
    for (const handle of ['', 'nonsense', '1 2 3 4 5 broker-a 7 8 9', 'A'.repeat(5_000)]) {
      const answer = await client.ack(TOPIC, GROUP, handle);
      assertRefused(answer.entries[0]?.status ?? answer.status, { code: Code.INVALID_RECEIPT_HANDLE });
      const changed = await client.changeInvisible(TOPIC, GROUP, handle, 10_000);
      assertRefused(changed.status, { code: Code.INVALID_RECEIPT_HANDLE });
    }
  });

  it('the handle of a delivery whose time is over', async () => {
    const good = { topic: TOPIC, group: GROUP, brokerName: broker.name };
    const first = await waitUntil('a message', 30_000, async () => (await client.receiveMessages(good))[0]);
    const again = await waitUntil('it again', 30_000, async () => {
      const messages = await client.receiveMessages({ ...good, invisibleMs: 60_000 });
      return messages.find((message) => message.systemProperties?.messageId === first.systemProperties?.messageId);
    });
    assert.equal(again.systemProperties?.deliveryAttempt, 2);
    const late = await client.changeInvisible(TOPIC, GROUP, first.systemProperties!.receiptHandle!, 10_000);
    assertRefused(late.status, { code: Code.INVALID_RECEIPT_HANDLE });
    const ack = await client.ack(TOPIC, GROUP, again.systemProperties!.receiptHandle!);
    assert.equal(ack.status?.code, Code.OK, ack.status?.message);
  });

  it('a method that does not exist', async () => {
    await assert.rejects(client.rpc.raw.unary(`${PATH}/Nothing`, new Uint8Array(0), { timeoutMs: 5_000 }), {
      status: 'UNIMPLEMENTED',
    });
  });

  it('bytes that are no protobuf', async () => {
    const garbage = Buffer.from('ff'.repeat(64), 'hex');
    for (const method of ['QueryRoute', 'SendMessage', 'AckMessage', 'Heartbeat', 'QueryAssignment']) {
      const call = client.rpc.raw.unary(`${PATH}/${method}`, garbage, { metadata: client.metadata, timeoutMs: 5_000 });
      await assert.rejects(
        call,
        (error) => error instanceof RpcError && ['INTERNAL', 'INVALID_ARGUMENT'].includes(error.status),
      );
    }
  });

  it('half a request, and clients that vanish in the middle', async () => {
    for (let index = 0; index < 20; index++) {
      await sendHalf(broker.clientPort);
      await sendNoise(broker.clientPort);
    }
    const vanishing = new MessagingClient(broker.endpoint, 'vanishing');
    const waiting = vanishing.receive({ topic: TOPIC, group: GROUP, brokerName: broker.name, pollingMs: 20_000 });
    waiting.catch(() => {});
    setTimeout(() => vanishing.close(), 200);
    await assert.rejects(waiting);
    assert.equal((await client.send({ topic: TOPIC })).status?.code, Code.OK);
  });

  it('and none of it ends the process, keeps a file open or leaves an error in the log', async () => {
    assert(broker.running);
    assert.equal((await client.send({ topic: TOPIC })).status?.code, Code.OK);
    await waitUntil('no file or socket is kept open', 10_000, () => openFiles(broker) <= filesBefore + 4);
    const errors = broker.logLines().filter((line) => line.level === 'error' || line.level === 'fatal');
    assert.deepEqual(errors, []);
  });
});

function assertRefused(status: Status | undefined, refusal: Refusal): void {
  const { code, message } = status ?? { code: undefined, message: 'no status' };
  assert.equal(code, refusal.code, `${code}: ${message}`);
  if (refusal.names !== undefined) assert.match(message, refusal.names);
  if (refusal.code === Code.OK) return;
  assert.notEqual(message, '');
  assert.doesNotMatch(message, /\n\s+at |node:|\/libs\//, 'the text tells of the insides');
}

function openFiles(member: Member): number {
  return readdirSync(`/proc/${member.pid}/fd`).length;
}

/** Begins a SendMessage, sends half of its message and cuts the connection. */
function sendHalf(port: number): Promise<void> {
  return new Promise((resolve) => {
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    session.on('error', () => {});
    const stream = session.request({
      ':method': 'POST',
      ':path': `${PATH}/SendMessage`,
      te: 'trailers',
      'content-type': 'application/grpc',
      'x-mq-client-id': 'half',
    });
    stream.on('error', () => {});
    const body = Buffer.from(newMessage({ topic: TOPIC }).body);
    const prefix = Buffer.from([0, 0, 0, 1, 0]);
    stream.write(Buffer.concat([prefix, body]), () => {
      session.destroy();
      resolve();
    });
  });
}

/** Says something that is neither HTTP/2 nor TLS. */
function sendNoise(port: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.end('GET / HTTP/1.1\r\nhost: x\r\n\r\n'));
    socket.on('error', () => {});
    socket.on('data', () => {});
    socket.on('close', () => resolve());
  });
}
