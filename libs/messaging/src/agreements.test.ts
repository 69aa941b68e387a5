import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import {
  Code,
  FilterType,
  MessagingServiceDefinition,
  NotifyClientTerminationRequest,
  Settings,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import { as, idsOf, message, type Received, resource, TestBroker } from './test-broker.ts';

let broker: TestBroker;
let topic = '';
let group = '';
let number = 0;
before(async () => {
  broker = await TestBroker.start();
});
after(() => broker.stop());
beforeEach(async () => {
  topic = `agreed${number}`;
  group = `agreeing${number++}`;
  await broker.makeTopic(topic);
});

const receive = (client: string, tags: string, pollingMs = 5_000): Promise<Received> =>
  broker.receive({ topic, group, tags, pollingMs }, as(`${group}@${client}`));

const isRefused = (received: Received): boolean => received.status.code === Code.ILLEGAL_FILTER_EXPRESSION;

const sayGoodbye = async (client: string): Promise<void> => {
  await broker.client.unary(
    MessagingServiceDefinition,
    'notifyClientTermination',
    { ...NotifyClientTerminationRequest.decode(new Uint8Array()), group: resource(group) },
    as(`${group}@${client}`),
  );
};

/** Opens a telemetry stream of a client and tells its subscriptions; what is returned ends the stream. */
async function connect(client: string, subscriptions: Readonly<Record<string, string>>): Promise<() => Promise<void>> {
  const stream = broker.client.bidi(MessagingServiceDefinition, 'telemetry', as(`${group}@${client}`));
  const settings: Settings = {
    ...Settings.decode(new Uint8Array()),
    subscription: {
      group: resource(group),
      subscriptions: Object.entries(subscriptions).map(([name, expression]) => ({
        topic: resource(name),
        expression: { type: FilterType.TAG, expression },
      })),
    },
  };
  stream.write({ settings });
  const answers = stream.responses[Symbol.asyncIterator]();
  await answers.next();
  return async () => {
    stream.end();
    while (!(await answers.next()).done);
  };
}

test('clients of a group with equal expressions are served', async () => {
  for (const [index, tags] of ['a||b', ' b || a', 'a || b || a'].entries()) {
    assert.equal(isRefused(await receive(`client${index}`, tags)), false);
  }
});

test('a client with another expression is refused, with both and with the other client named', async () => {
  await receive('old', 'a || b');
  const refused = await receive('new', 'c');
  assert.ok(isRefused(refused));
  for (const part of ['TAG "a || b"', 'TAG "c"', `"${group}@old"`, `"${group}"`, `"${topic}"`]) {
    assert.ok(refused.status.message.includes(part), `${part} in ${refused.status.message}`);
  }
  assert.equal(refused.deliveryTimestampCount, 1);
  assert.equal(isRefused(await receive('old', 'a || b')), false, 'the one that was there goes on');
  const other = { topic, group: `${group}other`, tags: 'c', pollingMs: 5_000 };
  assert.equal(isRefused(await broker.receive(other, as('new'))), false, 'other groups are others');
});

test('SQL and tags are different', async () => {
  await receive('old', '*');
  assert.ok(isRefused(await broker.receive({ topic, group, sql: 'TRUE' }, as('new'))));
});

test('the new expression is served once the last old client has said goodbye', async () => {
  for (const client of ['old1', 'old2']) await receive(client, 'a');
  for (const client of ['new1', 'new2']) assert.ok(isRefused(await receive(client, 'b')));
  await sayGoodbye('old1');
  assert.ok(isRefused(await receive('new1', 'b')));
  await sayGoodbye('old2');
  for (const client of ['new1', 'new2']) assert.equal(isRefused(await receive(client, 'b')), false);
  assert.ok(isRefused(await receive('old1', 'a')), 'and the other way round');
});

test('a client that is gone without a word blocks its group for no longer than it is missed', async () => {
  await receive('old', 'a');
  await broker.clock.advance(15_000);
  assert.ok(isRefused(await receive('new', 'b')));
  await broker.clock.advance(20_000);
  assert.equal(isRefused(await receive('new', 'b')), false);
});

test('a client that is connected is not missed', async () => {
  const disconnect = await connect('old', { [topic]: 'a' });
  await receive('old', 'a');
  await broker.clock.advance(60_000);
  assert.ok(isRefused(await receive('new', 'b')));
  await disconnect();
  await broker.clock.advance(25_000);
  assert.equal(isRefused(await receive('new', 'b')), false);
});

test('a client changes its own expression at will, and its older receives end', async () => {
  const waiting = broker.receiveLater({ topic, group, tags: 'a', pollingMs: 20_000 }, as(`${group}@one`));
  await broker.until(() => broker.service.gauges().waitingPolls === 1);
  const next = broker.receiveLater({ topic, group, tags: 'b', pollingMs: 20_000 }, as(`${group}@one`));
  await broker.until(() => broker.service.gauges().waitingPolls === 2);
  await broker.send(message('for-b', { topic, system: { tag: 'b' } }));
  assert.deepEqual(idsOf(await next), ['for-b']);
  assert.equal((await broker.run(waiting)).status.code, Code.MESSAGE_NOT_FOUND);
});

test('clients that change one after the other do not block each other', async () => {
  for (const client of ['one', 'two']) await receive(client, 'a');
  assert.ok(isRefused(await receive('one', 'b')), 'two still wants a');
  assert.equal(isRefused(await receive('two', 'b')), false, 'one has given a up');
  assert.equal(isRefused(await receive('one', 'b')), false);
});

test('a client that no longer subscribes to a topic holds nobody to its expression', async () => {
  await broker.makeTopic(`${topic}other`);
  const disconnect = await connect('old', { [topic]: 'a' });
  await receive('old', 'a');
  assert.ok(isRefused(await receive('new', 'b')));
  const disconnectAgain = await connect('old', { [`${topic}other`]: 'a' });
  assert.equal(isRefused(await receive('new', 'b')), false);
  await disconnect();
  await disconnectAgain();
});

test('different subscriptions may be allowed', async () => {
  const lenient = await TestBroker.start({ refuseDifferentSubscriptions: false });
  await lenient.makeTopic('orders');
  for (const tags of ['a', 'b']) {
    const received = await lenient.receive({ tags, pollingMs: 5_000 }, as(`client-${tags}`));
    assert.equal(received.status.code, Code.MESSAGE_NOT_FOUND);
  }
  await lenient.stop();
});
