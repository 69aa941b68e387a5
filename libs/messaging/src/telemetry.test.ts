import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  AddressScheme,
  ClientType,
  Code,
  FilterType,
  HeartbeatRequest,
  Language,
  MessagingServiceDefinition,
  NotifyClientTerminationRequest,
  Settings,
  type TelemetryCommand,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import { type BidiCall, type CallOptions, RpcError } from '@orbitmq/rpc';
import { MESSAGING_DEFAULTS } from './config.ts';
import { as, resource, TestBroker } from './test-broker.ts';
import { durationMs, durationOf } from './times.ts';

let broker: TestBroker;
before(async () => {
  broker = await TestBroker.start();
});
after(() => broker.stop());

type Stream = BidiCall<TelemetryCommand, TelemetryCommand>;

const open = (options: CallOptions = as('client'), where = broker): Stream =>
  where.client.bidi(MessagingServiceDefinition, 'telemetry', options);
const next = async (stream: Stream): Promise<TelemetryCommand> => {
  const { value, done } = await stream.responses[Symbol.asyncIterator]().next();
  assert.ok(!done, 'the stream has ended');
  return value;
};
const statusOf = async (stream: Stream): Promise<string> => {
  try {
    for await (const _ of stream.responses);
    return 'OK';
  } catch (error) {
    assert.ok(error instanceof RpcError);
    return error.status;
  }
};
const empty = (): Settings => Settings.decode(new Uint8Array());
const producer = (language: Language = Language.JAVA): Settings => ({
  ...empty(),
  clientType: ClientType.PRODUCER,
  accessPoint: { scheme: AddressScheme.IPv4, addresses: [{ host: '127.0.0.1', port: 8081 }] },
  requestTimeout: durationOf(3_000),
  publishing: { topics: [{ resourceNamespace: 'ns', name: 'orders' }], maxBodySize: 0, validateMessageType: false },
  userAgent: { language, version: '5.0.7', platform: 'linux', hostname: 'größe' },
  clientProperties: new Map([['zone', 'a']]),
});
const consumer = (group: string, language: Language = Language.JAVA): Settings => ({
  ...empty(),
  clientType: ClientType.PUSH_CONSUMER,
  subscription: {
    group: { resourceNamespace: 'ns', name: group },
    subscriptions: [
      { topic: { resourceNamespace: 'ns', name: 'orders' }, expression: { type: FilterType.TAG, expression: 'a' } },
    ],
    longPollingTimeout: durationOf(30_000),
  },
  userAgent: { language, version: '5.0.7', platform: 'linux', hostname: 'h' },
});

test('a Node client gets its settings again, as it may not have listened yet; others once', async () => {
  const counts: number[] = [];
  for (const language of [Language.NODE_JS, Language.JAVA]) {
    const stream = open(as(`again-${language}`));
    stream.write({ settings: producer(language) });
    const first = await next(stream);
    const received: TelemetryCommand[] = [];
    const reading = (async () => {
      for await (const command of stream.responses) received.push(command);
    })().catch(() => {});
    await broker.clock.advance(13_000);
    // What was sent before comes before the answer to this.
    stream.write({ settings: producer(Language.JAVA) });
    await broker.until(() => received.length > 0 && received.at(-1)?.settings?.userAgent?.language === Language.JAVA);
    for (const command of received.slice(0, -1)) assert.deepEqual(command.settings, first.settings);
    counts.push(received.length - 1);
    stream.cancel();
    await reading;
  }
  assert.deepEqual(counts, [MESSAGING_DEFAULTS.times.settingsRepeatMs.length, 0]);
});

test('a producer gets its settings back with the policy of the server', async () => {
  const stream = open();
  stream.write({ settings: producer() });
  const { status, settings } = await next(stream);
  assert.equal(status?.code, Code.OK);
  assert.deepEqual(settings, {
    ...producer(),
    publishing: { ...producer().publishing, maxBodySize: 4 * 1024 * 1024, validateMessageType: true },
    backoffPolicy: settings!.backoffPolicy,
    metric: { on: false, endpoints: undefined },
  });
  assert.equal(settings!.backoffPolicy!.maxAttempts, 3);
  assert.ok(settings!.backoffPolicy!.exponentialBackoff);
  stream.cancel();
});

test('a consumer gets its settings back each time that it sends them, and its group is made', async () => {
  const stream = open(as('c1'));
  for (let round = 0; round < 3; round++) {
    stream.write({ settings: consumer('made-here') });
    const { status, settings } = await next(stream);
    assert.equal(status?.code, Code.OK);
    const { subscription, backoffPolicy } = settings!;
    assert.deepEqual(subscription!.group, { resourceNamespace: 'ns', name: 'made-here' });
    assert.deepEqual(subscription!.subscriptions, consumer('made-here').subscription!.subscriptions);
    assert.deepEqual([subscription!.fifo, subscription!.receiveBatchSize], [false, 32]);
    assert.equal(durationMs(subscription!.longPollingTimeout!), 20_000);
    assert.equal(backoffPolicy!.maxAttempts, 17);
    assert.equal(backoffPolicy!.customizedBackoff!.next.length, 18);
  }
  assert.equal(broker.shard.metadata.group('made-here')!.autoCreated, true);
  stream.cancel();
});

test('Node is told the policy that it understands', async () => {
  const stream = open(as('node', { 'x-mq-language': 'HTTP' }));
  stream.write({ settings: consumer('made-here', Language.NODE_JS) });
  assert.equal((await next(stream)).settings!.backoffPolicy!.exponentialBackoff!.initial!.seconds, 1_000n);
  stream.cancel();
});

test('clients of a group are told when it changes', async () => {
  const stream = open(as('watcher'));
  stream.write({ settings: consumer('changing') });
  assert.equal((await next(stream)).settings!.subscription!.fifo, false);
  await broker.makeGroup('changing', { consumeMessageOrderly: true, retryMaxTimes: 4 });
  const told = await broker.run(next(stream));
  assert.equal(told.status?.code, Code.OK);
  assert.equal(told.settings!.subscription!.fifo, true);
  assert.equal(told.settings!.backoffPolicy!.maxAttempts, 5);
  stream.cancel();
});

test('streams that begin wrong end with INVALID_ARGUMENT', async () => {
  const wrong: readonly TelemetryCommand[] = [
    {},
    { settings: empty() },
    { threadStackTrace: { nonce: 'n' } },
    { settings: consumer('') },
    { settings: { ...consumer('g'), clientType: ClientType.LITE_PUSH_CONSUMER } },
  ];
  for (const command of wrong) {
    const stream = open();
    stream.write(command);
    assert.equal(await statusOf(stream), 'INVALID_ARGUMENT');
  }
  assert.equal(await statusOf(open(as(''))), 'INVALID_ARGUMENT');
  const silent = open(as('silent'));
  const ended = statusOf(silent);
  assert.equal(await broker.run(ended), 'INVALID_ARGUMENT');
});

test('a stream stays open for hours as long as its client wants it', async () => {
  const stream = open(as('patient'));
  stream.write({ settings: producer() });
  await next(stream);
  for (let minute = 0; minute < 60; minute++) {
    stream.write({ settings: producer() });
    await next(stream);
    await broker.clock.advance(60_000);
  }
  stream.write({ settings: producer() });
  assert.equal((await next(stream)).status?.code, Code.OK);
  stream.end();
  assert.equal(await statusOf(stream), 'OK');
});

test('too many streams of a client are turned away', async () => {
  const limited = await TestBroker.start({
    limits: { ...MESSAGING_DEFAULTS.limits, telemetryStreamsPerClientMax: 2, sessionsMax: 2 },
  });
  try {
    const streams = [open(as('a'), limited), open(as('a'), limited)];
    for (const stream of streams) {
      stream.write({ settings: producer() });
      await next(stream);
    }
    assert.equal(await statusOf(open(as('a'), limited)), 'RESOURCE_EXHAUSTED');
    const second = open(as('b'), limited);
    second.write({ settings: producer() });
    await next(second);
    const third = open(as('c'), limited);
    third.write({ settings: producer() });
    assert.equal(await statusOf(third), 'RESOURCE_EXHAUSTED');
    for (const stream of [...streams, second]) stream.cancel();
    await limited.until(() => limited.service.gauges().telemetryStreams === 0);
    await limited.clock.advance(60_000);
    assert.equal(limited.service.gauges().sessions, 0);
  } finally {
    await limited.stop();
  }
});

test('streams are told to reconnect, and end in order, when the broker stops', async () => {
  const stopping = await TestBroker.start();
  const stream = open(as('client'), stopping);
  stream.write({ settings: producer() });
  await next(stream);
  const drained = stopping.drain();
  assert.ok((await next(stream)).reconnectEndpointsCommand);
  assert.equal(await statusOf(stream), 'OK');
  stopping.client.close();
  await drained;
  await stopping.stop();
});

const beat = (request: Partial<HeartbeatRequest>, options: CallOptions): Promise<number | undefined> =>
  broker.client
    .unary(
      MessagingServiceDefinition,
      'heartbeat',
      { ...HeartbeatRequest.decode(new Uint8Array()), ...request },
      options,
    )
    .then(({ status }) => status?.code);

test('heartbeats are taken from everybody who says who he is', async () => {
  assert.equal(await beat({}, { metadata: [], timeoutMs: 5_000 }), Code.OK);
  assert.equal(await beat({ clientType: ClientType.PRODUCER }, as('early')), Code.OK);
  assert.equal(await beat({ clientType: ClientType.SIMPLE_CONSUMER, group: resource('beaten') }, as('early')), Code.OK);
  assert.ok(broker.shard.metadata.group('beaten'));
  assert.equal(await beat({ clientType: ClientType.PRODUCER }, as('')), Code.CLIENT_ID_REQUIRED);
  assert.equal(await beat({ clientType: 99 as ClientType }, as('c')), Code.UNRECOGNIZED_CLIENT_TYPE);
  assert.equal(await beat({ clientType: 2, group: resource('a b') }, as('c')), Code.ILLEGAL_CONSUMER_GROUP);
  assert.equal(await beat({ clientType: 2, group: resource('g') }, as('c', { 'x-mq-language': 'KLINGON' })), Code.OK);
});

test('a client is known until it says goodbye or is not heard of', async () => {
  const known = (clientId: string): boolean =>
    broker.service.connections().some((connection) => connection.clientId === clientId);
  await beat({ clientType: ClientType.PRODUCER }, as('leaving'));
  await beat({ clientType: ClientType.PRODUCER }, as('staying'));
  assert.ok(known('leaving') && known('staying'));
  const goodbye = await broker.client.unary(
    MessagingServiceDefinition,
    'notifyClientTermination',
    NotifyClientTerminationRequest.decode(new Uint8Array()),
    as('leaving'),
  );
  assert.equal(goodbye.status?.code, Code.OK);
  assert.ok(!known('leaving') && known('staying'));
  for (let round = 0; round < 20; round++) {
    await broker.clock.advance(10_000);
    await beat({ clientType: ClientType.PRODUCER }, as('staying'));
  }
  assert.ok(known('staying'));
  await broker.clock.advance(130_000);
  assert.ok(!known('staying'));
});
