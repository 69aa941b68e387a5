import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type ClientName, connectionTo, type InteropClient, prepareClient } from './clients.ts';
import { startCollector, waitForCount } from './collector.ts';
import { Driver, type OutgoingMessage, type ReceivedMessage } from './driver.ts';
import { startTarget, type Target } from './target.ts';

const LOGS = join(import.meta.dirname, '.work', 'logs');
const NAMES: readonly ClientName[] = ['node', 'python', 'java', 'go', 'rust'];
const TOPIC = 'cross-language';
const PER_CLIENT = 3;

const clients: InteropClient[] = [];
for (const name of NAMES) clients.push(await prepareClient(name));
const usable = clients.filter((client) => client.missing === undefined);

describe('messages between languages', {
  skip: usable.length < 2 ? 'fewer than two clients can run here' : false,
}, () => {
  const drivers = new Map<InteropClient, Driver>();
  /** What was sent, by message id. */
  const sent = new Map<string, OutgoingMessage>();
  let target: Target;

  before(
    async () => {
      target = await startTarget();
      await target.createTopic(TOPIC, 'NORMAL');
      for (const client of usable) {
        const driver = new Driver(client.command, join(LOGS, `cross-${client.language}.log`));
        drivers.set(client, driver);
        await driver.startProducer('producer', connectionOf(client), [TOPIC]);
        for (const message of messagesOf(client)) sent.set(await driver.send('producer', message), message);
      }
    },
    { timeout: 180_000 },
  );

  after(
    async () => {
      for (const driver of drivers.values()) await driver.stop();
      await target.stop();
    },
    { timeout: 60_000 },
  );

  const connectionOf = (client: InteropClient) => connectionTo(client, target.endpoints);

  it('have ids of their own', () => {
    assert.equal(sent.size, usable.length * PER_CLIENT);
    for (const messageId of sent.keys()) assert.match(messageId, /^01[0-9A-F]{32}$/i);
  });

  for (const client of usable) {
    it(`arrive in ${client.language} as the others sent them`, async () => {
      const subscription = { group: `cross-${client.language}`, subscriptions: { [TOPIC]: '*' } };
      const driver = drivers.get(client)!;
      const collector = await startCollector(client, driver, 'consumer', connectionOf(client), subscription);
      await waitForCount(collector, sent.size, 60_000);
      assert.equal(collector.messages.length, sent.size);
      for (const message of collector.messages) assertSame(message, sent.get(message.messageId));
    });
  }
});

function messagesOf(client: InteropClient): OutgoingMessage[] {
  const common = {
    topic: TOPIC,
    keys: [`${client.language}-key`],
    properties: { sender: client.language, wert: 'ü 漢 🚀' },
  };
  return [
    { ...common, body: Buffer.from(`from ${client.language}: größer 漢字 🚀`).toString('base64'), tag: 'text' },
    { ...common, body: randomBytes(3_000).toString('base64'), tag: 'bytes' },
    { ...common, body: randomBytes(200_000).toString('base64') },
  ].slice(0, PER_CLIENT);
}

function assertSame(received: ReceivedMessage, sent: OutgoingMessage | undefined): void {
  assert(sent, `nobody sent ${received.messageId}`);
  assert.equal(received.md5, createHash('md5').update(Buffer.from(sent.body, 'base64')).digest('hex'));
  assert.equal(received.corrupted, false);
  assert.equal(received.tag, sent.tag ?? null);
  assert.deepEqual(received.keys, sent.keys);
  assert.deepEqual(received.properties, sent.properties);
  assert.equal(received.attempt, 1);
}
