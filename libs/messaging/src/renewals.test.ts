import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import {
  ClientType,
  Code,
  HeartbeatRequest,
  MessagingServiceDefinition,
  NotifyClientTerminationRequest,
  Settings,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import { createRpcClient } from '@orbitmq/rpc';
import { MESSAGING_DEFAULTS } from './config.ts';
import { NO_MESSAGING_EVENTS } from './events.ts';
import { as, handleOf, idsOf, message, type Received, resource, TestBroker } from './test-broker.ts';

const MINUTE_MS = 60_000;

let broker: TestBroker;
let topic = '';
let topicNumber = 0;
let renewedCount = 0;
before(async () => {
  const leasesRenewed = (count: number): void => {
    renewedCount += count;
  };
  broker = await TestBroker.start({}, { ...NO_MESSAGING_EVENTS, leasesRenewed });
});
after(() => broker.stop());
/** Messages that the topic has been sent. */
let sentCount = 0;
beforeEach(async () => {
  sentCount = 0;
  topic = `t${topicNumber++}`;
  renewedCount = 0;
  await broker.makeTopic(topic);
});

const beat = (clientId: string): Promise<unknown> =>
  broker.client.unary(
    MessagingServiceDefinition,
    'heartbeat',
    { ...HeartbeatRequest.decode(new Uint8Array()), clientType: ClientType.PUSH_CONSUMER },
    as(clientId),
  );

/** Sends messages and receives them with auto_renew. */
async function held(clientId: string, count = 1): Promise<Received> {
  for (let index = 0; index < count; index++) await broker.send(message(`m${sentCount++}`, { topic }));
  const received = await broker.receiveLater({ topic, autoRenew: true }, as(clientId));
  assert.equal(received.messages.length, count);
  return received;
}

/** Lets time go by while a client gives signs of life. */
async function live(clientId: string, ms: number): Promise<void> {
  for (let leftMs = ms; leftMs > 0; leftMs -= 10_000) {
    await beat(clientId);
    await broker.clock.advance(Math.min(10_000, leftMs));
  }
}

/** Ids that another client can have now. */
async function free(): Promise<string[]> {
  return idsOf(await broker.receive({ topic, pollingMs: 5_000, invisibleMs: 10_000 }, as('other')));
}

test('a message stays invisible while its client lives, and its first handle stays good', async () => {
  const received = await held('worker', 3);
  await live('worker', 30 * MINUTE_MS);
  assert.deepEqual(await free(), []);
  assert.equal(broker.service.gauges().renewedMessages, 3);
  // after 1, 3, 5, 10 and 30 minutes, not every minute
  assert.ok(renewedCount <= 3 * 5, String(renewedCount));
  const acked = await broker.ack(received.messages.map(handleOf), { topic, options: as('worker') });
  assert.equal(acked.status?.code, Code.OK);
  assert.equal(broker.service.gauges().renewedMessages, 0);
  await broker.clock.advance(2 * 3_600_000);
  assert.deepEqual(await free(), []);
});

test('renewal ends after three hours', async () => {
  await held('hanging');
  await live('hanging', 179 * MINUTE_MS);
  assert.deepEqual(await free(), []);
  await live('hanging', 2 * MINUTE_MS);
  assert.deepEqual(await free(), ['m0']);
  assert.equal(broker.service.gauges().renewedMessages, 0);
});

test('the last renewal is one, wherever it falls between two looks at the leases', async () => {
  const SLOT_MS = 5_000;
  await broker.clock.advance(SLOT_MS - (broker.clock.monotonicMs() % SLOT_MS));
  // the first one says when leases are looked at
  await held('late');
  await broker.clock.advance(2_000);
  await held('late');
  await live('late', 181 * MINUTE_MS);
  assert.ok(renewedCount <= 2 * 10, String(renewedCount));
  assert.equal(broker.service.gauges().renewedMessages, 0);
});

test('what a client held is free a second after its goodbye', async () => {
  await held('leaver', 2);
  await broker.client.unary(
    MessagingServiceDefinition,
    'notifyClientTermination',
    { ...NotifyClientTerminationRequest.decode(new Uint8Array()), group: resource('group') },
    as('leaver'),
  );
  assert.equal(broker.service.gauges().renewedMessages, 0);
  await broker.clock.advance(1_100);
  assert.deepEqual((await free()).sort(), ['m0', 'm1']);
});

test('what a silent client held is free when it counts as gone', async () => {
  await held('silent');
  await broker.clock.advance(100_000);
  assert.deepEqual(await free(), []);
  await broker.clock.advance(40_000);
  assert.deepEqual(await free(), ['m0']);
});

test('a client that was cut off is missed sooner, and what may not have reached it is not renewed', async () => {
  const { messages } = await held('worker', 1);
  await live('worker', 5 * MINUTE_MS);
  assert.equal(broker.service.gauges().renewedMessages, 1);
  await broker.ack(messages.map(handleOf), { topic, options: as('worker') });

  const own = createRpcClient({ addresses: [`127.0.0.1:${broker.port}`], tls: undefined });
  const stream = own.bidi(MessagingServiceDefinition, 'telemetry', as('cut'));
  stream.write({
    settings: {
      ...Settings.decode(new Uint8Array()),
      clientType: ClientType.PUSH_CONSUMER,
      subscription: { group: resource('group'), subscriptions: [] },
    },
  });
  await broker.until(() => broker.service.gauges().telemetryStreams === 1);
  await broker.until(() => broker.service.connections().some(({ clientId }) => clientId === 'cut'));
  await held('cut', 2);
  assert.equal(broker.service.gauges().renewedMessages, 2);
  own.close();
  await broker.until(() => broker.service.gauges().telemetryStreams === 0);
  assert.equal(broker.service.gauges().renewedMessages, 0);
  await broker.clock.advance(61_000);
  assert.deepEqual((await free()).sort(), ['m1', 'm2']);
});

test('a message that was handed back is not renewed', async () => {
  const { messages } = await held('nacker');
  const changed = await broker.changeInvisible(handleOf(messages[0]!), 5_000, { topic, options: as('nacker') });
  assert.equal(changed.status?.code, Code.OK);
  assert.equal(broker.service.gauges().renewedMessages, 0);
  await live('nacker', 6_000);
  assert.deepEqual(await free(), ['m0']);
});

test('a client may hold so many messages, then it has to acknowledge some', async () => {
  const limited = await TestBroker.start({ limits: { ...MESSAGING_DEFAULTS.limits, renewedPerClientMax: 2 } });
  try {
    await limited.makeTopic('orders');
    for (const id of ['a', 'b', 'c']) await limited.send(message(id));
    const first = await limited.receive({ autoRenew: true, batchSize: 2 });
    assert.equal(first.messages.length, 2);
    const second = await limited.receive({ autoRenew: true, batchSize: 2 });
    assert.equal(second.status.code, Code.TOO_MANY_REQUESTS);
    await limited.ack([handleOf(first.messages[0]!)]);
    assert.equal((await limited.receive({ autoRenew: true, batchSize: 2 })).messages.length, 1);
  } finally {
    await limited.stop();
  }
});
