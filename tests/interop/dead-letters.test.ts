import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { waitUntil } from './child.ts';
import { type ClientName, connectionTo, type InteropClient, prepareClient } from './clients.ts';
import { textOf } from './collector.ts';
import { type Connection, Driver, type ReceivedMessage } from './driver.ts';
import { startTarget, type Target } from './target.ts';

const LOGS = join(import.meta.dirname, '.work', 'logs');
const NAMES: readonly ClientName[] = ['node', 'python', 'java', 'go'];
const TEXTS = ['first', 'second', 'third'];
/** One delivery, and one more. */
const RETRY = { timesMax: 1, delayMs: 1_000 };
/** No delivery goes well. */
const NEVER = 1_000_000;

const clients: InteropClient[] = [];
for (const name of NAMES) clients.push(await prepareClient(name));
const isApache = process.env.ORBITMQ_INTEROP_TARGET === 'apache';

describe('what no listener can consume becomes a dead letter', { skip: isApache, concurrency: 4 }, () => {
  let target: Target;
  before(
    async () => {
      target = await startTarget();
    },
    { timeout: 120_000 },
  );
  after(() => target.stop(), { timeout: 60_000 });

  for (const client of clients) {
    const skip = client.missing ?? (client.traits.hasPushConsumer ? false : 'it has no push consumer');
    for (const isFifo of [true, false]) {
      const how = isFifo ? 'handed over in order' : 'when its attempts are used up';
      it(`${how} by ${client.language}, and is read by it`, { skip }, async () => {
        const driver = new Driver(client.command, join(LOGS, `dead-letters-${client.language}-${isFifo}.log`));
        try {
          await checkDeadLetters(target, client, driver, isFifo);
        } finally {
          await driver.stop();
        }
      });
    }
  }
});

async function checkDeadLetters(target: Target, client: InteropClient, driver: Driver, isFifo: boolean): Promise<void> {
  const topic = `poison-${client.language}-${isFifo}`;
  const group = `poisoned-${client.language}-${isFifo}`;
  const connection = connectionTo(client, target.endpoints);
  await target.createTopic(topic, isFifo ? 'FIFO' : 'NORMAL');
  await target.createGroup(group, isFifo, RETRY);
  await driver.startProducer('producer', connection, [topic]);
  for (const text of TEXTS) {
    const message = { topic, body: Buffer.from(text).toString('base64') };
    await driver.send('producer', isFifo ? { ...message, group: 'one' } : message);
  }
  const options = { group, subscriptions: { [topic]: '*' }, failUntilAttempt: NEVER };
  await driver.startPushConsumer('consumer', connection, options);
  const letters = await readDeadLetters(driver, connection, `%DLQ%${group}`);
  const { keepsOrder, countsAttempts } = traitsOf(client, isFifo);
  const inOrder = (texts: readonly string[]): string[] => (keepsOrder ? [...texts] : texts.toSorted());
  assert.deepEqual(inOrder(letters.map(textOf)), inOrder(TEXTS));
  for (const { attempt } of letters) assert.equal(attempt, 1);
  const said = (text: string, attempt: number): string => (countsAttempts ? `${text} ${attempt}` : text);
  const tried = driver.messagesOf('consumer').map((message) => said(textOf(message), message.attempt));
  const expected = TEXTS.flatMap((text) => [said(text, 1), said(text, 2)]);
  assert.deepEqual(inOrder(tried), inOrder(expected));
}

/**
 * What can be expected of a client with a batch of an ordered queue: Go goes on with the next message while one waits for
 * its next attempt, and Python doesn't raise the count of an attempt that it makes by itself.
 */
function traitsOf({ language }: InteropClient, isFifo: boolean): { keepsOrder: boolean; countsAttempts: boolean } {
  return { keepsOrder: isFifo && language !== 'go', countsAttempts: !isFifo || language !== 'python' };
}

/** The topic is there after the first dead letter. */
async function readDeadLetters(driver: Driver, connection: Connection, topic: string): Promise<ReceivedMessage[]> {
  const options = {
    group: `readers-of-${topic.slice('%DLQ%'.length)}`,
    subscriptions: { [topic]: '*' },
    awaitMs: 5_000,
  };
  await waitUntil(`a consumer of ${topic}`, 60_000, async () => {
    try {
      await driver.startSimpleConsumer('reader', connection, options);
      return true;
    } catch {
      return false;
    }
  });
  const letters: ReceivedMessage[] = [];
  await waitUntil(`${TEXTS.length} dead letters`, 60_000, async () => {
    const received = await driver.receive('reader', 16, 30_000);
    for (const message of received) await driver.ack('reader', message);
    letters.push(...received);
    return letters.length >= TEXTS.length;
  });
  return letters;
}
