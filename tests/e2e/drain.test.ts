import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Code, MessageType, Permission } from '@orbitmq/protocol/apache.rocketmq.v2';
import { bundleApps } from '@orbitmq/tools';
import { type Cluster, type Member, startCluster } from '../cluster.ts';
import { waitUntil } from '../interop/child.ts';
import { MessagingClient, newMessage } from './messaging-client.ts';
import { mqadmin } from './mqadmin-tool.ts';

const TOPIC = 'orders';
const GROUP = 'billing';
/** Clients of this test ask for their routes as often; those of the original every 30 s. Milliseconds. */
const ROUTE_MS = 1_000;
const SENDERS = 4;
/** Official clients try so often. */
const ATTEMPTS = 3;

/** Senders and consumers that do what official clients do: routes that are some time old, another broker after a failure. */
class Load {
  readonly stored = new Set<string>();
  readonly consumed = new Set<string>();
  /** Sends that no attempt brought through. */
  readonly failures: string[] = [];
  readonly refusals: string[] = [];
  readonly sentTo = new Map<string, number>();
  isSending = true;
  isConsuming = true;
  readonly #brokers: ReadonlyMap<string, MessagingClient>;
  readonly #nameServer: MessagingClient;
  #writable: readonly string[] = [];
  #asked = Number.NEGATIVE_INFINITY;
  #count = 0;

  constructor(cluster: Cluster) {
    this.#brokers = new Map(cluster.brokers.map(({ name, endpoint }) => [name, new MessagingClient(endpoint)]));
    this.#nameServer = new MessagingClient(cluster.nameServers[0]!.endpoint);
  }

  async send(): Promise<void> {
    while (this.isSending) {
      const body = `message ${this.#count++}`;
      const message = newMessage({ topic: TOPIC, body: Buffer.from(body) });
      await this.refresh();
      let reason = '';
      for (let attempt = 0; attempt < ATTEMPTS && !this.stored.has(body); attempt++) {
        const name = this.#writable[(this.#count + attempt) % this.#writable.length]!;
        // Counted as it is chosen: who has the new route chooses no other broker, whenever the answers come.
        this.sentTo.set(name, (this.sentTo.get(name) ?? 0) + 1);
        const { status } = await this.#brokers.get(name)!.sendRaw([message]);
        if (status?.code === Code.OK) this.stored.add(body);
        else {
          reason = `${name}: ${status?.message}`;
          this.refusals.push(reason);
        }
      }
      if (!this.stored.has(body)) this.failures.push(reason);
      await delay(2);
    }
  }

  async consume(brokerName: string): Promise<void> {
    const client = this.#brokers.get(brokerName)!;
    const fields = { topic: TOPIC, group: GROUP, brokerName, batchSize: 16, pollingMs: 1_000 };
    while (this.isConsuming) {
      for (const message of await client.receiveMessages(fields)) {
        const answer = await client.ack(TOPIC, GROUP, message.systemProperties!.receiptHandle!);
        assert.equal(answer.status?.code, Code.OK, answer.status?.message);
        this.consumed.add(Buffer.from(message.body).toString());
      }
    }
  }

  /** Whether senders still choose a broker: they go by a route that may be somewhat old. */
  knowsAsWritable(brokerName: string): boolean {
    return this.#writable.includes(brokerName);
  }

  close(): void {
    this.#nameServer.close();
    for (const client of this.#brokers.values()) client.close();
  }

  /** To be called before anything is sent. */
  async refresh(): Promise<void> {
    if (performance.now() - this.#asked < ROUTE_MS) return;
    this.#asked = performance.now();
    this.#writable = await writableOf(this.#nameServer);
  }
}

async function writableOf(client: MessagingClient): Promise<string[]> {
  const { messageQueues } = await client.queryRoute(TOPIC);
  const writable = messageQueues.filter(({ permission }) => permission === Permission.READ_WRITE);
  return [...new Set(writable.map(({ broker }) => broker!.name))];
}

describe('a broker is drained under load', () => {
  let cluster: Cluster;
  let [staying, leaving]: Member[] = [];
  before(async () => {
    await bundleApps(['mqadmin']);
    cluster = await startCluster({ brokerCount: 2, brokerProperties: { autoCreateTopicEnable: false } });
    [staying, leaving] = cluster.brokers as [Member, Member];
    const made = await mqadmin([
      'updateTopic',
      '-n',
      cluster.namesrvAddr,
      '-c',
      'DefaultCluster',
      '-t',
      TOPIC,
      '-a',
      '+message.type=MIXED',
    ]);
    assert.equal(made.code, 0, made.stderr);
  });
  after(() => cluster.stop());

  const drain = (...args: string[]) =>
    mqadmin(['drainBroker', '-n', cluster.namesrvAddr, '-b', leaving!.name, ...args], 90_000);

  it('no send fails, everything is consumed, and the broker may go', async () => {
    const load = new Load(cluster);
    await load.refresh();
    const senders = Array.from({ length: SENDERS }, () => load.send());
    const consumers = cluster.brokers.map(({ name }) => load.consume(name));
    await waitUntil('both brokers get messages', 20_000, () => load.sentTo.size === 2 && load.stored.size > 200);
    // Shorter than routes are old: what still comes goes on to the other broker.
    const { code, stdout, stderr } = await drain('--graceSeconds', '0', '--timeoutSeconds', '60');
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /nothing is left on broker-b/);
    await waitUntil('senders have the new route', 20_000, () => !load.knowsAsWritable(leaving!.name));
    const goneOn = load.stored.size + 200;
    await waitUntil('sends go on', 20_000, () => load.stored.size > goneOn);
    const sentTo = load.sentTo.get(leaving!.name);
    await waitUntil('sends go on', 20_000, () => load.stored.size > goneOn + 100);
    assert.equal(load.sentTo.get(leaving!.name), sentTo, 'nobody sends to it any more');
    load.isSending = false;
    await Promise.all(senders);
    await waitUntil('all is consumed', 20_000, () => load.consumed.size === load.stored.size);
    load.isConsuming = false;
    await Promise.all(consumers);
    assert.deepEqual(load.failures, []);
    assert.deepEqual(load.refusals, []);
    assert.deepEqual(
      [...load.stored].filter((body) => !load.consumed.has(body)),
      [],
    );
    load.close();
    console.log(`drain: ${load.stored.size} messages sent and consumed, ${sentTo} sends to the broker that goes`);
  });

  it('is what the broker is after a restart, too, until it is undone', async () => {
    await leaving!.restart();
    await cluster.waitForRoutes();
    using nameServer = new MessagingClient(cluster.nameServers[0]!.endpoint);
    using client = new MessagingClient(leaving!.endpoint);
    assert.deepEqual(await writableOf(nameServer), [staying!.name]);
    const { status } = await client.send({ topic: TOPIC, tag: 'passed-on' });
    assert.equal(status?.code, Code.OK, status?.message);
    const nowhere = await client.send({ topic: 'there-is-none' });
    assert.equal(nowhere.status?.code, Code.HA_NOT_AVAILABLE, nowhere.status?.message);
    using other = new MessagingClient(staying!.endpoint);
    const fields = { topic: TOPIC, group: GROUP, brokerName: staying!.name };
    const [found] = await other.receiveMessages(fields);
    assert.equal(found?.systemProperties?.tag, 'passed-on', 'another broker has it');
    await other.ack(TOPIC, GROUP, found.systemProperties.receiptHandle!);
    for (const verb of ['clusterList', 'haStatus']) {
      const { stdout } = await mqadmin([verb, '-n', cluster.namesrvAddr]);
      assert.match(stdout, /broker-b.*is being drained/, stdout);
      assert.doesNotMatch(stdout, /broker-a.*is being drained/, stdout);
    }
    const undone = await drain('--undo');
    assert.equal(undone.code, 0, undone.stderr);
    await waitUntil('routes show it as writable', 5_000, async () => (await writableOf(nameServer)).length === 2);
    assert.equal((await client.send({ topic: TOPIC })).status?.code, Code.OK);
  });

  it('refuses to lose what nobody has consumed, and what waits for its time', async () => {
    using client = new MessagingClient(leaving!.endpoint);
    const message = newMessage({ topic: TOPIC, type: MessageType.DELAY });
    const dueSeconds = BigInt(Math.floor(Date.now() / 1000) + 3600);
    message.systemProperties!.deliveryTimestamp = { seconds: dueSeconds, nanos: 0 };
    assert.equal((await client.sendRaw([message])).status?.code, Code.OK);
    const { code, stderr } = await drain('--graceSeconds', '0', '--timeoutSeconds', '0');
    assert.equal(code, 1, stderr);
    assert.match(stderr, /messages are left on broker-b:/);
    assert.match(stderr, /orders +1 +waiting for their time/);
    assert.match(stderr, /orders +billing +1 +not settled by the group/);
    assert.match(stderr, /broker-b stays drained; run this again, or with --undo/);
    const ignored = await drain('--timeoutSeconds', '20', '--ignoreTopic', TOPIC);
    assert.equal(ignored.code, 0, ignored.stderr);
  });
});
