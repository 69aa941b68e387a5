import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Code } from '@orbitmq/protocol/apache.rocketmq.v2';
import { RpcError } from '@orbitmq/rpc';
import { type Member, startCluster } from '../cluster.ts';
import { MessagingClient, simpleConsumerSettings } from './messaging-client.ts';

const TOPIC = 'load';
const QUIET_TOPIC = 'quiet';
const GROUP = 'load-group';
const CONNECTIONS = 4;
const PRODUCERS = 32;
const CONSUMERS = 8;
const POLLS = 200;
const STREAMS = 50;
const SENDS_BEFORE_STOP = 500;

/** What clients of a broker were told until it was gone. */
class Load {
  readonly stored = new Set<string>();
  readonly acknowledged = new Set<string>();
  /** Answers that a stop must not give: a refusal of what it could still have done. */
  readonly refusals: string[] = [];
  endedPolls = 0;
  endedStreams = 0;
  readonly #broker: Member;
  readonly #clients: MessagingClient[];
  #count = 0;

  constructor(broker: Member) {
    this.#broker = broker;
    this.#clients = Array.from(
      { length: CONNECTIONS },
      (_, index) => new MessagingClient(broker.endpoint, `c${index}`),
    );
  }

  /** Runs until every client has seen the end of the broker. */
  async run(): Promise<void> {
    const many = (count: number, work: (client: MessagingClient) => Promise<void>): Promise<void>[] =>
      Array.from({ length: count }, (_, index) => work(this.#clients[index % CONNECTIONS]!));
    await Promise.all([
      ...many(PRODUCERS, (client) => this.#untilGone(() => this.#send(client))),
      ...many(CONSUMERS, (client) => this.#untilGone(() => this.#consume(client))),
      ...many(POLLS, (client) => this.#poll(client)),
      ...many(STREAMS, (client) => this.#stream(client)),
    ]);
    for (const client of this.#clients) client.close();
  }

  async #untilGone(work: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        await work();
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        if (error.status !== 'UNAVAILABLE' && error.status !== 'CANCELLED') this.refusals.push(error.message);
        return;
      }
    }
  }

  async #send(client: MessagingClient): Promise<void> {
    const body = `message ${this.#count++}`;
    const { status } = await client.send({ topic: TOPIC, body: Buffer.from(body) });
    if (status?.code === Code.OK) this.stored.add(body);
    else this.refusals.push(`send: ${status?.message}`);
  }

  async #consume(client: MessagingClient): Promise<void> {
    const fields = { topic: TOPIC, group: GROUP, brokerName: this.#broker.name, batchSize: 4, pollingMs: 1_000 };
    for (const message of await client.receiveMessages(fields)) {
      const answer = await client.ack(TOPIC, GROUP, message.systemProperties!.receiptHandle!);
      if (answer.status?.code === Code.OK) this.acknowledged.add(Buffer.from(message.body).toString());
      else this.refusals.push(`ack: ${answer.status?.message}`);
    }
  }

  async #poll(client: MessagingClient): Promise<void> {
    const fields = { topic: QUIET_TOPIC, group: GROUP, brokerName: this.#broker.name, pollingMs: 30_000 };
    const parts = await client.receive(fields);
    if (parts[0]?.status?.code === Code.MESSAGE_NOT_FOUND) this.endedPolls++;
  }

  async #stream(client: MessagingClient): Promise<void> {
    const stream = client.telemetry();
    void stream.write({ status: undefined, settings: simpleConsumerSettings(QUIET_TOPIC, GROUP) });
    try {
      for await (const _command of stream.responses);
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      this.refusals.push(`stream: ${error.status} ${error.message}`);
    }
    this.endedStreams++;
  }
}

describe('A3: a broker is told to stop under load', () => {
  it('ends within 10 s with code 0 and a clean log, refuses nothing it took, and has all that it acknowledged', async () => {
    await using cluster = await startCluster({ brokerProperties: { flushDiskType: 'SYNC_FLUSH' } });
    const broker = cluster.brokers[0]!;
    await prepare(broker);
    const load = new Load(broker);
    const running = load.run();
    const polling = async (): Promise<boolean> => (await broker.metric('orbitmq_messaging_waiting_polls')) >= POLLS;
    while (load.stored.size < SENDS_BEFORE_STOP || !(await polling())) await delay(20);
    const beganMs = performance.now();
    const end = await broker.stop(20_000);
    const tookMs = performance.now() - beganMs;
    assert.deepEqual(end, { code: 0, signal: null });
    assert.ok(tookMs < 10_000, `the stop took ${tookMs} ms`);
    await running;
    assert.deepEqual(load.refusals, []);
    assert.equal(load.endedPolls, POLLS);
    assert.equal(load.endedStreams, STREAMS);
    const complaints = broker.logLines().filter(({ level }) => level === 'error' || level === 'warn');
    assert.deepEqual(complaints, []);
    broker.start();
    await broker.waitReady();
    await checkKept(broker, load);
  });
});

async function prepare(broker: Member): Promise<void> {
  using client = new MessagingClient(broker.endpoint);
  for (const topic of [TOPIC, QUIET_TOPIC]) assert.equal((await client.send({ topic })).status?.code, Code.OK);
  const fields = { topic: QUIET_TOPIC, group: GROUP, brokerName: broker.name };
  const [message] = await client.receiveMessages(fields);
  await client.ack(QUIET_TOPIC, GROUP, message!.systemProperties!.receiptHandle!);
}

/** Everything that was answered with OK comes, and what was acknowledged doesn't come again. */
async function checkKept(broker: Member, load: Load): Promise<void> {
  using client = new MessagingClient(broker.endpoint);
  const missing = new Set([...load.stored].filter((body) => !load.acknowledged.has(body)));
  const fields = { topic: TOPIC, group: GROUP, brokerName: broker.name, invisibleMs: 30_000, pollingMs: 10_000 };
  while (missing.size > 0) {
    const messages = await client.receiveMessages(fields);
    assert.ok(messages.length > 0, `${missing.size} messages are lost`);
    const bodies = messages.map((message) => Buffer.from(message.body).toString());
    assert.deepEqual(
      bodies.filter((body) => load.acknowledged.has(body)),
      [],
    );
    for (const body of bodies) missing.delete(body);
    const handles = messages.map((message) => message.systemProperties!.receiptHandle!);
    await client.ack(TOPIC, GROUP, ...handles);
  }
}
