import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type ClientName, connectionTo, type InteropClient, prepareClient } from './clients.ts';
import { startCollector, startPollingCollector, textOf, waitForCount } from './collector.ts';
import { Driver } from './driver.ts';
import { startTarget, type Target } from './target.ts';

const LOGS = join(import.meta.dirname, '.work', 'logs');
const NAMES: readonly ClientName[] = ['node', 'python', 'java', 'go'];
const NAMESPACE = 'tenant-a';

const clients: InteropClient[] = [];
for (const name of NAMES) clients.push(await prepareClient(name));

/*
 * The original tells topics and groups apart by their names alone, whatever namespace a client is configured with; its
 * clients show that they take what comes back as their own.
 */
describe('clients with a namespace', { concurrency: 4 }, () => {
  let target: Target;
  before(
    async () => {
      target = await startTarget();
    },
    { timeout: 120_000 },
  );
  after(() => target.stop(), { timeout: 60_000 });

  for (const client of clients) {
    it(`${client.language} sends, receives and acknowledges`, { skip: client.missing ?? false }, async () => {
      const driver = new Driver(client.command, join(LOGS, `namespace-${client.language}.log`));
      try {
        await checkNamespace(target, client, driver);
      } finally {
        await driver.stop();
      }
    });
  }
});

async function checkNamespace(target: Target, client: InteropClient, driver: Driver): Promise<void> {
  const topic = `namespace-${client.language}`;
  const group = (word: string): string => `namespace-${client.language}-${word}`;
  const without = connectionTo(client, target.endpoints);
  const within = { ...without, namespace: NAMESPACE };
  await target.createTopic(topic, 'NORMAL', 1);
  await driver.startProducer('within', within, [topic]);
  await driver.startProducer('without', without, [topic]);
  const pushed = await startCollector(client, driver, 'pushed', within, {
    group: group('push'),
    subscriptions: { [topic]: '*' },
  });
  await driver.send('within', { topic, body: Buffer.from('within').toString('base64') });
  await driver.send('without', { topic, body: Buffer.from('without').toString('base64') });
  await waitForCount(pushed, 2, 60_000);
  assert.deepEqual(pushed.messages.map(textOf).sort(), ['within', 'without']);
  assert(pushed.messages.every((message) => message.topic === topic));

  const subscription = { group: group('simple'), subscriptions: { [topic]: '*' } };
  const polled = await startPollingCollector(driver, 'simple', within, subscription, 1);
  await waitForCount(polled, 2, 60_000);
  assert.deepEqual(polled.messages.map(textOf).sort(), ['within', 'without']);
}
