import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { MessagingClient } from '../e2e/messaging-client.ts';
import { type Forwarder, startForwarder } from '../forwarder.ts';
import { waitUntil } from './child.ts';
import { type ClientName, connectionTo, type InteropClient, prepareClient } from './clients.ts';
import { receiveOrWait, startCollector, startPollingCollector, textOf, waitForCount } from './collector.ts';
import { type Connection, Driver, type OutgoingMessage, type ReceivedMessage } from './driver.ts';
import { remotePortsOf } from './peers.ts';
import { startTarget, type Target, type TopicType } from './target.ts';

const LOGS = join(import.meta.dirname, '.work', 'logs');
const NAMES: readonly ClientName[] = ['node', 'python', 'java', 'go', 'rust'];
const INVISIBLE_MS_MIN = 10_000;
const INVISIBLE_MS = 60_000;
/** Producers are asked so long after a half message. */
const CHECK_MS = 2_000;
const DELAY_MS = 3_000;
const PATIENCE_MS = 60_000;
/** A waiting receive brings a message within this, wherever it is; the next receive would come after 15 s. */
const PROMPT_MS_MAX = 7_000;
const POLLING_MS = 15_000;

const clients: InteropClient[] = [];
for (const name of NAMES) clients.push(await prepareClient(name));

/** What one client works with. */
interface Bench {
  readonly target: Target;
  readonly client: InteropClient;
  readonly driver: Driver;
  /** Leads to the name servers, and is not what they listen on. */
  readonly connection: Connection;
}

describe('by a forwarded port', { skip: process.env.ORBITMQ_INTEROP_TARGET === 'apache', concurrency: 2 }, () => {
  let target: Target;
  const forwarders: Forwarder[] = [];
  before(
    async () => {
      target = await startTarget({ transactionTimeOut: CHECK_MS, transactionCheckInterval: CHECK_MS });
      for (const endpoint of target.endpoints) forwarders.push(await startForwarder(endpoint));
    },
    { timeout: 120_000 },
  );
  after(
    async () => {
      await Promise.all(forwarders.map((forwarder) => forwarder.stop()));
      await target.stop();
    },
    { timeout: 60_000 },
  );

  for (const client of clients) {
    it(`${client.language} has everything`, { skip: client.missing ?? false }, async () => {
      const driver = new Driver(client.command, join(LOGS, `relayed-${client.language}.log`));
      const endpoints = forwarders.map(({ endpoint }) => endpoint);
      const bench: Bench = { target, client, driver, connection: connectionTo(client, endpoints) };
      try {
        await checkAll(bench);
        await checkConnections(bench, forwarders);
      } finally {
        await driver.stop();
      }
    });
  }
});

type Check = (bench: Bench, name: string) => Promise<void>;

/** By the names of their topics; those that wait longest come first. */
const CHECKS: ReadonlyMap<string, Check> = new Map([
  ['settling', checkSettling],
  ['letters', checkDeadLetters],
  ['transactions', checkTransactions],
  ['order', checkOrder],
  ['waiting', checkWaiting],
  ['timed', checkTimed],
  ['consumers', checkConsumers],
  ['filters', checkFilters],
  ['priority', checkPriority],
]);
/** So many run at a time: they wait most of it, but a client that starts too much at once fails at its own timeouts. */
const CHECKS_AT_A_TIME = 3;

/** @throws Error that names the checks which failed */
async function checkAll(bench: Bench): Promise<void> {
  const left = CHECKS.entries();
  const failures: Error[] = [];
  const work = async (): Promise<void> => {
    for (const [name, check] of left) {
      await check(bench, name).catch((cause: unknown) => failures.push(new Error(name, { cause })));
    }
  };
  await Promise.all(Array.from({ length: CHECKS_AT_A_TIME }, work));
  if (failures.length > 0) throw new AggregateError(failures, failures.map(({ message }) => message).join(', '));
}

/** A topic, on both brokers where nothing else is said, with its producer; both are named by what they return. */
async function prepare(bench: Bench, name: string, type: TopicType, brokerCount?: number): Promise<string> {
  const topic = `relayed-${bench.client.language}-${name}`;
  await bench.target.createTopic(topic, type, brokerCount);
  await bench.driver.startProducer(topic, bench.connection, [topic], type === 'TRANSACTION' ? 'commit' : undefined);
  return topic;
}

function messageOf(topic: string, text: string): OutgoingMessage {
  return { topic, body: Buffer.from(text).toString('base64') };
}

async function startPolling(bench: Bench, topic: string, awaitMs = 5_000): Promise<string> {
  const name = `consumer of ${topic}`;
  const options = { group: `group-of-${topic}`, subscriptions: { [topic]: '*' }, awaitMs };
  await bench.driver.startSimpleConsumer(name, bench.connection, options);
  return name;
}

/** Receives and acknowledges until so many have come. */
async function receiveAll(bench: Bench, consumer: string, count: number): Promise<ReceivedMessage[]> {
  const received: ReceivedMessage[] = [];
  await waitUntil(`${count} messages of ${consumer}`, PATIENCE_MS, async () => {
    for (const message of await receiveOrWait(bench.driver, consumer)) {
      received.push(message);
      await bench.driver.ack(consumer, message);
    }
    return received.length >= count;
  });
  return received;
}

/** It has dialled what it was given, and not the brokers, which it could reach here. */
async function checkConnections({ target, client, driver }: Bench, forwarders: readonly Forwarder[]): Promise<void> {
  using direct = new MessagingClient(target.endpoints[0]!);
  const { messageQueues } = await direct.queryRoute(`relayed-${client.language}-consumers`);
  const brokerPorts = messageQueues.flatMap(({ broker }) => broker!.endpoints!.addresses.map(({ port }) => port));
  assert.equal(new Set(brokerPorts).size, 2);
  const ports = remotePortsOf(driver.pid);
  assert.ok(forwarders.some(({ port }) => ports.has(port)));
  for (const port of brokerPorts) assert.ok(!ports.has(port), 'it has a connection to a broker');
}

async function checkConsumers(bench: Bench, name: string): Promise<void> {
  const topic = await prepare(bench, name, 'NORMAL');
  const subscription = { group: `group-of-${topic}`, subscriptions: { [topic]: '*' } };
  const collector = await startCollector(bench.client, bench.driver, 'pushed', bench.connection, subscription);
  const sending = { topic, prefix: 'n', count: 100, concurrency: 4 };
  assert.equal((await bench.driver.sendMany(topic, sending)).failed, 0);
  await waitForCount(collector, 100, PATIENCE_MS);
  const expected = Array.from({ length: 100 }, (_, index) => `n${index}`);
  assert.deepEqual(collector.messages.map(textOf).sort(), expected.sort());
}

async function checkOrder(bench: Bench, name: string): Promise<void> {
  const topic = await prepare(bench, name, 'FIFO');
  const subscription = { group: `group-of-${topic}`, subscriptions: { [topic]: '*' } };
  await bench.target.createGroup(subscription.group, true);
  const { client, driver, connection } = bench;
  const collector = client.traits.hasPushConsumer
    ? await startCollector(client, driver, 'ordered', connection, subscription)
    : await startPollingCollector(driver, 'ordered', connection, subscription, 1);
  const groups = ['g0', 'g1', 'g2', 'g3'];
  const sending = { topic, prefix: 'f', count: 40, concurrency: groups.length, groups };
  assert.equal((await driver.sendMany(topic, sending)).failed, 0);
  await waitForCount(collector, 40, PATIENCE_MS);
  for (const [position, group] of groups.entries()) {
    const order = collector.messages.filter((message) => message.group === group).map(textOf);
    assert.deepEqual(
      order,
      Array.from({ length: 10 }, (_, turn) => `f${turn * groups.length + position}`),
    );
  }
}

async function checkSettling(bench: Bench, name: string): Promise<void> {
  const topic = await prepare(bench, name, 'NORMAL', 1);
  const { client, driver } = bench;
  const consumer = await startPolling(bench, topic);
  const receiveOne = (invisibleMs: number): Promise<ReceivedMessage> =>
    waitUntil('a message', PATIENCE_MS, async () => (await driver.receive(consumer, 1, invisibleMs))[0]);
  await driver.send(topic, messageOf(topic, 'again'));
  const first = await receiveOne(client.traits.canChangeInvisible ? 300_000 : INVISIBLE_MS_MIN);
  if (client.traits.canChangeInvisible) await driver.changeInvisible(consumer, first, INVISIBLE_MS_MIN);
  const again = await receiveOne(INVISIBLE_MS_MIN);
  assert.deepEqual([again.messageId, again.attempt], [first.messageId, 2]);
  await driver.ack(consumer, again);
  assert.deepEqual(await driver.receive(consumer, 16, INVISIBLE_MS_MIN), []);
}

/** What comes to either broker is there at once for a receive that waits, whichever of them it names. */
async function checkWaiting(bench: Bench, name: string): Promise<void> {
  const topic = await prepare(bench, name, 'NORMAL');
  const consumer = await startPolling(bench, topic, POLLING_MS);
  for (let round = 0; round < 4; round++) {
    const receiving = bench.driver.receive(consumer, 1, INVISIBLE_MS);
    receiving.catch(() => {});
    // It waits by then, most likely; a message that is there before is no harder to find.
    await sleep(300);
    await bench.driver.send(topic, messageOf(topic, `${round}`));
    const sentMs = performance.now();
    const [message] = await receiving;
    assert.ok(message, 'a message');
    const neededMs = performance.now() - sentMs;
    assert.ok(neededMs < PROMPT_MS_MAX, `the message took ${Math.round(neededMs)} ms`);
    await bench.driver.ack(consumer, message);
  }
}

async function checkTimed(bench: Bench, name: string): Promise<void> {
  const topic = await prepare(bench, name, 'DELAY');
  const { client, driver } = bench;
  const stepMs = client.traits.deliveryStepMs;
  const deliveryMs = Math.ceil((Date.now() + DELAY_MS) / stepMs) * stepMs;
  for (const text of ['0', '1']) await driver.sendDelayed(topic, { ...messageOf(topic, text), deliveryMs });
  if (client.traits.canRecall) {
    for (let index = 0; index < 2; index++) {
      const taken = await driver.sendDelayed(topic, {
        ...messageOf(topic, 'recalled'),
        deliveryMs: deliveryMs + 60_000,
      });
      assert.equal(await driver.recall(topic, topic, taken.recallHandle!), taken.messageId);
    }
  }
  const received = await receiveAll(bench, await startPolling(bench, topic), 2);
  // The time of day may have been set right since this process began.
  const originMs = Math.ceil(Date.now() - performance.now()) + 1;
  for (const { seenMs } of received) assert.ok(originMs + seenMs >= deliveryMs, 'a message came early');
  assert.deepEqual(received.map(textOf).sort(), ['0', '1']);
}

async function checkTransactions(bench: Bench, name: string): Promise<void> {
  const topic = await prepare(bench, name, 'TRANSACTION');
  const { driver } = bench;
  const left = await driver.sendInTransaction(topic, messageOf(topic, 'left'), 'none');
  await driver.sendInTransaction(topic, messageOf(topic, 'rolled back'), 'rollback');
  await driver.sendInTransaction(topic, messageOf(topic, 'committed'), 'commit');
  const received = await receiveAll(bench, await startPolling(bench, topic), 2);
  assert.deepEqual(received.map(textOf).sort(), ['committed', 'left']);
  assert.deepEqual([...new Set(driver.checksOf(topic))], [left]);
}

async function checkPriority(bench: Bench, name: string): Promise<void> {
  if (bench.client.traits.priorityMin === undefined) return;
  const topic = await prepare(bench, name, 'PRIORITY', 1);
  for (const priority of [1, 7, 3]) {
    await bench.driver.send(topic, { ...messageOf(topic, `${priority}`), priority });
  }
  const received = await receiveAll(bench, await startPolling(bench, topic), 3);
  assert.deepEqual(received.map(textOf), ['7', '3', '1']);
}

async function checkDeadLetters(bench: Bench, name: string): Promise<void> {
  if (!bench.client.traits.hasPushConsumer) return;
  const topic = await prepare(bench, name, 'FIFO');
  const { driver, connection } = bench;
  const group = `group-of-${topic}`;
  await bench.target.createGroup(group, true, { timesMax: 1, delayMs: 500 });
  const texts = ['first', 'second'];
  for (const text of texts) await driver.send(topic, { ...messageOf(topic, text), group: text });
  const options = { group, subscriptions: { [topic]: '*' }, failUntilAttempt: 1_000_000 };
  await driver.startPushConsumer(`failing ${topic}`, connection, options);
  const letters = `%DLQ%${group}`;
  const consumer = await waitUntil(`a consumer of ${letters}`, PATIENCE_MS, () =>
    startPolling(bench, letters).catch(() => undefined),
  );
  const received = await receiveAll(bench, consumer, texts.length);
  assert.deepEqual(received.map(textOf).sort(), texts);
}

async function checkFilters(bench: Bench, name: string): Promise<void> {
  const topic = await prepare(bench, name, 'NORMAL');
  const { client, driver, connection } = bench;
  for (const size of [1, 5, 9]) {
    await driver.send(topic, { ...messageOf(topic, `${size}`), properties: { size: `${size}` } });
  }
  const subscription = {
    group: `group-of-${topic}`,
    subscriptions: { [topic]: 'size > 3' },
    filterType: 'sql',
  } as const;
  const collector = await startCollector(client, driver, `filtering ${topic}`, connection, subscription);
  await waitForCount(collector, 2, PATIENCE_MS);
  assert.deepEqual(collector.messages.map(textOf).sort(), ['5', '9']);
}
