import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { waitUntil } from './child.ts';
import { type ClientName, connectionTo, type InteropClient, prepareClient } from './clients.ts';
import { textOf } from './collector.ts';
import { type Connection, Driver, type OutgoingMessage } from './driver.ts';
import { startTarget, type Target } from './target.ts';

const LOGS = join(import.meta.dirname, '.work', 'logs');
const NAMES: readonly ClientName[] = ['node', 'python', 'java', 'go', 'rust'];
const INVISIBLE_MS = 60_000;
/** Our producers are asked so long after a half message, and then as often; those of the original after 6 s, every 30 s. */
const CHECK_MS = 2_000;
const CHECKED_MS_MAX = 60_000;
const ORPHAN_COUNT = 4;

const clients: InteropClient[] = [];
for (const name of NAMES) clients.push(await prepareClient(name));

describe('transactions', () => {
  let target: Target;
  before(
    async () => {
      target = await startTarget({ transactionTimeOut: CHECK_MS, transactionCheckInterval: CHECK_MS });
    },
    { timeout: 120_000 },
  );
  after(() => target.stop(), { timeout: 60_000 });

  describe('are committed, rolled back, or ended by a check', { concurrency: clients.length }, () => {
    for (const client of clients) {
      it(`for ${client.language}`, { skip: client.missing ?? false }, () =>
        withDriver(client, (driver) => checkEnds(target, client, driver)),
      );
    }
  });

  describe('outlive their producers and their brokers', { skip: isApache() }, () => {
    const usable = clients.filter(({ missing }) => missing === undefined);
    before(
      async () => {
        for (const client of usable) await withDriver(client, (driver) => leaveOrphans(target, client, driver));
        for (const index of [0, 1]) await target.faults!.killBroker(index);
        for (const index of [0, 1]) await target.faults!.startBroker(index);
      },
      { timeout: 180_000 },
    );

    describe('and are ended then', { concurrency: clients.length }, () => {
      for (const client of clients) {
        it(`by ${client.language}`, { skip: client.missing ?? false }, () =>
          withDriver(client, (driver) => checkOrphans(target, client, driver)),
        );
      }
    });
  });
});

async function withDriver(client: InteropClient, use: (driver: Driver) => Promise<void>): Promise<void> {
  const driver = new Driver(client.command, join(LOGS, `transactions-${client.language}.log`));
  try {
    await use(driver);
  } finally {
    await driver.stop();
  }
}

function isApache(): boolean {
  return process.env.ORBITMQ_INTEROP_TARGET === 'apache';
}

function messageOf(topic: string, text: string): OutgoingMessage {
  return { topic, body: Buffer.from(text).toString('base64') };
}

async function checkEnds(target: Target, client: InteropClient, driver: Driver): Promise<void> {
  const topic = `transactions-${client.language}`;
  const connection = connectionTo(client, target.endpoints);
  await target.createTopic(topic, 'TRANSACTION', 1);
  await driver.startProducer('producer', connection, [topic], 'commit');
  const seen = await startReceiving(driver, connection, topic);
  const sentMs = performance.now();
  const left = await driver.sendInTransaction('producer', messageOf(topic, 'left'), 'none');
  await driver.sendInTransaction('producer', messageOf(topic, 'rolled back'), 'rollback');
  await driver.sendInTransaction('producer', messageOf(topic, 'committed'), 'commit');
  await waitUntil('what was committed', CHECKED_MS_MAX, async () => (await seen()).includes('committed'));
  await waitUntil('what was left open', CHECKED_MS_MAX, async () => (await seen()).includes('left'));
  assert(performance.now() - sentMs > CHECK_MS, 'the producer was asked too early');
  assert.deepEqual(await seen(), ['committed', 'left']);
  assert.deepEqual([...new Set(driver.checksOf('producer'))], [left]);
}

/** A producer that is gone before it has ended its transactions. */
async function leaveOrphans(target: Target, client: InteropClient, driver: Driver): Promise<void> {
  const topic = orphanTopicOf(client);
  await target.createTopic(topic, 'TRANSACTION');
  await driver.startProducer('producer', connectionTo(client, target.endpoints), [topic], 'unknown');
  for (let index = 0; index < ORPHAN_COUNT; index++) {
    await driver.sendInTransaction('producer', messageOf(topic, `orphan ${index}`), 'none');
  }
  await driver.kill();
}

/** Another producer of the topic is asked in its place. */
async function checkOrphans(target: Target, client: InteropClient, driver: Driver): Promise<void> {
  const topic = orphanTopicOf(client);
  const connection = connectionTo(client, target.endpoints);
  await driver.startProducer('producer', connection, [topic], 'commit');
  const seen = await startReceiving(driver, connection, topic);
  await waitUntil(
    'what the first producer left open',
    CHECKED_MS_MAX,
    async () => (await seen()).length >= ORPHAN_COUNT,
  );
  const expected = Array.from({ length: ORPHAN_COUNT }, (_, index) => `orphan ${index}`);
  assert.deepEqual((await seen()).sort(), expected);
}

function orphanTopicOf(client: InteropClient): string {
  return `orphans-${client.language}`;
}

/** Receives a little each time that it is called; gives all texts so far in the order of their coming. */
async function startReceiving(driver: Driver, connection: Connection, topic: string): Promise<() => Promise<string[]>> {
  await driver.startSimpleConsumer('consumer', connection, {
    group: `group-of-${topic}`,
    subscriptions: { [topic]: '*' },
    awaitMs: 5_000,
  });
  const texts: string[] = [];
  return async () => {
    for (const message of await driver.receive('consumer', 16, INVISIBLE_MS)) {
      texts.push(textOf(message));
      await driver.ack('consumer', message);
    }
    return [...texts];
  };
}
