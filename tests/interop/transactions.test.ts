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
/** Producers are asked 6 s after a half message at the earliest, then every 30 s. */
const CHECKED_MS_MAX = 60_000;

const clients: InteropClient[] = [];
for (const name of NAMES) clients.push(await prepareClient(name));

describe('transactions', () => {
  let target: Target;
  const drivers: Driver[] = [];
  before(
    async () => {
      target = await startTarget();
    },
    { timeout: 120_000 },
  );
  after(
    async () => {
      await Promise.all(drivers.map((driver) => driver.stop()));
      await target.stop();
    },
    { timeout: 60_000 },
  );

  const newDriver = (client: InteropClient): Driver => {
    const driver = new Driver(client.command, join(LOGS, `transactions-${client.language}.log`));
    drivers.push(driver);
    return driver;
  };

  for (const client of clients) {
    describe(`of ${client.language}`, { skip: client.missing ?? false }, () => {
      it('are committed, rolled back, or ended by a check', async () => {
        await checkEnds(target, client, newDriver(client));
      });

      it('outlive their producer and their brokers', { skip: isApache() }, async () => {
        await checkOrphan(target, client, newDriver);
      });
    });
  }
});

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
  assert(performance.now() - sentMs > 5_500, 'the producer was asked too early');
  assert.deepEqual(await seen(), ['committed', 'left']);
  assert.deepEqual([...new Set(driver.checksOf('producer'))], [left]);
}

async function checkOrphan(
  target: Target,
  client: InteropClient,
  newDriver: (client: InteropClient) => Driver,
): Promise<void> {
  const topic = `orphans-${client.language}`;
  const connection = connectionTo(client, target.endpoints);
  await target.createTopic(topic, 'TRANSACTION');
  const first = newDriver(client);
  await first.startProducer('producer', connection, [topic], 'unknown');
  for (let index = 0; index < 4; index++) {
    await first.sendInTransaction('producer', messageOf(topic, `orphan ${index}`), 'none');
  }
  await first.kill();
  for (const index of [0, 1]) await target.faults!.killBroker(index);
  for (const index of [0, 1]) await target.faults!.startBroker(index);
  const second = newDriver(client);
  await second.startProducer('producer', connection, [topic], 'commit');
  const seen = await startReceiving(second, connection, topic);
  await waitUntil('what the first producer left open', CHECKED_MS_MAX, async () => (await seen()).length >= 4);
  assert.deepEqual((await seen()).sort(), ['orphan 0', 'orphan 1', 'orphan 2', 'orphan 3']);
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
