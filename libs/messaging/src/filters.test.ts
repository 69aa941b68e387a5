import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { MqError } from '@orbitmq/base';
import { Code, FilterType, MessageType } from '@orbitmq/protocol/apache.rocketmq.v2';
import { MESSAGING_DEFAULTS } from './config.ts';
import { Filters } from './filters.ts';
import { as, handleOf, idsOf, message, TestBroker } from './test-broker.ts';

const CONFIG = { ...MESSAGING_DEFAULTS, brokerName: 'broker-a', storeHost: '127.0.0.1:10911' };
const TAG = (expression: string) => ({ type: FilterType.TAG, expression });
const SQL = (expression: string) => ({ type: FilterType.SQL, expression });

let broker: TestBroker;
let topic = '';
let topicNumber = 0;
before(async () => {
  broker = await TestBroker.start();
});
after(() => broker.stop());
beforeEach(async () => {
  topic = `filtered${topicNumber++}`;
  await broker.makeTopic(topic, 'NORMAL', 2);
});

const send = async (id: string, properties: Record<string, string>, tag?: string): Promise<void> => {
  const system = tag === undefined ? {} : { tag };
  await broker.send(message(id, { topic, properties: new Map(Object.entries(properties)), system }));
};

test('a consumer gets the messages that its SQL expression wants, and no others', async () => {
  await send('cheap', { price: '5', region: 'eu' });
  await send('dear', { price: '50.5', region: 'eu' });
  await send('elsewhere', { price: '50', region: 'us' });
  await send('unpriced', { region: 'eu' });
  await send('unreadable', { price: 'much', region: 'eu' });
  await send('tagged', { price: '70', region: 'eu' }, 'TagA');
  const rows: readonly (readonly [string, readonly string[]])[] = [
    ["price > 10 AND region = 'eu'", ['dear', 'tagged']],
    ['price BETWEEN 5 AND 50', ['cheap', 'elsewhere']],
    ["region IN ('us', 'asia') OR price IS NULL", ['elsewhere', 'unpriced']],
    ["TAGS IS NOT NULL AND TAGS = 'TagA' AND price > 1", ['tagged']],
    ["UNIQ_KEY = 'cheap'", ['cheap']],
    ["region STARTSWITH 'e' AND NOT (price > 10)", ['cheap']],
    ['TRUE', ['cheap', 'dear', 'elsewhere', 'tagged', 'unpriced', 'unreadable']],
  ];
  for (const [index, [sql, ids]] of rows.entries()) {
    const received = await broker.receiveLater({ topic, group: `group${topic}${index}`, sql });
    assert.equal(received.status.code, Code.OK, received.status.message);
    assert.deepEqual(idsOf(received).sort(), ids, sql);
  }
});

test('system properties go by their names of RocketMQ', async () => {
  await broker.makeTopic(`${topic}fifo`, 'FIFO');
  await broker.send(
    message('m', {
      topic: `${topic}fifo`,
      system: { keys: ['k1', 'k2'], messageGroup: 'g7', bornHost: 'h', messageType: MessageType.FIFO },
    }),
  );
  const sql = "KEYS CONTAINS 'k2' AND __SHARDINGKEY = 'g7' AND __BORNHOST = 'h' AND BORN_TIMESTAMP > 0";
  assert.deepEqual(idsOf(await broker.receiveLater({ topic: `${topic}fifo`, group: `${topic}keys`, sql })), ['m']);
});

test('a waiting consumer is woken by what it wants, not answered for what it does not', async () => {
  const wish = { topic, group: `${topic}waiting`, sql: 'price > 10', pollingMs: 20_000 };
  const receiving = broker.receiveLater(wish);
  await broker.until(() => broker.service.gauges().waitingPolls === 1);
  for (let index = 0; index < 5; index++) await send(`cheap${index}`, { price: '1' });
  await broker.until(() => broker.service.gauges().waitingPolls === 1);
  await send('dear', { price: '11' });
  const received = await receiving;
  assert.deepEqual(idsOf(received), ['dear']);
  await broker.ack(received.messages.map(handleOf), { topic, group: wish.group });
  const nothing = await broker.receive({ ...wish, pollingMs: 5_000 });
  assert.equal(nothing.status.code, Code.MESSAGE_NOT_FOUND);
});

test('a delivered message comes again when its lease ends, by the same filter', async () => {
  await send('cheap', { price: '1' });
  await send('dear', { price: '11' });
  const wish = { topic, group: `${topic}again`, sql: 'price > 10', invisibleMs: 10_000 };
  assert.deepEqual(idsOf(await broker.receiveLater(wish)), ['dear']);
  assert.deepEqual(idsOf(await broker.receive(wish)), ['dear']);
});

test('what is no SQL expression is refused with its place', async () => {
  for (const sql of ['', '*', 'price >', "region LIKE 'e%'", `${'('.repeat(10_000)}TRUE`]) {
    const received = await broker.receive({ topic, sql });
    assert.equal(received.status.code, Code.ILLEGAL_FILTER_EXPRESSION, sql);
    assert.match(received.status.message, /^SQL expression, character \d+: wanted .*, found .*; /);
    assert.equal(received.deliveryTimestampCount, 1);
  }
  const long = await broker.receive({ topic, sql: `price = '${'x'.repeat(1_000_000)}'` });
  assert.equal(long.status.code, Code.ILLEGAL_FILTER_EXPRESSION);
});

test('SQL can be turned off', async () => {
  const tagsOnly = await TestBroker.start({ enablePropertyFilter: false });
  await tagsOnly.makeTopic('orders');
  const refused = await tagsOnly.receive({ sql: 'TRUE' }, as('one'));
  assert.equal(refused.status.code, Code.ILLEGAL_FILTER_EXPRESSION);
  assert.match(refused.status.message, /enablePropertyFilter/);
  await tagsOnly.stop();
});

test('expressions that want the same have one identity', () => {
  const filters = new Filters(CONFIG);
  const same = [
    [undefined, TAG('*'), TAG(''), TAG(' * ')],
    [TAG('a||b'), TAG(' b || a '), TAG('b||a||b')],
    [SQL("a = 'x' AND b > 5"), SQL(" a='x' and b>5 -- both")],
    [SQL('TRUE'), SQL('true')],
    [TAG('TRUE')],
    [
      SQL(`a IN (${'1'.repeat(300).replaceAll('1', "'1',")}'2')`),
      SQL(`a in(${'1'.repeat(300).replaceAll('1', "'1' ,")}'2')`),
    ],
    [SQL(`a IN (${'1'.repeat(300).replaceAll('1', "'1',")}'3')`)],
  ];
  const identities = same.map((group) => new Set(group.map((expression) => filters.of(expression).identity)));
  for (const identity of identities) assert.equal(identity.size, 1, [...identity].join());
  const all = identities.flatMap((identity) => [...identity]);
  assert.equal(new Set(all).size, all.length);
  for (const identity of all) assert.ok(identity.length <= 256);
});

test('compiled expressions are kept while they are used, and no more than a few', () => {
  const filters = new Filters(CONFIG);
  const used = filters.of(SQL('price > 10'));
  assert.equal(filters.of(SQL(' price > 10 ')), used);
  for (let index = 0; index < 5_000; index++) {
    filters.of(SQL(`price > ${index + 100}`));
    assert.equal(filters.of(SQL('price > 10')), used);
  }
  assert.equal(filters.size, 1_024);
  for (let index = 0; index < 100; index++) filters.of(SQL(`price = '${'x'.repeat(15_000)}${index}'`));
  assert.ok(filters.size <= 20);
  assert.throws(() => filters.of(SQL('price >')), MqError);
});
