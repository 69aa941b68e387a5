import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Forwarder, startForwarder } from '../forwarder.ts';
import { type ClientName, connectionTo, type InteropClient, prepareClient } from './clients.ts';
import { receiveOrWait, startCollector, textOf, waitForCount } from './collector.ts';
import { type Connection, Driver, type OutgoingMessage } from './driver.ts';
import { startTarget, type Target } from './target.ts';

const LOGS = join(import.meta.dirname, '.work', 'logs');
const NAMES: readonly ClientName[] = ['node', 'python', 'java', 'go', 'rust'];

interface Sample {
  readonly tag?: string;
  readonly properties: Readonly<Record<string, string>>;
}

/** The body of each is its position. */
const SAMPLES: readonly Sample[] = [
  { tag: 'A', properties: { color: 'red', size: '3', price: '9.5' } },
  { tag: 'B', properties: { color: 'blue', size: '12', price: '10' } },
  { properties: { color: 'red', size: '30' } },
  { tag: 'A', properties: { size: '-1', note: "it's" } },
  { properties: {} },
  { properties: { color: 'Red', hot: 'true', price: '1e1' } },
];

/** What each expression lets through. */
const EXPRESSIONS: readonly (readonly [string, readonly number[]])[] = [
  ["color = 'red'", [0, 2]],
  ["NOT (color = 'red')", [1, 5]],
  ["color <> 'red' or color is null", [1, 3, 4, 5]],
  ['size > 3 AND size <= 30', [1, 2]],
  ['size < 0', [3]],
  ['price BETWEEN 9.0 AND 10.0', [0, 1, 5]],
  ["color IN ('red', 'blue') AND price IS NOT NULL", [0, 1]],
  ["TAGS = 'A' OR hot = TRUE", [0, 3, 5]],
  ["note = 'it''s'", [3]],
  ["color CONTAINS 'ed' AND NOT (size = 30)", [0]],
];
/** With push consumers, where there are any. */
const PUSHED = "(color = 'red' OR color = 'blue') AND size >= 3";
const PUSHED_INDEXES = [0, 1, 2];
const ILLEGAL = "color = 'red' AND (size >";

const clients: InteropClient[] = [];
for (const name of NAMES) clients.push(await prepareClient(name));
const isApache = process.env.ORBITMQ_INTEROP_TARGET === 'apache';

describe('SQL92 filters', { concurrency: 2 }, () => {
  let target: Target;
  let forwarder: Forwarder | undefined;
  before(
    async () => {
      target = await startTarget();
      forwarder = isApache ? undefined : await startForwarder(target.endpoints[0]!);
    },
    { timeout: 120_000 },
  );
  after(
    async () => {
      await forwarder?.stop();
      await target.stop();
    },
    { timeout: 60_000 },
  );

  for (const client of clients) {
    it(`let through to ${client.language} what they say`, { skip: client.missing ?? false }, (test) =>
      checkFilters({ target, client, connection: connectionTo(client, target.endpoints), way: 'direct' }, (text) =>
        test.diagnostic(text),
      ),
    );

    it(`do so for ${client.language} by the relay`, { skip: client.missing ?? isApache }, (test) => {
      const connection = { endpoints: forwarder!.endpoint, tls: false };
      return checkFilters({ target, client, connection, way: 'relayed' }, (text) => test.diagnostic(text));
    });
  }
});

interface Scenario {
  readonly target: Target;
  readonly client: InteropClient;
  readonly connection: Connection;
  readonly way: 'direct' | 'relayed';
}

async function checkFilters(scenario: Scenario, tell: (text: string) => void): Promise<void> {
  const { target, client, connection, way } = scenario;
  const topic = `filters-${client.language}-${way}`;
  await target.createTopic(topic, 'NORMAL', 1);
  const driver = new Driver(client.command, join(LOGS, `${topic}.log`));
  try {
    await driver.startProducer('producer', connection, [topic]);
    for (const message of messagesTo(topic)) await driver.send('producer', message);
    await Promise.all([
      ...EXPRESSIONS.map((_, index) => checkPolled(driver, connection, topic, index)),
      checkPushed(client, driver, connection, topic),
      checkIllegal(driver, connection, topic, tell),
    ]);
  } finally {
    await driver.stop();
  }
}

function messagesTo(topic: string): OutgoingMessage[] {
  return SAMPLES.map((sample, index) => ({ ...sample, topic, body: Buffer.from(`${index}`).toString('base64') }));
}

/** A poll after the last expected message shows that nothing else gets through. */
async function checkPolled(driver: Driver, connection: Connection, topic: string, index: number): Promise<void> {
  const [expression, expected] = EXPRESSIONS[index]!;
  const name = `consumer-${index}`;
  await driver.startSimpleConsumer(name, connection, {
    group: `${topic}-${index}`,
    subscriptions: { [topic]: expression },
    filterType: 'sql',
    awaitMs: 5_000,
  });
  const received: number[] = [];
  for (let round = 0, emptyRounds = 0; round < 12 && emptyRounds < 1; round++) {
    const messages = await receiveOrWait(driver, name);
    if (messages.length === 0 && received.length >= expected.length) emptyRounds++;
    for (const message of messages) {
      received.push(Number(textOf(message)));
      await driver.ack(name, message);
    }
  }
  assert.deepEqual(received.sort(), expected, expression);
}

async function checkPushed(
  client: InteropClient,
  driver: Driver,
  connection: Connection,
  topic: string,
): Promise<void> {
  const subscription = { group: `${topic}-pushed`, subscriptions: { [topic]: PUSHED }, filterType: 'sql' } as const;
  const collector = await startCollector(client, driver, 'pushed', connection, subscription);
  await waitForCount(collector, PUSHED_INDEXES.length, 60_000);
  assert.deepEqual(collector.messages.map((message) => Number(textOf(message))).sort(), PUSHED_INDEXES);
}

/** Where it is refused is the client's affair; that the application is told is not. */
async function checkIllegal(
  driver: Driver,
  connection: Connection,
  topic: string,
  tell: (text: string) => void,
): Promise<void> {
  const options = { group: `${topic}-illegal`, subscriptions: { [topic]: ILLEGAL }, filterType: 'sql' } as const;
  const asking = async () => {
    await driver.startSimpleConsumer('illegal', connection, { ...options, awaitMs: 5_000 });
    await driver.receive('illegal', 16, 30_000);
  };
  await assert.rejects(asking, (error: Error) => {
    tell(error.message);
    assert.match(error.message, /40010|ILLEGAL_FILTER_EXPRESSION/);
    if (!isApache) assert.match(error.message, /SQL expression, character 26: .*; write what is to be compared/);
    return true;
  });
}
