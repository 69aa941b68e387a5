import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { MINUTE_MS } from '@orbitmq/base';
import {
  LiteSubscriptionAction as Action,
  ClientType,
  Code,
  MessageType,
  MessagingServiceDefinition,
  type OffsetOption,
  Settings,
  SyncLiteSubscriptionRequest,
  type TelemetryCommand,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import type { BidiCall } from '@orbitmq/rpc';
import { as, handleOf, idsOf, message, type Received, type ReceiveWish, resource, TestBroker } from './test-broker.ts';

let broker: TestBroker;

before(async () => {
  broker = await TestBroker.start();
});

after(() => broker.stop());

let nextName = 0;

/** A parent topic and a group of its own for each test. */
async function prepare(attributes: Readonly<Record<string, string>> = {}): Promise<string> {
  const name = `lite-${nextName++}`;
  await broker.makeTopic(name, 'LITE', 2);
  await broker.makeGroup(name, { attributes: new Map(Object.entries({ 'lite.bind.topic': name, ...attributes })) });
  return name;
}

async function send(topic: string, liteTopic: string, ...ids: string[]): Promise<void> {
  const { status } = await broker.send(...ids.map((id) => message(id, { topic, system: { liteTopic } })));
  assert.equal(status?.code, Code.OK, status?.message);
}

interface Wish {
  readonly action?: Action;
  readonly client?: string;
  readonly group?: string;
  readonly version?: bigint;
  readonly offsetOption?: OffsetOption;
}

async function sync(topic: string, liteTopics: readonly string[], wish: Wish = {}): Promise<number | undefined> {
  const request = {
    ...SyncLiteSubscriptionRequest.decode(new Uint8Array()),
    action: wish.action ?? Action.PARTIAL_ADD,
    topic: resource(topic),
    group: resource(wish.group ?? topic),
    liteTopicSet: [...liteTopics],
    version: wish.version,
    offsetOption: wish.offsetOption,
  };
  const answer = await broker.client.unary(
    MessagingServiceDefinition,
    'syncLiteSubscription',
    request,
    as(wish.client ?? 'consumer'),
  );
  return answer.status?.code;
}

function receive(topic: string, client = 'consumer', wish: ReceiveWish = {}): Promise<Received> {
  return broker.receive({ topic, group: topic, pollingMs: 5_000, ...wish }, as(client));
}

async function ack(topic: string, received: Received): Promise<void> {
  const { status } = await broker.ack(received.messages.map(handleOf), { topic, group: topic });
  assert.equal(status?.code, Code.OK, status?.message);
}

/** Receives and acknowledges until nothing comes. */
async function drain(topic: string, client = 'consumer'): Promise<string[]> {
  const ids: string[] = [];
  for (;;) {
    const received = await receive(topic, client);
    if (received.messages.length === 0) return ids;
    ids.push(...idsOf(received));
    await ack(topic, received);
  }
}

type Stream = BidiCall<TelemetryCommand, TelemetryCommand>;

/** A telemetry stream of a lite consumer, whose settings have been answered. */
async function attach(topic: string, client: string): Promise<{ stream: Stream; told: string[] }> {
  const stream = broker.client.bidi(MessagingServiceDefinition, 'telemetry', as(client));
  stream.write({ settings: liteSettings(topic) });
  const told: string[] = [];
  let isSettled = false;
  void (async () => {
    for await (const command of stream.responses) {
      if (command.settings) isSettled = true;
      if (command.notifyUnsubscribeLiteCommand) told.push(command.notifyUnsubscribeLiteCommand.liteTopic);
    }
  })().catch(() => {});
  await broker.until(() => isSettled);
  return { stream, told };
}

function liteSettings(topic: string, clientType: ClientType = ClientType.LITE_PUSH_CONSUMER): Settings {
  return {
    ...Settings.decode(new Uint8Array()),
    clientType,
    subscription: {
      group: resource(topic),
      subscriptions: [{ topic: resource(topic), expression: undefined }],
      fifo: undefined,
      receiveBatchSize: undefined,
      longPollingTimeout: undefined,
    },
  };
}

test('a client is given what it subscribes to, with the lite topic, and no more', async () => {
  const topic = await prepare();
  await send(topic, 'one', 'one-1', 'one-2');
  await send(topic, 'two', 'two-1');
  assert.equal(await sync(topic, ['one', 'none-yet']), Code.OK);
  const received = await receive(topic);
  assert.deepEqual(idsOf(received), ['one-1', 'one-2']);
  for (const { systemProperties } of received.messages) {
    assert.equal(systemProperties?.liteTopic, 'one');
    assert.equal(systemProperties?.messageType, MessageType.LITE);
    assert.equal(systemProperties?.queueId, 0);
  }
  assert.deepEqual(idsOf(await receive(topic)), [], 'the rest of a lite topic waits');
  await ack(topic, received);
  await send(topic, 'none-yet', 'new');
  assert.deepEqual(await drain(topic), ['new']);
  assert.equal(await sync(topic, ['one'], { action: Action.PARTIAL_REMOVE }), Code.OK);
  await send(topic, 'one', 'one-3');
  assert.deepEqual(await drain(topic), []);
});

test('who waits is woken by a message and by a subscription', async () => {
  const topic = await prepare();
  const first = broker.receiveLater({ topic, group: topic }, as('consumer'));
  await broker.until(() => broker.service.gauges().waitingPolls === 1);
  await send(topic, 'one', 'one-1');
  await sync(topic, ['one']);
  assert.deepEqual(idsOf(await first), ['one-1']);
  const second = broker.receiveLater({ topic, group: topic }, as('consumer'));
  await broker.until(() => broker.service.gauges().waitingPolls === 1);
  await sync(topic, ['two']);
  await send(topic, 'two', 'two-1');
  assert.deepEqual(idsOf(await second), ['two-1']);
});

test('a complete set takes the place of the one before, but not of what has just changed', async () => {
  const topic = await prepare();
  const names = (): string[] => {
    const group = broker.shard.metadata.group(topic)!;
    const parent = broker.shard.metadata.topic(topic)!;
    return ['a', 'b', 'c'].filter((name) => broker.shard.liteSubscribers(group, parent, name).length > 0);
  };
  const complete = { action: Action.COMPLETE_ADD };
  assert.equal(await sync(topic, ['a', 'b'], complete), Code.OK);
  assert.equal(await sync(topic, ['b', 'c'], complete), Code.OK);
  assert.deepEqual(names(), ['b', 'c']);
  await sync(topic, ['a']);
  await sync(topic, ['c'], { action: Action.PARTIAL_REMOVE });
  await sync(topic, ['b', 'c'], complete);
  assert.deepEqual(names(), ['a', 'b'], 'it was sent before the two changes');
  await broker.clock.advance(6_000);
  await sync(topic, ['c'], complete);
  assert.deepEqual(names(), ['c']);
  await sync(topic, ['a'], { ...complete, version: 5n });
  await sync(topic, ['b'], { ...complete, version: 4n });
  assert.deepEqual(names(), ['a'], 'a set of before changes nothing');
  await sync(topic, [], { action: Action.COMPLETE_REMOVE });
  assert.deepEqual(names(), []);
});

test('subscriptions end when they are not said again, and with their client', async () => {
  const topic = await prepare();
  const { shard, service, clock } = broker;
  const before = shard.liteSubscriptionCount;
  await sync(topic, ['a', 'b'], { client: 'forgetful' });
  assert.equal(shard.liteSubscriptionCount, before + 2);
  for (let minute = 0; minute < 6 && shard.liteSubscriptionCount > before; minute++) {
    await clock.advance(MINUTE_MS);
    await broker.client.unary(
      MessagingServiceDefinition,
      'heartbeat',
      { group: resource(topic), clientType: ClientType.LITE_PUSH_CONSUMER },
      as('forgetful'),
    );
  }
  assert.equal(shard.liteSubscriptionCount, before);
  await sync(topic, ['a'], { client: 'leaving' });
  const count = service.gauges().liteClients;
  await broker.client.unary(
    MessagingServiceDefinition,
    'notifyClientTermination',
    { group: resource(topic) },
    as('leaving'),
  );
  assert.equal(service.gauges().liteClients, count - 1);
  assert.equal(shard.liteSubscriptionCount, before);
});

test('a client and all of them have quotas', async () => {
  const small = await TestBroker.start({
    limits: { ...(await import('./config.ts')).MESSAGING_DEFAULTS.limits, liteSubscriptionsMax: 4 },
  });
  const former = broker;
  broker = small;
  try {
    const topic = await prepare({ 'lite.sub.client.quota': '3' });
    assert.equal(await sync(topic, ['a', 'b', 'c']), Code.OK);
    assert.equal(await sync(topic, ['c', 'a']), Code.OK, 'they are there already');
    assert.equal(await sync(topic, ['d']), Code.LITE_SUBSCRIPTION_QUOTA_EXCEEDED);
    assert.equal(
      await sync(topic, ['a', 'b', 'c', 'd'], { action: Action.COMPLETE_ADD }),
      Code.LITE_SUBSCRIPTION_QUOTA_EXCEEDED,
    );
    assert.equal(await sync(topic, ['x'], { client: 'other' }), Code.OK);
    assert.equal(await sync(topic, ['y'], { client: 'other' }), Code.LITE_SUBSCRIPTION_QUOTA_EXCEEDED);
    await sync(topic, ['a'], { action: Action.PARTIAL_REMOVE });
    assert.equal(await sync(topic, ['y'], { client: 'other' }), Code.OK);
  } finally {
    broker = former;
    await small.stop();
  }
});

test('the newest subscriber of an exclusive group takes a lite topic over', async () => {
  const topic = await prepare({ 'lite.sub.model': 'Exclusive' });
  const former = await attach(topic, 'former');
  const newer = await attach(topic, 'newer');
  await sync(topic, ['one', 'two'], { client: 'former' });
  await send(topic, 'one', '1');
  assert.deepEqual(await drain(topic, 'former'), ['1']);
  await sync(topic, ['one'], { client: 'newer' });
  await broker.until(() => former.told.length === 1);
  assert.deepEqual(former.told, ['one']);
  await send(topic, 'one', '2');
  assert.deepEqual(await drain(topic, 'former'), []);
  assert.deepEqual(await drain(topic, 'newer'), ['2'], 'it goes on where the other was');
  await broker.clock.advance(6_000);
  await sync(topic, ['one', 'two'], { client: 'former', action: Action.COMPLETE_ADD });
  await broker.until(() => former.told.length === 2);
  await send(topic, 'one', '3');
  assert.deepEqual(await drain(topic, 'former'), [], 'a complete set takes nothing away');
  assert.deepEqual(await drain(topic, 'newer'), ['3']);
  assert.deepEqual(newer.told, []);
  former.stream.cancel();
  newer.stream.cancel();
});

test('who takes over, or comes back, may begin at the first message', async () => {
  const topic = await prepare({
    'lite.sub.model': 'Exclusive',
    'lite.sub.reset.offset.exclusive': 'true',
    'lite.sub.reset.offset.unsubscribe': 'true',
  });
  await sync(topic, ['one'], { client: 'former' });
  await send(topic, 'one', '1', '2');
  assert.deepEqual(await drain(topic, 'former'), ['1', '2']);
  await sync(topic, ['one'], { client: 'newer' });
  assert.deepEqual(await drain(topic, 'newer'), ['1', '2']);
  await sync(topic, ['one'], { client: 'newer', action: Action.PARTIAL_REMOVE });
  await sync(topic, ['one'], { client: 'newer' });
  assert.deepEqual(await drain(topic, 'newer'), ['1', '2']);
});

test('a subscription begins where it says', async () => {
  const topic = await prepare();
  await send(topic, 'one', '0', '1', '2', '3');
  const cases: readonly (readonly [OffsetOption, readonly string[]])[] = [
    [{ policy: 1 }, ['0', '1', '2', '3']],
    [{ policy: 2 }, []],
    [{ offset: 3n }, ['3']],
    [{ tailN: 2n }, ['2', '3']],
    [{ timestamp: 0n }, ['0', '1', '2', '3']],
    [{ policy: 0 }, []],
  ];
  for (const [offsetOption, ids] of cases) {
    assert.equal(await sync(topic, ['one'], { offsetOption }), Code.OK);
    assert.deepEqual(
      await drain(topic),
      ids,
      JSON.stringify(offsetOption, (_, value) => String(value)),
    );
    await sync(topic, ['one'], { action: Action.PARTIAL_REMOVE });
  }
  assert.equal(await sync(topic, ['one'], { offsetOption: { offset: -1n } }), Code.ILLEGAL_OFFSET);
});

test('a wildcard group reads all lite topics, and subscribes to none', async () => {
  const topic = await prepare({ 'lite.sub.wildcard': 'true' });
  await send(topic, 'one', '1');
  assert.equal(await sync(topic, ['one']), Code.BAD_REQUEST);
  assert.equal(await sync(topic, [], { action: Action.COMPLETE_ADD }), Code.OK);
  assert.deepEqual(await drain(topic), ['1']);
  await send(topic, 'two', '2');
  assert.deepEqual(await drain(topic), ['2']);
});

test('a handed back message holds its lite topic up, and suspension counts no attempt', async () => {
  const topic = await prepare();
  await sync(topic, ['one', 'two']);
  await send(topic, 'one', '1', '2');
  const [first] = (await receive(topic, 'consumer', { batchSize: 1 })).messages;
  const back = await broker.changeInvisible(handleOf(first!), 3_000, { topic, group: topic });
  assert.equal(back.status?.code, Code.OK);
  await send(topic, 'two', 'other');
  assert.deepEqual(await drain(topic), ['other', '1', '2']);

  await send(topic, 'one', '3', '4');
  const given = await receive(topic);
  assert.deepEqual(idsOf(given), ['3', '4']);
  const suspended = await broker.client.unary(
    MessagingServiceDefinition,
    'changeInvisibleDuration',
    {
      group: resource(topic),
      topic: resource(topic),
      receiptHandle: handleOf(given.messages[0]!),
      invisibleDuration: { seconds: 4n, nanos: 0 },
      messageId: '3',
      liteTopic: 'one',
      suspend: true,
    },
    as('consumer'),
  );
  assert.equal(suspended.status?.code, Code.OK);
  const again = await receive(topic);
  assert.deepEqual(idsOf(again), ['3', '4']);
  assert.deepEqual(
    again.messages.map(({ systemProperties }) => systemProperties?.deliveryAttempt),
    [1, 1],
  );
  await ack(topic, again);
});

test('a message that is given up becomes a dead letter of the group', async () => {
  const topic = await prepare();
  await sync(topic, ['one']);
  await send(topic, 'one', 'bad', 'good');
  const [bad] = (await receive(topic, 'consumer', { batchSize: 1 })).messages;
  const { status } = await broker.forward(handleOf(bad!), { topic, group: topic });
  assert.equal(status?.code, Code.OK);
  assert.deepEqual(await drain(topic), ['good']);
  const dead = await broker.receive({ topic: `%DLQ%${topic}`, group: 'undertaker' });
  assert.deepEqual(idsOf(dead), ['bad']);
});

test('a client that holds much is refused more until it acknowledges', async () => {
  const topic = await prepare();
  await sync(
    topic,
    Array.from({ length: 4 }, (_, index) => `l${index}`),
  );
  for (let index = 0; index < 4; index++) {
    await send(topic, `l${index}`, ...Array.from({ length: 32 }, (_, number) => `${index}-${number}`));
  }
  const held: Received[] = [];
  for (let index = 0; index < 4; index++) held.push(await receive(topic, 'consumer', { autoRenew: true }));
  assert.equal(
    held.reduce((count, { messages }) => count + messages.length, 0),
    128,
  );
  assert.equal((await receive(topic, 'consumer', { autoRenew: true })).status.code, Code.FORBIDDEN);
  for (const received of held) await ack(topic, received);
  assert.equal((await receive(topic, 'consumer', { autoRenew: true })).status.code, Code.MESSAGE_NOT_FOUND);
});

test('lite topics and whole topics are kept apart', async () => {
  const topic = await prepare();
  await broker.makeTopic('plain', 'NORMAL');
  await broker.makeGroup('plain');
  const bare = await broker.send(message('x', { topic }));
  assert.equal(bare.status?.code, Code.MESSAGE_PROPERTY_CONFLICT_WITH_TYPE);
  assert.match(bare.status.message, /takes LITE messages; found a NORMAL one; set a lite topic/);
  const plain = await broker.send(message('x', { topic: 'plain', system: { liteTopic: 'one' } }));
  assert.equal(plain.status?.code, Code.MESSAGE_PROPERTY_CONFLICT_WITH_TYPE);
  const wrong = await broker.send(message('x', { topic, system: { liteTopic: 'a.b' } }));
  assert.equal(wrong.status?.code, Code.ILLEGAL_LITE_TOPIC);

  assert.equal(await sync(topic, ['one'], { group: 'plain' }), Code.ILLEGAL_CONSUMER_GROUP);
  assert.equal(await sync(topic, ['one'], { group: 'unknown' }), Code.ILLEGAL_CONSUMER_GROUP);
  assert.equal(await sync('plain', ['one'], { group: topic }), Code.ILLEGAL_TOPIC);
  assert.equal(await sync('unknown', ['one'], { group: topic }), Code.TOPIC_NOT_FOUND);
  assert.equal(await sync(topic, ['a b']), Code.ILLEGAL_LITE_TOPIC);
  assert.equal(await sync(topic, ['a b'], { action: Action.COMPLETE_ADD }), Code.ILLEGAL_LITE_TOPIC);
  assert.equal(await sync(topic, ['a'], { action: 9 as Action }), Code.BAD_REQUEST);
  assert.equal((await broker.receive({ topic, group: 'plain' })).status.code, Code.ILLEGAL_CONSUMER_GROUP);
  assert.equal((await broker.receive({ topic: 'plain', group: topic })).status.code, Code.ILLEGAL_TOPIC);
});

test('settings tell lite clients their limits, and are refused to others of the group', async () => {
  const topic = await prepare({ 'lite.sub.client.quota': '7' });
  const first = async (settings: Settings): Promise<TelemetryCommand | string> => {
    const stream = broker.client.bidi(MessagingServiceDefinition, 'telemetry', as('settled'));
    stream.write({ settings });
    try {
      for await (const command of stream.responses) {
        stream.cancel();
        return command;
      }
    } catch (error) {
      return (error as { status: string }).status;
    }
    return 'ended';
  };
  for (const clientType of [ClientType.LITE_PUSH_CONSUMER, ClientType.LITE_SIMPLE_CONSUMER]) {
    const told = await first(liteSettings(topic, clientType));
    assert.ok(typeof told !== 'string');
    assert.equal(told.settings?.subscription?.liteSubscriptionQuota, 7);
    assert.equal(told.settings?.subscription?.maxLiteTopicSize, 64);
    assert.equal(told.settings?.subscription?.fifo, false);
  }
  assert.equal(await first(liteSettings(topic, ClientType.PUSH_CONSUMER)), 'INVALID_ARGUMENT');
  assert.equal(await first(liteSettings('unknown-group')), 'INVALID_ARGUMENT');
  assert.equal(broker.shard.metadata.group('unknown-group'), undefined, 'nothing was made');
  const assigned = await broker.client.unary(
    MessagingServiceDefinition,
    'queryAssignment',
    { topic: resource(topic), group: resource(topic), endpoints: undefined },
    as('settled'),
  );
  assert.deepEqual(
    assigned.assignments.map(({ messageQueue }) => messageQueue?.id),
    [-1],
  );
});
