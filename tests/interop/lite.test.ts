import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Forwarder, startForwarder } from '../forwarder.ts';
import { waitUntil } from './child.ts';
import { type ClientName, connectionTo, type InteropClient, prepareClient } from './clients.ts';
import { textOf } from './collector.ts';
import { type Connection, Driver, type ReceivedMessage } from './driver.ts';
import { startTarget, type Target } from './target.ts';

const LOGS = join(import.meta.dirname, '.work', 'logs');
const NAMES: readonly ClientName[] = ['node', 'python', 'java', 'go'];
const DELIVERED_MS_MAX = 40_000;
/** So long nothing must come before it counts as not coming. */
const QUIET_MS = 1_500;
/** A client that is told to unsubscribe forgets the lite topic within this. */
const TOLD_MS_MAX = 10_000;
const SUSPENDED_MS = 4_000;
/** A client may take so long to learn its quota. */
const SETTLED_MS_MAX = 10_000;

const clients: InteropClient[] = [];
for (const name of NAMES) clients.push(await prepareClient(name));
const isApache = process.env.ORBITMQ_INTEROP_TARGET === 'apache';

describe('lite topics', { concurrency: 2 }, () => {
  let target: Target;
  let forwarder: Forwarder | undefined;
  const drivers: Driver[] = [];
  before(
    async () => {
      target = await startTarget();
      forwarder = isApache ? undefined : await startForwarder(target.endpoints[0]!);
    },
    { timeout: 120_000 },
  );
  after(
    async () => {
      await Promise.all(drivers.map((driver) => driver.stop()));
      await forwarder?.stop();
      await target.stop();
    },
    { timeout: 60_000 },
  );

  const bench = (client: InteropClient, way: Bench['way']): Bench => {
    const driver = new Driver(client.command, join(LOGS, `lite-${client.language}-${way}.log`));
    drivers.push(driver);
    const relayed = { endpoints: forwarder?.endpoint ?? '', tls: false };
    const connection = way === 'relayed' ? relayed : connectionTo(client, target.endpoints);
    const prefix = `lite-${client.language}-${way}`;
    return { target, client, driver, connection, way, prefix };
  };

  for (const client of clients) {
    const skip = client.missing ?? false;

    it(`come to ${client.language} in order, each to who subscribes to it`, { skip }, () =>
      checkDelivery(bench(client, 'direct')),
    );
    it(`come so to ${client.language} from two brokers`, { skip: skip || isApache }, () =>
      checkDelivery(bench(client, 'spread')),
    );
    it(`come so to ${client.language} by the relay`, { skip: skip || isApache }, () =>
      checkDelivery(bench(client, 'relayed')),
    );
    it(`are bounded, and only what they are, for ${client.language}`, { skip }, () =>
      checkRefusals(bench(client, 'bounds')),
    );
    it(`go to the newest subscriber of an exclusive group, of ${client.language}`, { skip }, () =>
      checkExclusive(bench(client, 'exclusive')),
    );
    const noOffsets = client.traits.lite?.hasOffsets ? false : 'it can not say where a subscription begins';
    it(`begin where ${client.language} says`, { skip: skip || noOffsets }, () =>
      checkOffsets(bench(client, 'offsets')),
    );
    const noSuspension = client.traits.lite?.canSuspend ? false : 'its listener can not suspend';
    it(`are suspended by ${client.language}`, { skip: skip || noSuspension }, () =>
      checkSuspension(bench(client, 'suspended')),
    );
    const noPolling = isApache || !client.traits.lite?.hasSimpleConsumer;
    it(`are polled by ${client.language}`, { skip: skip || noPolling }, () => checkPolling(bench(client, 'polled')));
  }
});

/** What one scenario of one client works with. */
interface Bench {
  readonly target: Target;
  readonly client: InteropClient;
  readonly driver: Driver;
  readonly connection: Connection;
  readonly way: 'direct' | 'spread' | 'relayed' | 'bounds' | 'exclusive' | 'offsets' | 'suspended' | 'polled';
  /** Of the names of its topics and groups. */
  readonly prefix: string;
}

/** Makes a parent topic, a group and a producer. */
async function prepare(bench: Bench, attributes?: Readonly<Record<string, string>>): Promise<void> {
  const { target, driver, connection, way, prefix } = bench;
  await target.createTopic(prefix, 'LITE', way === 'spread' || way === 'relayed' ? 2 : 1);
  await target.createLiteGroup(prefix, prefix, attributes);
  await driver.startProducer('producer', connection, [prefix]);
}

/**
 * Names of lite topics have one letter: Python 5.1.2 subscribes to each letter of a name by itself, and to the whole name only
 * half a minute later.
 */
async function send({ driver, prefix }: Bench, lite: string, texts: readonly string[]): Promise<void> {
  for (const text of texts) {
    await driver.send('producer', { topic: prefix, lite, body: Buffer.from(text).toString('base64') });
  }
}

function textsOf(messages: readonly ReceivedMessage[], lite: string): string[] {
  return messages.filter((message) => message.lite === lite).map(textOf);
}

function numbered(name: string, count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, index) => `${name} ${from + index}`);
}

async function checkDelivery(bench: Bench): Promise<void> {
  const { driver, connection, prefix } = bench;
  await prepare(bench);
  const options = { group: prefix, topic: prefix };
  await driver.startLitePushConsumer('first', connection, options);
  await driver.startLitePushConsumer('second', connection, options);
  for (const lite of ['a', 'c']) await driver.subscribeLite('first', lite);
  for (const lite of ['b', 'c']) await driver.subscribeLite('second', lite);
  await Promise.all(['a', 'b', 'c', 'n'].map((lite) => send(bench, lite, numbered(lite, 20))));
  const [first, second] = [driver.messagesOf('first'), driver.messagesOf('second')];
  await waitUntil('all that was subscribed to', DELIVERED_MS_MAX, () => first.length + second.length >= 60);
  assert.deepEqual(textsOf(first, 'a'), numbered('a', 20));
  assert.deepEqual(textsOf(second, 'b'), numbered('b', 20));
  const both = [...first, ...second].filter(({ lite }) => lite === 'c').sort((a, b) => a.seenMs - b.seenMs);
  assert.deepEqual(new Set(both.map(textOf)), new Set(numbered('c', 20)));
  assert.ok([...first, ...second].every(({ topic, attempt }) => topic === prefix && attempt === 1));

  await driver.unsubscribeLite('first', 'a');
  await send(bench, 'a', numbered('a', 5, 20));
  await sleep(QUIET_MS);
  assert.equal(first.length + second.length, 60);
  await driver.subscribeLite('second', 'a');
  await waitUntil('what the other was not there for', DELIVERED_MS_MAX, () => textsOf(second, 'a').length >= 5);
  assert.deepEqual(textsOf(second, 'a'), numbered('a', 5, 20));

  await driver.startLitePushConsumer('third', connection, { ...options, failsOnce: true });
  await driver.subscribeLite('third', 'f');
  await send(bench, 'f', numbered('f', 2));
  const third = driver.messagesOf('third');
  await waitUntil('what fails once, again', 60_000, () => third.length >= 4);
  assert.deepEqual(textsOf(third, 'f').sort(), ['f 0', 'f 0', 'f 1', 'f 1']);
  // Go goes on with the next message of a batch while one that failed waits for its turn
  if (bench.client.language !== 'go') assert.equal(textsOf(third, 'f').at(-1), 'f 1');
}

async function checkRefusals(bench: Bench): Promise<void> {
  const { target, client, driver, connection, prefix } = bench;
  await prepare(bench, { 'lite.sub.client.quota': '2' });
  await target.createTopic(`${prefix}-plain`, 'NORMAL', 1);
  await target.createGroup(`${prefix}-plain`, false);
  const body = Buffer.from('x').toString('base64');
  await assert.rejects(driver.send('producer', { topic: prefix, body }), 'a message without lite topic');
  await assert.rejects(driver.send('producer', { topic: prefix, body, lite: 'a b' }), 'an illegal name');
  await assert.rejects(driver.send('producer', { topic: prefix, body, lite: 'x'.repeat(65) }), 'a long name');
  await assert.rejects(driver.send('producer', { topic: `${prefix}-plain`, body, lite: 'a' }), 'a topic without');
  await driver.send('producer', { topic: prefix, body, lite: 'x'.repeat(64) });

  const options = { group: prefix, topic: prefix };
  await driver.startLitePushConsumer('consumer', connection, options);
  for (const lite of ['a', 'b', 'b']) await driver.subscribeLite('consumer', lite);
  if (!isApache || client.traits.lite!.checksQuota) {
    await assert.rejects(driver.subscribeLite('consumer', 'd'), /quota|exceed|42902|429/i);
  }
  await driver.unsubscribeLite('consumer', 'a');
  await driver.subscribeLite('consumer', 'd');
}

async function checkExclusive(bench: Bench): Promise<void> {
  const { driver, connection, client, prefix } = bench;
  await prepare(bench, { 'lite.sub.model': 'Exclusive' });
  const options = { group: prefix, topic: prefix };
  await driver.startLitePushConsumer('first', connection, options);
  await driver.startLitePushConsumer('second', connection, options);
  for (const lite of ['t', 'k']) await driver.subscribeLite('first', lite);
  const [first, second] = [driver.messagesOf('first'), driver.messagesOf('second')];
  await send(bench, 't', numbered('t', 5));
  await waitUntil('what the first is given', DELIVERED_MS_MAX, () => first.length >= 5);
  await sleep(QUIET_MS);
  await driver.subscribeLite('second', 't');
  await send(bench, 't', numbered('t', 5, 5));
  await send(bench, 'k', numbered('k', 5));
  await waitUntil('what the second is given', DELIVERED_MS_MAX, () => second.length >= 5);
  await waitUntil('what the first keeps', DELIVERED_MS_MAX, () => textsOf(first, 'k').length >= 5);
  assert.deepEqual(textsOf(first, 't'), numbered('t', 5));
  assert.deepEqual(textsOf(second, 't'), numbered('t', 5, 5));
  // Java tells what it subscribes to; Node does so, too, but does not hear of what it has lost
  if (client.language === 'java') {
    await waitUntil('the first knows what it has lost', TOLD_MS_MAX, async () => {
      const { names } = await driver.call('liteTopics', { name: 'first' });
      return (names as string[]).join() === 'k';
    });
  }
}

async function checkOffsets(bench: Bench): Promise<void> {
  const { target, driver, connection, prefix } = bench;
  await prepare(bench);
  await send(bench, 'a', numbered('a', 6));
  const given = async (name: string, offset: Parameters<Driver['subscribeLite']>[2]): Promise<string[]> => {
    const group = `${prefix}-${name}`;
    await target.createLiteGroup(group, prefix);
    await driver.startLitePushConsumer(name, connection, { group, topic: prefix });
    await driver.subscribeLite(name, 'a', offset);
    await send(bench, 'a', [`end of ${name}`]);
    const messages = driver.messagesOf(name);
    await waitUntil(
      `what ${name} is given`,
      DELIVERED_MS_MAX,
      () => textsOf(messages, 'a').at(-1) === `end of ${name}`,
    );
    return textsOf(messages, 'a');
  };
  assert.deepEqual(await given('earliest', { policy: 'min' }), [...numbered('a', 6), 'end of earliest']);
  assert.deepEqual(await given('latest', { policy: 'max' }), ['end of latest']);
  assert.deepEqual(await given('offset', { offset: 5 }), ['a 5', 'end of earliest', 'end of latest', 'end of offset']);
}

async function checkSuspension(bench: Bench): Promise<void> {
  const { driver, connection, prefix } = bench;
  await prepare(bench);
  const options = { group: prefix, topic: prefix, suspendFirstMs: SUSPENDED_MS };
  await driver.startLitePushConsumer('consumer', connection, options);
  for (const lite of ['s', 'o']) await driver.subscribeLite('consumer', lite);
  const messages = driver.messagesOf('consumer');
  await send(bench, 's', numbered('s', 2));
  await waitUntil('the first one', DELIVERED_MS_MAX, () => messages.length >= 1);
  const suspendedMs = performance.now();
  await send(bench, 'o', ['meanwhile']);
  await waitUntil('the other lite topic', DELIVERED_MS_MAX, () => textsOf(messages, 'o').length === 1);
  await waitUntil('the suspended ones', DELIVERED_MS_MAX, () => textsOf(messages, 's').at(-1) === 's 1');
  const again = messages.filter((message) => message.lite === 's' && message.seenMs > suspendedMs);
  assert.deepEqual(again.map(textOf), numbered('s', 2));
  assert.ok(again[0]!.seenMs - suspendedMs > SUSPENDED_MS - 1_000, 'it was suspended');
}

async function checkPolling(bench: Bench): Promise<void> {
  const { driver, connection, prefix } = bench;
  await prepare(bench);
  await driver.startLiteSimpleConsumer('consumer', connection, { group: prefix, topic: prefix, awaitMs: 5_000 });
  // until it has been told its quota, the client takes it for 0
  await waitUntil('the subscription', SETTLED_MS_MAX, async () => {
    await driver.subscribeLite('consumer', 'a');
    return true;
  });
  await send(bench, 'a', numbered('a', 4));
  await send(bench, 'o', ['not subscribed to']);
  const texts: string[] = [];
  await waitUntil('all of it', DELIVERED_MS_MAX, async () => {
    for (const message of await driver.receive('consumer', 2, 10_000)) {
      assert.equal(message.lite, 'a');
      texts.push(textOf(message));
      await driver.ack('consumer', message);
    }
    return texts.length >= 4;
  });
  assert.deepEqual(texts, numbered('a', 4));

  await send(bench, 'a', ['given back']);
  const [given] = await driver.receive('consumer', 2, 30_000);
  await driver.changeInvisible('consumer', given!, 1_000);
  const [again] = await driver.receive('consumer', 2, 30_000);
  assert.equal(textOf(again!), 'given back');
  assert.equal(again!.attempt, 2);
  await driver.ack('consumer', again!);
}
