import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '@orbitmq/base';
import { BrokerRegistration, ClusterClient, NameServers, type RegistrationSource, RouteClient } from '@orbitmq/client';
import { MessageType } from '@orbitmq/protocol/apache.rocketmq.v2';
import {
  type BrokerIdentity,
  type BrokerStatus,
  Role,
  type Topic,
  TopicType,
} from '@orbitmq/protocol/orbitmq.route.v1';
import { RouteLookup, RouteTable } from '@orbitmq/routing';
import { type RpcServer, startRpcServer } from '@orbitmq/rpc';
import type { Logger } from '@orbitmq/runtime';
import { Expiry } from './expiry.ts';
import { routeMethods } from './route-service.ts';

const silentLogger: Logger = { child: () => silentLogger, debug() {}, info() {}, warn() {}, error() {} };

const LIMITS = {
  receiveMessageBytesMax: 4_194_304,
  concurrentStreamsMax: 100,
  metadataBytesMax: 16_384,
  connectionsMax: 100,
  connectionsPerAddressMax: 100,
  handshakeTimeoutMs: 5000,
};

/** A name server in this process. */
class TestNameServer {
  readonly table = new RouteTable({ silenceMs: 2000, graceMs: 1500, brokerCountMax: 10 });
  readonly #expiry = new Expiry(this.table, systemClock, silentLogger);
  #server: RpcServer | undefined;

  async start(port = 0): Promise<number> {
    const lookup = new RouteLookup(this.table, systemClock, 0);
    const options = { table: this.table, lookup, clock: systemClock, logger: silentLogger, nameServerId: 'test' };
    const onUnexpectedError = (error: unknown): never => {
      throw error;
    };
    const address = { host: '127.0.0.1', port, tls: undefined };
    const methods = routeMethods(options);
    this.#server = await startRpcServer({
      ...address,
      methods,
      limits: LIMITS,
      logger: silentLogger,
      onUnexpectedError,
    });
    await this.#expiry.start();
    return this.#server.port;
  }

  async stop(): Promise<void> {
    await this.#expiry.stop();
    await this.#server?.stop(0);
  }
}

class TestBroker implements RegistrationSource {
  readonly topicTable = new Map<string, Topic>();
  permission = 6;
  readonly #identity: BrokerIdentity;

  constructor(brokerName: string, incarnation = 1n) {
    this.#identity = {
      cluster: 'DefaultCluster',
      brokerName,
      brokerId: 0,
      epoch: 1n,
      incarnation,
      role: Role.ROLE_MASTER,
      clientEndpoints: { scheme: 1, addresses: [{ host: '127.0.0.1', port: 10911 }] },
      adminAddress: '127.0.0.1:10909',
      replicationAddress: '',
      acting: false,
      version: '0.1.0',
    };
  }

  identity(): BrokerIdentity {
    return this.#identity;
  }

  status(): BrokerStatus {
    return { permission: this.permission, autoCreate: undefined };
  }

  topics(): Iterable<Topic> {
    return this.topicTable.values();
  }

  put(name: string, queueCount = 4): void {
    const counts = { readQueueCount: queueCount, writeQueueCount: queueCount };
    this.topicTable.set(name, {
      name,
      ...counts,
      permission: 6,
      type: TopicType.TOPIC_TYPE_NORMAL,
      autoCreated: false,
    });
  }
}

const closing: (() => unknown)[] = [];

async function until(what: string, condition: () => boolean | Promise<boolean>, deadlineMs = 30_000): Promise<void> {
  const endMs = performance.now() + deadlineMs;
  while (!(await condition())) {
    if (performance.now() > endMs) assert.fail(`not within ${deadlineMs} ms: ${what}`);
    await sleep(5);
  }
}

function registrationOf(source: RegistrationSource, ports: readonly number[]): BrokerRegistration {
  const nameServers = new NameServers({ addresses: ports.map((port) => `127.0.0.1:${port}`) });
  const registration = new BrokerRegistration({
    nameServers,
    source,
    clock: systemClock,
    logger: silentLogger,
    heartbeatIntervalMs: 100,
  });
  closing.push(async () => {
    await registration.stop(1000);
    nameServers.close();
  });
  return registration;
}

async function nameServer(port = 0): Promise<{ server: TestNameServer; port: number }> {
  const server = new TestNameServer();
  closing.push(() => server.stop());
  return { server, port: await server.start(port) };
}

describe('registration over the wire', () => {
  after(async () => {
    for (const close of closing.reverse()) await close();
  });

  it('shows a broker with 10,000 topics on all name servers, pushes changes, and takes it out when it goes', async () => {
    const [first, second] = [await nameServer(), await nameServer()];
    const broker = new TestBroker('broker-a');
    for (let index = 0; index < 10_000; index++) broker.put(`topic-${index}`, 8);
    const registration = registrationOf(broker, [first.port, second.port]);
    await registration.start();
    await until('registered with both', () => registration.registeredCount === 2);
    assert.equal(first.server.table.topicNames().length, 10_000);
    assert.equal(second.server.table.routeOf('topic-9999').queues.length, 8);

    broker.put('new');
    broker.topicTable.delete('topic-0');
    broker.permission = 4;
    registration.changed();
    await until('the change is shown', () => first.server.table.routeOf('new').queues.length === 4);
    assert.equal(first.server.table.routeOf('topic-0').queues.length, 0);
    await until('the permission is shown', () => first.server.table.masterOf('broker-a')?.status.permission === 4);

    await registration.stop(2000);
    assert.equal(first.server.table.masters().length, 0);
    assert.equal(second.server.table.masters().length, 0);
  });

  it('is back on a name server soon after its restart', async () => {
    const { server, port } = await nameServer();
    const broker = new TestBroker('broker-a');
    broker.put('orders');
    const registration = registrationOf(broker, [port]);
    await registration.start();
    await until('registered', () => registration.registeredCount === 1);
    await server.stop();
    await sleep(700);
    const restarted = await nameServer(port);
    await until('registered again', () => restarted.server.table.routeOf('orders').queues.length === 4, 5000);
  });

  it('is kept by heartbeats alone', async () => {
    const { server, port } = await nameServer();
    const registration = registrationOf(new TestBroker('broker-a'), [port]);
    await registration.start();
    await until('registered', () => server.table.masters().length === 1);
    await sleep(2500);
    assert.equal(server.table.masters().length, 1);
  });

  it('lets the later incarnation win', async () => {
    const { server, port } = await nameServer();
    await registrationOf(new TestBroker('broker-a', 1n), [port]).start();
    await until('the first is shown', () => server.table.masters().length === 1);
    await registrationOf(new TestBroker('broker-a', 2n), [port]).start();
    const incarnation = (): bigint | undefined => server.table.masterOf('broker-a')?.identity.incarnation;
    await until('the second is shown', () => incarnation() === 2n);
    await sleep(500);
    assert.equal(incarnation(), 2n);
  });

  it('answers routes and the cluster from whichever name server is there', async () => {
    const { port } = await nameServer();
    const broker = new TestBroker('broker-a');
    broker.put('orders');
    const registration = registrationOf(broker, [port]);
    await registration.start();
    await until('registered', () => registration.registeredCount === 1);
    const nameServers = new NameServers({ addresses: ['127.0.0.1:1', `127.0.0.1:${port}`] });
    closing.push(() => nameServers.close());
    const routes = new RouteClient({ nameServers, clock: systemClock });
    const route = await routes.routeOf('orders');
    assert.equal(route.queues.length, 4);
    assert.deepEqual(route.queues[0]?.acceptMessageTypes, [MessageType.NORMAL]);
    assert.deepEqual(await routes.routeOf('nothing'), { exists: false, queues: [] });
    broker.put('nothing');
    registration.changed();
    await until('a topic that was missing is found', async () => (await routes.routeOf('nothing')).exists);
    const cluster = new ClusterClient(nameServers);
    assert.equal((await cluster.brokers())[0]?.identity?.adminAddress, '127.0.0.1:10909');
    assert.deepEqual(
      (await cluster.topics()).map(({ name }) => name),
      ['nothing', 'orders'],
    );
    assert.equal((await cluster.topic('orders'))?.placements[0]?.topic?.readQueueCount, 4);
  });

  it('says which name servers do not answer', async () => {
    const nameServers = new NameServers({ addresses: ['127.0.0.1:1'] });
    closing.push(() => nameServers.close());
    await assert.rejects(new ClusterClient(nameServers).brokers(), /127\.0\.0\.1:1 \(not reachable\)/);
  });
});
