import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { waitUntil } from './child.ts';
import { connectionTo, type InteropClient } from './clients.ts';
import { type Collector, startCollector, startPollingCollector, textOf, waitForCount } from './collector.ts';
import { type Connection, Driver, type OutgoingMessage, type ReceivedMessage } from './driver.ts';
import { startTarget, type Target, type TopicType } from './target.ts';

const LOGS = join(import.meta.dirname, '.work', 'logs');
/** The shortest invisible duration that RocketMQ takes for a receive. */
const INVISIBLE_MS_MIN = 10_000;

/** Runs every scenario that the client can take part in against one cluster. */
export function describeInterop(client: InteropClient): void {
  describe(`${client.language} client ${client.version}`, { skip: client.missing ?? false }, () => {
    const bench = new Bench(client);
    before(() => bench.start(), { timeout: 120_000 });
    after(() => bench.stop(), { timeout: 60_000 });

    // They wait most of the time.
    describe('on a healthy cluster', { concurrency: 5 }, () => {
      describeSimpleConsumer(bench);
      describeConsumers(bench);
      describeTransport(bench);
    });
    describe('with nothing else to do', () => {
      describeQuickness(bench);
    });
    describe('while parts of the cluster die', { skip: process.env.ORBITMQ_INTEROP_TARGET === 'apache' }, () => {
      describeFaults(bench);
    });
  });
}

/** One client library, one cluster, and names that no other scenario uses. */
class Bench {
  readonly client: InteropClient;
  readonly connection: Connection = { endpoints: '', tls: false };
  #target: Target | undefined;
  readonly #drivers: Driver[] = [];
  #nextName = 0;

  constructor(client: InteropClient) {
    this.client = client;
  }

  get target(): Target {
    assert(this.#target);
    return this.#target;
  }

  get driver(): Driver {
    const [first] = this.#drivers;
    assert(first);
    return first;
  }

  async start(): Promise<void> {
    this.#target = await startTarget();
    Object.assign(this.connection, connectionTo(this.client, this.#target.endpoints));
    this.newDriver();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#drivers.map((driver) => driver.stop()));
    await this.#target?.stop();
  }

  /** Another process of the same client library; ends with the bench. */
  newDriver(): Driver {
    const driver = new Driver(this.client.command, join(LOGS, `${this.client.language}.log`));
    this.#drivers.push(driver);
    return driver;
  }

  /** A name that starts with the scenario's own word. */
  name(word: string): string {
    return `${this.client.language}-${word}-${this.#nextName++}`;
  }

  async newTopic(word: string, type: TopicType = 'NORMAL', brokerCount?: number): Promise<string> {
    const topic = this.name(word);
    await this.target.createTopic(topic, type, brokerCount);
    return topic;
  }

  /** On one broker, for scenarios that poll and look at times: see `Target.createTopic`. */
  newPolledTopic(word: string): Promise<string> {
    return this.newTopic(word, 'NORMAL', 1);
  }

  async newProducer(topic: string, connection = this.connection): Promise<string> {
    const name = this.name('producer');
    await this.driver.startProducer(name, connection, [topic]);
    return name;
  }

  async newSimpleConsumer(topic: string): Promise<string> {
    const name = this.name('simple');
    const options = { group: this.name('group'), subscriptions: { [topic]: '*' }, awaitMs: 5_000 };
    await this.driver.startSimpleConsumer(name, this.connection, options);
    return name;
  }

  /** The consumer stays until its driver ends: closing one makes its client wait for the end of a long poll. */
  collect(topic: string, group: string, options: { tags?: string; holdMs?: number } = {}): Promise<Collector> {
    const subscription = { group, subscriptions: { [topic]: options.tags ?? '*' }, holdMs: options.holdMs ?? 0 };
    return startCollector(this.client, this.driver, this.name('consumer'), this.connection, subscription);
  }

  /** Polls until a message comes. */
  async receiveOne(consumer: string, invisibleMs: number, timeoutMs = 60_000): Promise<ReceivedMessage> {
    return waitUntil('a message', timeoutMs, async () => (await this.driver.receive(consumer, 1, invisibleMs))[0]);
  }
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

/** Messages that a careless encoder would damage. */
function difficultMessages(topic: string): OutgoingMessage[] {
  const everyByte = Buffer.from(Array.from({ length: 256 }, (_, value) => value)).toString('base64');
  return [
    { topic, body: base64('x') },
    { topic, body: everyByte, tag: 'tag-1', keys: ['key-1', 'key-2'] },
    { topic, body: base64('größer 漢字 🚀'), properties: { wörter: 'größer 漢字 🚀', 'a.b-c_d': 'x y;z=1' } },
    { topic, body: randomBytes(64 * 1024).toString('base64'), keys: ['k'], properties: { one: '1', two: '2' } },
  ];
}

function assertSame(received: ReceivedMessage, sent: OutgoingMessage, sentMs: number, bornResolutionMs: number): void {
  const body = Buffer.from(sent.body, 'base64');
  assert.equal(received.topic, sent.topic);
  assert.equal(received.md5, createHash('md5').update(body).digest('hex'));
  assert.equal(received.sizeBytes, body.length);
  assert.equal(received.corrupted, false, 'the client found the digest to be wrong');
  assert.equal(received.tag, sent.tag ?? null);
  assert.deepEqual([...received.keys].sort(), [...(sent.keys ?? [])].sort());
  assert.deepEqual(received.properties, sent.properties ?? {});
  assert.equal(received.group, sent.group ?? null);
  assert.equal(received.attempt, 1);
  assert.notEqual(received.bornHost, '');
  const bornAgoMs = received.bornTimestampMs - sentMs;
  assert(bornAgoMs >= -bornResolutionMs && bornAgoMs < 60_000, `born ${bornAgoMs} ms after it was sent`);
}

function describeSimpleConsumer(bench: Bench): void {
  it('hands a message over as it was sent', async () => {
    const topic = await bench.newPolledTopic('whole');
    const [producer, consumer] = [await bench.newProducer(topic), await bench.newSimpleConsumer(topic)];
    for (const message of difficultMessages(topic)) {
      const sentMs = Date.now();
      const messageId = await bench.driver.send(producer, message);
      const received = await bench.receiveOne(consumer, INVISIBLE_MS_MIN);
      assert.equal(received.messageId, messageId);
      assertSame(received, message, sentMs, bench.client.traits.bornResolutionMs);
      await bench.driver.ack(consumer, received);
    }
  });

  it('brings back what was not acknowledged, with a raised attempt, and nothing else', async () => {
    const topic = await bench.newPolledTopic('again');
    const [producer, consumer] = [await bench.newProducer(topic), await bench.newSimpleConsumer(topic)];
    await bench.driver.send(producer, { topic, body: base64('acknowledged') });
    const acknowledged = await bench.receiveOne(consumer, INVISIBLE_MS_MIN);
    await bench.driver.send(producer, { topic, body: base64('left') });
    const left = await bench.receiveOne(consumer, INVISIBLE_MS_MIN);
    await bench.driver.ack(consumer, acknowledged);
    const again = await bench.receiveOne(consumer, INVISIBLE_MS_MIN);
    assert.equal(again.messageId, left.messageId);
    assert.equal(again.attempt, 2);
    const awayMs = again.seenMs - left.seenMs;
    assert(awayMs >= INVISIBLE_MS_MIN - 500, `came again after ${awayMs} ms already`);
    await bench.driver.ack(consumer, again);
    assert.deepEqual(await bench.driver.receive(consumer, 16, INVISIBLE_MS_MIN), []);
  });

  it('moves the end of the invisible time', { skip: !bench.client.traits.canChangeInvisible }, async () => {
    const topic = await bench.newPolledTopic('invisible');
    const [producer, consumer] = [await bench.newProducer(topic), await bench.newSimpleConsumer(topic)];
    await bench.driver.send(producer, { topic, body: base64('later') });
    const first = await bench.receiveOne(consumer, 300_000);
    await bench.driver.changeInvisible(consumer, first, INVISIBLE_MS_MIN);
    const changedMs = performance.now();
    const again = await bench.receiveOne(consumer, INVISIBLE_MS_MIN);
    assert.equal(again.messageId, first.messageId);
    assert.equal(again.attempt, 2);
    assert(again.seenMs - changedMs >= INVISIBLE_MS_MIN - 500, `came again after ${again.seenMs - changedMs} ms`);
    await bench.driver.ack(consumer, again);
  });
}

function describeConsumers(bench: Bench): void {
  const numbers = (prefix: string, count: number) => Array.from({ length: count }, (_, index) => `${prefix}${index}`);
  const texts = (collector: Collector) => collector.messages.map(textOf).sort();

  it('consumes many messages, each once', async () => {
    const topic = await bench.newTopic('many');
    const producer = await bench.newProducer(topic);
    const collector = await bench.collect(topic, bench.name('group'), { holdMs: 5 });
    const { failed } = await bench.driver.sendMany(producer, { topic, prefix: 'n', count: 400, concurrency: 5 });
    assert.equal(failed, 0);
    await waitForCount(collector, 400, 60_000);
    assert.deepEqual(texts(collector), numbers('n', 400).sort());
  });

  it('retries what the listener failed', { skip: !bench.client.traits.hasPushConsumer }, async () => {
    const topic = await bench.newTopic('retry');
    const producer = await bench.newProducer(topic);
    const consumer = bench.name('push');
    const options = { group: bench.name('group'), subscriptions: { [topic]: '*' }, failUntilAttempt: 2 };
    await bench.driver.startPushConsumer(consumer, bench.connection, options);
    const messageId = await bench.driver.send(producer, { topic, body: base64('stubborn') });
    const messages = await bench.driver.waitForMessages(consumer, 2, 60_000);
    assert.deepEqual(
      messages.map((message) => [message.messageId, message.attempt]),
      [
        [messageId, 1],
        [messageId, 2],
      ],
    );
  });

  it('delivers only the tags that were asked for', async () => {
    const topic = await bench.newTopic('tags');
    const producer = await bench.newProducer(topic);
    for (const tag of ['a', 'b', 'c', 'ab', undefined]) {
      const message = { topic, body: base64(`tag ${tag}`) };
      await bench.driver.send(producer, tag === undefined ? message : { ...message, tag });
    }
    const some = await bench.collect(topic, bench.name('group'), { tags: 'a || b' });
    const all = await bench.collect(topic, bench.name('group'));
    await waitForCount(some, 2, 60_000);
    await waitForCount(all, 5, 60_000);
    assert.deepEqual(texts(some), ['tag a', 'tag b']);
    assert.deepEqual(texts(all), ['tag a', 'tag ab', 'tag b', 'tag c', 'tag undefined']);
  });

  it('keeps the order within a message group', async () => {
    const topic = await bench.newTopic('fifo', 'FIFO');
    const group = bench.name('group');
    await bench.target.createGroup(group, true);
    const producer = await bench.newProducer(topic);
    const collector = await startFifoCollector(bench, topic, group);
    const groups = ['g0', 'g1', 'g2', 'g3'];
    const sending = { topic, prefix: 'f', count: 80, concurrency: groups.length, groups };
    assert.equal((await bench.driver.sendMany(producer, sending)).failed, 0);
    await waitForCount(collector, 80, 90_000);
    for (const [position, messageGroup] of groups.entries()) {
      const order = collector.messages.filter((message) => message.group === messageGroup).map(textOf);
      assert.deepEqual(
        order,
        Array.from({ length: 20 }, (_, turn) => `f${turn * groups.length + position}`),
      );
    }
  });

  it('gives two groups everything', async () => {
    const topic = await bench.newTopic('pubsub');
    const producer = await bench.newProducer(topic);
    const collectors = [
      await bench.collect(topic, bench.name('group')),
      await bench.collect(topic, bench.name('group')),
    ];
    await bench.driver.sendMany(producer, { topic, prefix: 'p', count: 60, concurrency: 4 });
    for (const collector of collectors) {
      await waitForCount(collector, 60, 60_000);
      assert.deepEqual(texts(collector), numbers('p', 60).sort());
    }
  });

  it('continues where the group stood when its consumer comes back', async () => {
    const topic = await bench.newTopic('restart');
    const group = bench.name('group');
    const producer = await bench.newProducer(topic);
    const before = await bench.collect(topic, group);
    await bench.driver.sendMany(producer, { topic, prefix: 'before', count: 40, concurrency: 4 });
    await waitForCount(before, 40, 60_000);
    await before.close();
    await bench.driver.sendMany(producer, { topic, prefix: 'after', count: 40, concurrency: 4 });
    const later = await bench.collect(topic, group);
    await waitForCount(later, 40, 60_000);
    assert.deepEqual(texts(later), numbers('after', 40).sort());
  });

  it('shares the load between the consumers of a group', async () => {
    const topic = await bench.newTopic('share');
    const group = bench.name('group');
    const producer = await bench.newProducer(topic);
    const collectors = [
      await bench.collect(topic, group, { holdMs: 10 }),
      await bench.collect(topic, group, { holdMs: 10 }),
    ];
    // A client takes its time to begin; what is sent before is the other one's alone.
    await waitUntil('both take part', 60_000, async () => {
      if (collectors.every(({ messages }) => messages.length > 0)) return true;
      await bench.driver.send(producer, { topic, body: base64('begin') });
      return false;
    });
    const shareOf = ({ messages }: Collector): ReceivedMessage[] =>
      messages.filter(({ body }) => body !== base64('begin'));
    await bench.driver.sendMany(producer, { topic, prefix: 's', count: 400, concurrency: 4 });
    const together = { messages: [] as ReceivedMessage[], close: async () => {} };
    await waitUntil('400 messages in both', 60_000, () => {
      together.messages = collectors.flatMap(shareOf);
      return together.messages.length >= 400;
    });
    assert.deepEqual(texts(together), numbers('s', 400).sort());
    for (const collector of collectors) {
      const count = shareOf(collector).length;
      assert(count >= 10, `one had ${count}`);
    }
  });
}

/** The clients ask for their assignments up to a second after their start, and then every five seconds. */
const FIRST_MESSAGE_MS_MAX = 4_500;

function describeQuickness(bench: Bench): void {
  it('gives a new consumer its first message at once', async (test) => {
    const topic = await bench.newTopic('first');
    const producer = await bench.newProducer(topic);
    const collector = await bench.collect(topic, bench.name('group'));
    const startedMs = performance.now();
    await bench.driver.send(producer, { topic, body: base64('hello') });
    await waitForCount(collector, 1, 60_000);
    const neededMs = collector.messages[0]!.seenMs - startedMs;
    test.diagnostic(`the first message came ${Math.round(neededMs)} ms after the start`);
    assert(neededMs < FIRST_MESSAGE_MS_MAX, `the first message took ${Math.round(neededMs)} ms`);
  });
}

function startFifoCollector(bench: Bench, topic: string, group: string): Promise<Collector> {
  const subscription = { group, subscriptions: { [topic]: '*' } };
  const name = bench.name('consumer');
  if (bench.client.traits.hasPushConsumer) {
    return startCollector(bench.client, bench.driver, name, bench.connection, subscription);
  }
  return startPollingCollector(bench.driver, name, bench.connection, subscription, 1);
}

function describeTransport(bench: Bench): void {
  it('carries a large body', async () => {
    const topic = await bench.newPolledTopic('large');
    const [producer, consumer] = [await bench.newProducer(topic), await bench.newSimpleConsumer(topic)];
    const message = { topic, body: randomBytes(bench.client.traits.bodySizeMax).toString('base64') };
    const sentMs = Date.now();
    await bench.driver.send(producer, message);
    const received = await bench.receiveOne(consumer, 60_000);
    assertSame(received, message, sentMs, bench.client.traits.bornResolutionMs);
    await bench.driver.ack(consumer, received);
  });

  it('takes a batch of messages', { skip: !bench.client.traits.canSendBatch }, async () => {
    const topic = await bench.newTopic('batch');
    const producer = await bench.newProducer(topic);
    const messages = Array.from({ length: 10 }, (_, index) => ({ topic, body: base64(`b${index}`) }));
    const { messageIds } = await bench.driver.call('sendBatch', { name: producer, messages });
    const collector = await bench.collect(topic, bench.name('group'));
    await waitForCount(collector, 10, 60_000);
    assert.deepEqual(
      collector.messages.map((message) => message.messageId).sort(),
      (messageIds as string[]).flatMap((id) => id.split(',')).sort(),
    );
  });

  const { usesTlsByDefault, canSpeakPlain } = bench.client.traits;
  it('speaks plain on the same port too', { skip: !usesTlsByDefault || !canSpeakPlain }, async () => {
    const topic = await bench.newTopic('plain');
    const driver = bench.newDriver();
    const connection = { ...bench.connection, tls: false };
    await driver.startProducer('producer', connection, [topic]);
    await driver.startSimpleConsumer('consumer', connection, {
      group: bench.name('group'),
      subscriptions: { [topic]: '*' },
      awaitMs: 5_000,
    });
    const messageId = await driver.send('producer', { topic, body: base64('plain') });
    const received = await waitUntil(
      'it',
      30_000,
      async () => (await driver.receive('consumer', 1, INVISIBLE_MS_MIN))[0],
    );
    assert.equal(received.messageId, messageId);
  });
}

/** Clients that turn to another broker in time; Go and Python give up when they can't connect, and Rust at once. */
const SENDS_ELSEWHERE: ReadonlySet<string> = new Set(['node', 'java', 'java-old']);

function describeFaults(bench: Bench): void {
  it('goes on when one of two name servers dies', { skip: !bench.client.traits.hasAccessPointFailover }, async () => {
    const faults = bench.target.faults!;
    const topic = await bench.newTopic('access');
    const producer = await bench.newProducer(topic);
    const collector = await bench.collect(topic, bench.name('group'));
    await faults.killNameServer(0);
    await bench.driver.sendMany(producer, { topic, prefix: 'old', count: 20, concurrency: 2 });
    await waitForCount(collector, 20, 60_000);
    const second = await bench.newProducer(topic);
    await bench.driver.sendMany(second, { topic, prefix: 'new', count: 20, concurrency: 2 });
    await waitForCount(collector, 40, 60_000);
    await faults.startNameServer(0);
  });

  it('goes on while a broker is stopped and started', async () => {
    const faults = bench.target.faults!;
    const topic = await bench.newTopic('stop');
    const producer = await bench.newProducer(topic);
    const collector = await bench.collect(topic, bench.name('group'));
    const sending = bench.driver.sendMany(producer, { topic, prefix: 's', count: 600, concurrency: 4 });
    await waitUntil('sends before the stop', 60_000, () => bench.driver.progressOf(producer) >= 150);
    await faults.stopBroker(0);
    await faults.startBroker(0);
    const { acked, failed } = await sending;
    if (SENDS_ELSEWHERE.has(bench.client.language)) assert.equal(failed, 0);
    await waitForCount(collector, acked.length, 60_000);
    const arrived = new Set(collector.messages.map(textOf));
    assert.deepEqual(
      acked.filter((index) => !arrived.has(`s${index}`)),
      [],
    );
  });

  it('loses nothing that was acknowledged when a broker is killed', async () => {
    const faults = bench.target.faults!;
    const topic = await bench.newTopic('kill');
    const producer = await bench.newProducer(topic);
    const sending = bench.driver.sendMany(producer, { topic, prefix: 'k', count: 1_000, concurrency: 5 });
    await waitUntil('sends before the kill', 60_000, () => bench.driver.progressOf(producer) >= 250);
    await faults.killBroker(0);
    await faults.startBroker(0);
    const { acked } = await sending;
    assert(acked.length >= 300, `only ${acked.length} sends were acknowledged`);
    const collector = await bench.collect(topic, bench.name('group'));
    const missing = () => {
      const arrived = new Set(collector.messages.map(textOf));
      return acked.filter((index) => !arrived.has(`k${index}`));
    };
    await waitUntil('every acknowledged message', 60_000, () => missing().length === 0).catch(() => {});
    assert.deepEqual(missing(), []);
  });
}
