import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { seededRandom } from '@orbitmq/base';
import { AdminClient } from '@orbitmq/client';
import { type Cluster, startCluster } from '../cluster.ts';
import { MessagingClient } from '../e2e/messaging-client.ts';
import { History } from './history.ts';

const SEED = Number(process.env.SEED ?? 1);
const ROUNDS = Number(process.env.KILLS ?? 4);
const INVISIBLE_MS = 10_000;
const TIMED = { topic: 'Timed', group: 'timed-readers', brokerName: 'broker-a', invisibleMs: INVISIBLE_MS };
const DEALS = { topic: 'Deals', group: 'deal-readers', brokerName: 'broker-a', invisibleMs: INVISIBLE_MS };
const ORDERS = { topic: 'Orders', group: 'order-readers', brokerName: 'broker-a', invisibleMs: INVISIBLE_MS };
const LETTERS = { topic: `%DLQ%${ORDERS.group}`, group: 'letter-readers', brokerName: 'broker-a', invisibleMs: 60_000 };
const MESSAGE_GROUPS = 4;

describe('timed, transactional and ordered messages of a broker that is killed again and again', () => {
  it(`keep their promises over ${ROUNDS} lives (seed ${SEED})`, async () => {
    const random = seededRandom(SEED);
    await using cluster = await startCluster({
      brokerProperties: { flushDiskType: 'SYNC_FLUSH', mappedFileSizeCommitLog: 1 << 20, maxMessageSize: 65536 },
    });
    await makeOrderlyGroup(cluster);
    const load = new Load(cluster);
    for (let round = 0; round < ROUNDS; round++) {
      await pause(300 + random.below(600));
      await cluster.brokers[0]!.kill();
      cluster.brokers[0]!.start();
      await cluster.brokers[0]!.waitReady();
    }
    await load.stopSending();
    await load.drain();
    for (const [name, history] of Object.entries(load.histories)) assert.deepEqual(history.broken(), [], name);
    assert.deepEqual(load.brokenRecalls(), [], 'what was recalled never comes');
    assert.deepEqual(await load.brokenLetters(), [], 'what was forwarded is a dead letter, once');
    assert.ok(load.committedCount > 10 && load.recalledCount > 0 && load.forwardedCount > 0, load.summary());
  });
});

/** Clients that go on whatever happens to the broker, until they are told to stop. */
class Load {
  readonly histories = {
    timed: new History([TIMED.group]),
    deals: new History([DEALS.group]),
    orders: new History([ORDERS.group]),
  };
  readonly #cluster: Cluster;
  readonly #producers: Promise<void>[] = [];
  readonly #consumers: Promise<void>[] = [];
  readonly #recalled = new Set<string>();
  readonly #forwarded = new Set<string>();
  #sending = true;
  #receiving = true;
  committedCount = 0;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    for (let index = 0; index < 2; index++) {
      this.#producers.push(this.#produceTimed(`timed-${index}`), this.#produceDeals(`deal-${index}`));
    }
    for (let index = 0; index < MESSAGE_GROUPS; index++) this.#producers.push(this.#produceOrders(index));
    this.#consumers.push(
      this.#consume(() => this.histories.timed, TIMED),
      this.#consume(() => this.histories.deals, DEALS),
      this.#consume(() => this.histories.orders, ORDERS),
      this.#consume(() => this.histories.orders, ORDERS),
    );
  }

  get recalledCount(): number {
    return this.#recalled.size;
  }

  get forwardedCount(): number {
    return this.#forwarded.size;
  }

  summary(): string {
    return `${this.committedCount} committed, ${this.recalledCount} recalled, ${this.forwardedCount} forwarded`;
  }

  async stopSending(): Promise<void> {
    this.#sending = false;
    await Promise.all(this.#producers);
  }

  /** Receives until nothing has come for longer than a message stays invisible. */
  async drain(): Promise<void> {
    this.#receiving = false;
    await Promise.all(this.#consumers);
    const { timed, deals, orders } = this.histories;
    await Promise.all([this.#drain(timed, TIMED), this.#drain(deals, DEALS), this.#drain(orders, ORDERS)]);
  }

  brokenRecalls(): string[] {
    const seen = this.histories.timed.events.filter(({ f, id }) => f === 'recv' && this.#recalled.has(String(id)));
    return seen.map(({ id }) => String(id));
  }

  /** Forwarded messages that are not dead letters exactly once, and dead letters that nobody has forwarded. */
  async brokenLetters(): Promise<string[]> {
    using client = this.#connect();
    const counts = new Map<string, number>();
    for (let quietRounds = 0; quietRounds < 2; ) {
      const messages = await client.receiveMessages({ ...LETTERS, pollingMs: 1000 });
      quietRounds = messages.length === 0 ? quietRounds + 1 : 0;
      for (const { body, systemProperties } of messages) {
        const id = Buffer.from(body).toString();
        counts.set(id, (counts.get(id) ?? 0) + 1);
        await client.ack(LETTERS.topic, LETTERS.group, systemProperties!.receiptHandle!);
      }
    }
    const ids = new Set([...this.#forwarded, ...counts.keys()]);
    const asked = this.histories.orders.forwardsAsked;
    return [...ids].filter((id) => counts.get(id) !== 1 || !asked.has(id)).map((id) => `${id}: ${counts.get(id) ?? 0}`);
  }

  async #drain(history: History, target: typeof TIMED): Promise<void> {
    using client = this.#connect();
    let quietSinceMs = performance.now();
    while (performance.now() - quietSinceMs < INVISIBLE_MS + 3_000) {
      if ((await history.receive(client, target)) > 0) quietSinceMs = performance.now();
    }
  }

  async #produceTimed(name: string): Promise<void> {
    using client = this.#connect();
    for (let index = 0; this.#sending; index++) {
      const id = `${name}-${index}`;
      const isRecalled = index % 5 === 4;
      // What may be recalled need not come.
      const handle = await this.histories.timed.sendTimed(client, TIMED, id, 500 + (index % 7) * 300, isRecalled);
      if (handle === undefined) await pause(20);
      else if (isRecalled && (await this.histories.timed.recall(client, TIMED.topic, handle))) this.#recalled.add(id);
    }
  }

  async #produceDeals(name: string): Promise<void> {
    using client = this.#connect();
    for (let index = 0; this.#sending; index++) {
      const half = await this.histories.deals.sendHalf(client, DEALS, `${name}-${index}`);
      if (half === undefined) {
        await pause(20);
        continue;
      }
      const commits = index % 3 !== 2;
      await this.histories.deals.end(client, DEALS.topic, half, commits);
      if (commits) this.committedCount++;
    }
  }

  /** A message of a group follows only when the one before is stored for certain. */
  async #produceOrders(messageGroup: number): Promise<void> {
    using client = this.#connect();
    for (let index = 0; this.#sending; index++) {
      const id = `order-${messageGroup}-${index}`;
      if (!(await this.histories.orders.send(client, ORDERS, id, `key-${messageGroup}`))) await pause(20);
    }
  }

  async #consume(history: () => History, target: typeof TIMED): Promise<void> {
    using client = this.#connect();
    const forwards = (id: string): boolean => target === ORDERS && id.endsWith('3');
    while (this.#receiving) {
      const count = await history().receive(client, target, forwards, (id) => this.#forwarded.add(id));
      if (count === 0) await pause(20);
    }
  }

  #connect(): MessagingClient {
    return new MessagingClient(this.#cluster.brokers[0]!.endpoint, `chaos-${Math.random()}`);
  }
}

async function makeOrderlyGroup(cluster: Cluster): Promise<void> {
  const admin = new AdminClient({ address: `127.0.0.1:${cluster.brokers[0]!.adminPort}` });
  try {
    await admin.putGroup({
      name: ORDERS.group,
      consumeMessageOrderly: true,
      retryPolicy: undefined,
      attributesPut: new Map(),
      attributesRemoved: [],
    });
  } finally {
    admin.close();
  }
}
