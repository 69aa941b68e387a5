import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { MIB } from '@orbitmq/base';
import { AddressScheme, Code, type Endpoints } from '@orbitmq/protocol/apache.rocketmq.v2';
import { RpcError } from '@orbitmq/rpc';
import { type Cluster, type Member, startCluster } from '../cluster.ts';
import { type Forwarder, startForwarder } from '../forwarder.ts';
import { waitUntil } from '../interop/child.ts';
import { prepareClient } from '../interop/clients.ts';
import { textOf } from '../interop/collector.ts';
import { Driver } from '../interop/driver.ts';
import { LeaseApi } from '../lease-api.ts';
import { replicationOf, waitForInSync, waitForLeader } from '../replication-state.ts';
import { MessagingClient } from './messaging-client.ts';

const TOPIC = 'relayed';

function endpointsOf(text: string): Endpoints {
  const colon = text.lastIndexOf(':');
  const host = text.slice(0, colon);
  const scheme = /^[\d.]+$/.test(host) ? AddressScheme.IPv4 : AddressScheme.DOMAIN_NAME;
  return { scheme, addresses: [{ host, port: Number(text.slice(colon + 1)) }] };
}

/** `host:port` of the broker, as a route shows it to who has dialled `dialled`. */
async function shownTo(member: Member, dialled: string): Promise<string> {
  using client = new MessagingClient(member.endpoint);
  const { status, messageQueues } = await client.queryRoute(TOPIC, endpointsOf(dialled));
  assert.equal(status?.code, Code.OK, status?.message);
  const shown = new Set(
    messageQueues.flatMap(({ broker }) => broker!.endpoints!.addresses.map(({ host, port }) => `${host}:${port}`)),
  );
  assert.equal(shown.size, 1);
  return [...shown][0]!;
}

describe('what a client dialled', () => {
  it('leads to the brokers when it is the cluster itself, and back to the name server otherwise', async () => {
    await using cluster = await startCluster({
      nameServerProperties: { clusterAddresses: 'mq.queues.svc;mq:80' },
    });
    const [server, broker] = [cluster.nameServers[0]!, cluster.brokers[0]!];
    await using forwarder = await startForwarder(server.endpoint);
    for (const own of [server.endpoint, `localhost:${server.clientPort}`, 'mq.queues.svc:8081', 'mq:80']) {
      assert.equal(await shownTo(server, own), broker.endpoint, own);
    }
    for (const other of [forwarder.endpoint, 'mq:81', 'mq.example.com:443', '203.0.113.4:8081']) {
      assert.equal(await shownTo(server, other), other);
    }
    using client = new MessagingClient(forwarder.endpoint);
    const addresses = new Array(17).fill({ host: 'x', port: 1 });
    const { status } = await client.queryRoute(TOPIC, { scheme: AddressScheme.IPv4, addresses });
    assert.equal(status?.code, Code.ILLEGAL_ACCESS_POINT, status?.message);
  });

  it('does not matter where the operator has decided', async () => {
    await using relaying = await startCluster({ nameServerProperties: { routeMode: 'relay' } });
    const server = relaying.nameServers[0]!;
    assert.equal(await shownTo(server, server.endpoint), server.endpoint);
    await using direct = await startCluster({ nameServerProperties: { routeMode: 'direct' } });
    assert.equal(await shownTo(direct.nameServers[0]!, 'mq.example.com:443'), direct.brokers[0]!.endpoint);
  });
});

describe('a slow tunnel to a name server', () => {
  const LARGE_BYTES = 4 * MIB - 4096;
  const COUNT = 3;

  it('takes the largest messages, several at once, and keeps nobody else waiting', async () => {
    await using cluster = await startCluster({});
    const [server, broker] = [cluster.nameServers[0]!, cluster.brokers[0]!];
    await using tunnel = await startForwarder(server.endpoint, 8 * MIB);
    using slow = new MessagingClient(tunnel.endpoint, 'slow', 60_000);
    using quick = new MessagingClient(server.endpoint, 'quick');
    assert.equal((await quick.send({ topic: 'small' })).status?.code, Code.OK);

    const body = (index: number): Buffer => Buffer.alloc(LARGE_BYTES, `body ${index} `);
    let isSent = false;
    const sending = Promise.all(
      Array.from({ length: COUNT }, (_, index) => slow.send({ topic: TOPIC, body: body(index) })),
    );
    const sent = sending.finally(() => {
      isSent = true;
    });
    let meanwhile = 0;
    while (!isSent) {
      assert.equal((await quick.send({ topic: 'small' })).status?.code, Code.OK);
      if (!isSent) meanwhile++;
    }
    for (const { status } of await sent) assert.equal(status?.code, Code.OK, status?.message);
    assert.ok(meanwhile > 0, 'somebody else is answered meanwhile');

    const wanted = new Set(Array.from({ length: COUNT }, (_, index) => sha256(body(index))));
    while (wanted.size > 0) {
      const fields = { topic: TOPIC, group: 'slow-readers', brokerName: broker.name, invisibleMs: 60_000 };
      const received = await slow.receive(fields);
      assert.ok(
        received.some(({ message }) => message !== undefined),
        'messages come as long as some are missing',
      );
      for (const { message } of received) if (message) wanted.delete(sha256(message.body));
    }
  });
});

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

describe('applications that know a forwarded port only', () => {
  let directory: string;
  let api: LeaseApi;
  let cluster: Cluster;
  let members: Member[];
  let forwarder: Forwarder;
  let driver: Driver;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'orbitmq-relay-'));
    api = await LeaseApi.start();
    cluster = await startCluster({
      nameServerCount: 2,
      slaveCount: 1,
      brokerProperties: {
        brokerRole: 'SYNC_MASTER',
        minInSyncReplicas: 1,
        coordinator: 'kubernetes',
        leaseKubeconfig: api.writeKubeconfig(join(directory, 'kubeconfig')),
      },
    });
    members = [...cluster.brokers, ...cluster.slaves];
    await waitForInSync(await waitForLeader(members), 2);
    forwarder = await startForwarder(cluster.nameServers[0]!.endpoint);
    driver = new Driver((await prepareClient('node')).command, join(directory, 'consumer.log'));
  });
  after(async () => {
    await driver?.stop();
    await forwarder?.stop();
    await cluster?.stop();
    await api?.[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  });

  it('go on over the death of a master and of their name server, and are never told that it is their fault', async (test) => {
    const connection = { endpoints: forwarder.endpoint, tls: false };
    await driver.startProducer('producer', connection, [TOPIC]);
    const subscription = { group: 'relayed-readers', subscriptions: { [TOPIC]: '*' } };
    await driver.startPushConsumer('consumer', connection, subscription);
    const official = new Sender(driver, 'producer');
    const sending = official.run();
    const asking = new Asker(forwarder.endpoint);
    const running = asking.run();
    try {
      await official.more(20);

      const master = await waitForLeader(members);
      const slave = members.find((member) => member !== master)!;
      const { epoch } = (await replicationOf(master))!;
      official.takeGapMs();
      await master.kill();
      await waitForLeader([slave], epoch);
      await official.more(20);
      test.diagnostic(
        `gap in sends of an official client when the master dies: ${Math.round(official.takeGapMs())} ms`,
      );

      await cluster.nameServers[0]!.kill();
      forwarder.pointTo(cluster.nameServers[1]!.endpoint);
      forwarder.cut();
      await official.more(20);
      test.diagnostic(`when the name server does: ${Math.round(official.takeGapMs())} ms`);
    } finally {
      asking.stop();
      official.stop();
      await Promise.all([running, sending]);
    }
    const stored = [...official.stored];
    await waitUntil('all that was stored', 60_000, () => {
      const received = new Set(driver.messagesOf('consumer').map(textOf));
      return stored.every((body) => received.has(body));
    });
    assert.deepEqual(
      [...asking.codes].filter((code) => code < Code.INTERNAL_ERROR && code !== Code.OK),
      [],
    );
  });
});

/** An application that sends one message after the other by an official client, and goes on when the client gives up. */
class Sender {
  /** Bodies of messages of which the client said that they are stored. */
  readonly stored = new Set<string>();
  readonly #driver: Driver;
  readonly #producer: string;
  #stopped = false;
  #storedMs = performance.now();
  #gapMs = 0;

  constructor(driver: Driver, producer: string) {
    this.#driver = driver;
    this.#producer = producer;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Waits until so many more messages are stored. */
  more(count: number): Promise<boolean> {
    const target = this.stored.size + count;
    return waitUntil(`${count} more messages are stored`, 60_000, () => this.stored.size >= target);
  }

  /** Longest time between two sends that succeeded, since it was asked last. Milliseconds. */
  takeGapMs(): number {
    const gapMs = this.#gapMs;
    this.#gapMs = 0;
    return gapMs;
  }

  async run(): Promise<void> {
    for (let index = 0; !this.#stopped; index++) {
      const text = `sent-${index}`;
      const message = { topic: TOPIC, body: Buffer.from(text).toString('base64') };
      const isStored = await this.#driver.send(this.#producer, message).then(
        () => true,
        () => false,
      );
      const nowMs = performance.now();
      if (isStored) {
        this.#gapMs = Math.max(this.#gapMs, nowMs - this.#storedMs);
        this.#storedMs = nowMs;
        this.stored.add(text);
      }
      await pause(10);
    }
  }
}

/** Sends one message after the other, and notes every answer. */
class Asker {
  readonly codes = new Set<number>();
  readonly #client: MessagingClient;
  #stopped = false;

  constructor(endpoint: string) {
    this.#client = new MessagingClient(endpoint);
  }

  stop(): void {
    this.#stopped = true;
  }

  async run(): Promise<void> {
    while (!this.#stopped) {
      try {
        const { status } = await this.#client.send({ topic: 'asked' });
        this.codes.add(status!.code);
      } catch (error) {
        // The connection was cut, or the name server is not there yet.
        if (!(error instanceof RpcError) || !['UNAVAILABLE', 'DEADLINE_EXCEEDED'].includes(error.status)) throw error;
      }
      await pause(20);
    }
    this.#client[Symbol.dispose]();
  }
}
