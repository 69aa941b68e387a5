import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type ClientName, connectionTo, type InteropClient, prepareClient } from './clients.ts';
import { receiveOrWait, textOf } from './collector.ts';
import { Driver } from './driver.ts';
import { startTarget, type Target } from './target.ts';

const LOGS = join(import.meta.dirname, '.work', 'logs');
const NAMES: readonly ClientName[] = ['java-old', 'java', 'go', 'node', 'python', 'rust'];
const TEXTS = ['0', '1', '2', '3'];

const clients: [ClientName, InteropClient][] = [];
for (const name of NAMES) clients.push([name, await prepareClient(name)]);

// The original makes no topics for clients of this protocol.
const isOurs = process.env.ORBITMQ_INTEROP_TARGET !== 'apache';

describe('a topic that nobody has made', { skip: !isOurs, concurrency: 3 }, () => {
  let target: Target;
  before(
    async () => {
      target = await startTarget();
    },
    { timeout: 120_000 },
  );
  after(() => target.stop(), { timeout: 60_000 });

  for (const [name, client] of clients) {
    it(`is made by the first message of ${name}, whose consumer may wait for it before`, {
      skip: client.missing ?? false,
      timeout: 120_000,
    }, async () => {
      const driver = new Driver(client.command, join(LOGS, `first-send-${name}.log`));
      try {
        await checkFirstSend(target, client, driver, `first-send-${name}`);
      } finally {
        await driver.stop();
      }
    });
  }
});

async function checkFirstSend(target: Target, client: InteropClient, driver: Driver, topic: string): Promise<void> {
  const connection = connectionTo(client, target.endpoints);
  const subscriptions = { [topic]: '*' };
  await driver.startSimpleConsumer('consumer', connection, { group: topic, subscriptions, awaitMs: 5_000 });
  await driver.startProducer('producer', connection, [topic]);
  for (const text of TEXTS) await driver.send('producer', { topic, body: Buffer.from(text).toString('base64') });
  const received: string[] = [];
  for (let round = 0; round < 20 && received.length < TEXTS.length; round++) {
    for (const message of await receiveOrWait(driver, 'consumer')) {
      received.push(textOf(message));
      await driver.ack('consumer', message);
    }
  }
  assert.deepEqual(received.sort(), TEXTS);
}
