import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type ClientName, connectionTo, type InteropClient, prepareClient } from './clients.ts';
import { receiveOrWait, textOf } from './collector.ts';
import { Driver, type ReceivedMessage } from './driver.ts';
import { startTarget, type Target } from './target.ts';

const LOGS = join(import.meta.dirname, '.work', 'logs');
const NAMES: readonly ClientName[] = ['node', 'python', 'java', 'go'];
const PRIORITIES = [0, 3, 1, 7, 0, 7, 1, 3, 100];
/** Of a topic with eight queues; what is above counts the same. */
const HIGHEST = 7;

const clients: InteropClient[] = [];
for (const name of NAMES) clients.push(await prepareClient(name));

describe('messages with a priority', { concurrency: 2 }, () => {
  let target: Target;
  before(
    async () => {
      target = await startTarget();
    },
    { timeout: 120_000 },
  );
  after(() => target.stop(), { timeout: 60_000 });

  for (const client of clients) {
    const skip = client.missing ?? (client.traits.priorityMin === undefined ? 'it has no setter' : false);
    it(`come to ${client.language} the highest first from each broker`, { skip }, async () => {
      const driver = new Driver(client.command, join(LOGS, `priority-${client.language}.log`));
      try {
        await checkPriority(target, client, driver);
      } finally {
        await driver.stop();
      }
    });
  }
});

async function checkPriority(target: Target, client: InteropClient, driver: Driver): Promise<void> {
  const topic = `priority-${client.language}`;
  const connection = connectionTo(client, target.endpoints);
  await target.createTopic(topic, 'PRIORITY', 1);
  await driver.startProducer('producer', connection, [topic]);
  const texts: string[] = [];
  for (const [index, wanted] of PRIORITIES.entries()) {
    const priority = Math.max(wanted, client.traits.priorityMin ?? 0);
    const text = `${index} of ${priority}`;
    texts.push(text);
    await driver.send('producer', { topic, body: Buffer.from(text).toString('base64'), priority });
  }
  await assert.rejects(driver.send('producer', { topic, body: 'eA==' }), 'a message without priority');

  await driver.startSimpleConsumer('consumer', connection, {
    group: `priority-${client.language}`,
    subscriptions: { [topic]: '*' },
    awaitMs: 5_000,
  });
  const received: ReceivedMessage[] = [];
  for (let round = 0; round < 20 && received.length < PRIORITIES.length; round++) {
    // A receive is answered by one broker, and a priority is one of the messages of its broker.
    const batch = await receiveOrWait(driver, 'consumer');
    const priorities = batch.map((message) => Math.min(priorityOf(message), HIGHEST));
    assert.deepEqual(
      priorities,
      [...priorities].sort((one, other) => other - one),
    );
    for (const message of batch) {
      // Go shows none.
      if (message.priority !== undefined) assert.equal(message.priority, priorityOf(message));
      await driver.ack('consumer', message);
    }
    received.push(...batch);
  }
  assert.deepEqual(received.map(textOf).sort(), texts.sort());
}

function priorityOf(message: ReceivedMessage): number {
  return Number(textOf(message).split(' of ')[1]);
}
