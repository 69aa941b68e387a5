import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type ClientName, connectionTo, type InteropClient, prepareClient } from './clients.ts';
import { textOf } from './collector.ts';
import { Driver, type ReceivedMessage } from './driver.ts';
import { startTarget, type Target } from './target.ts';

const LOGS = join(import.meta.dirname, '.work', 'logs');
const NAMES: readonly ClientName[] = ['node', 'python', 'java', 'java-old', 'go', 'go-old', 'rust'];
/** Much longer than any client takes for its first sends, also while others start. */
const DELAY_MS = 10_000;
const HOUR_MS = 3_600_000;
const INVISIBLE_MS = 30_000;

const clients: InteropClient[] = [];
for (const name of NAMES) clients.push(await prepareClient(name));

describe('messages with a time of delivery', { concurrency: 4 }, () => {
  let target: Target;
  before(
    async () => {
      target = await startTarget();
    },
    { timeout: 120_000 },
  );
  after(() => target.stop(), { timeout: 60_000 });

  for (const client of clients) {
    const recalled = client.traits.canRecall ? ', and not when they are recalled' : '';
    it(`come to ${client.language} in time${recalled}`, { skip: client.missing ?? false }, async () => {
      const driver = new Driver(client.command, join(LOGS, `timed-${client.language}.log`));
      try {
        await checkTimed(target, client, driver);
        if (client.traits.canRecall) await checkRecalls(target, client, driver);
      } finally {
        await driver.stop();
      }
    });
  }
});

/** Recalls from all brokers of a topic: clients ask the one that they like, not the one that has the message. */
async function checkRecalls(target: Target, client: InteropClient, driver: Driver): Promise<void> {
  const topic = `recalls-${client.language}`;
  await target.createTopic(topic, 'DELAY');
  await driver.startProducer('recaller', connectionTo(client, target.endpoints), [topic]);
  for (let index = 0; index < 4; index++) {
    const message = { topic, body: Buffer.from(`${index}`).toString('base64'), deliveryMs: Date.now() + HOUR_MS };
    await checkRecall(driver, 'recaller', topic, await driver.sendDelayed('recaller', message));
  }
}

async function checkRecall(
  driver: Driver,
  producer: string,
  topic: string,
  { messageId, recallHandle }: { readonly messageId: string; readonly recallHandle: string | undefined },
): Promise<void> {
  assert.ok(recallHandle, 'the answer has a recall handle');
  assert.equal(await driver.recall(producer, topic, recallHandle), messageId);
  await assert.rejects(driver.recall(producer, topic, recallHandle), 'a second recall');
}

async function checkTimed(target: Target, client: InteropClient, driver: Driver): Promise<void> {
  const topic = `timed-${client.language}`;
  const connection = connectionTo(client, target.endpoints);
  await target.createTopic(topic, 'DELAY', 1);
  await driver.startProducer('producer', connection, [topic]);
  const stepMs = client.traits.deliveryStepMs;
  const deliveryMs = Math.ceil((Date.now() + DELAY_MS) / stepMs) * stepMs;
  const send = (text: string) =>
    driver.sendDelayed('producer', { topic, body: Buffer.from(text).toString('base64'), deliveryMs });
  for (let index = 0; index < 4; index++) await send(`kept ${index}`);
  if (client.traits.canRecall) await checkRecall(driver, 'producer', topic, await send('recalled'));
  assert.ok(Date.now() < deliveryMs, 'all was sent in time');

  await driver.startSimpleConsumer('consumer', connection, {
    group: `timed-${client.language}`,
    subscriptions: { [topic]: '*' },
    awaitMs: 5_000,
  });
  const received: ReceivedMessage[] = [];
  // A poll that brings nothing after the last of them shows that nothing else is due.
  for (let round = 0, isDrained = false; round < 12 && !isDrained; round++) {
    const messages = await driver.receive('consumer', 32, INVISIBLE_MS);
    isDrained = messages.length === 0 && received.length >= 4;
    for (const message of messages) {
      assert.ok(Date.now() >= deliveryMs, `${textOf(message)} came ${deliveryMs - Date.now()} ms early`);
      await driver.ack('consumer', message);
      received.push(message);
    }
  }
  assert.deepEqual(received.map(textOf).sort(), ['kept 0', 'kept 1', 'kept 2', 'kept 3']);
}
