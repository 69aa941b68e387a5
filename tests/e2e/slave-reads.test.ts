import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { Code, type Message, Permission } from '@orbitmq/protocol/apache.rocketmq.v2';
import { GetReplicationResponse_Role as Role } from '@orbitmq/protocol/orbitmq.admin.v1';
import { type Cluster, type Member, startCluster } from '../cluster.ts';
import { waitForEqualState, waitForInSync, waitForReplication } from '../replication-state.ts';
import { MessagingClient } from './messaging-client.ts';

const GROUP = 'readers';
const COUNT = 12;
/** Longer than anything in a test takes. */
const INVISIBLE_MS = 600_000;
/** No receive waits less. */
const POLLING_MS = 5_000;

const bodyOf = ({ body }: Message): string => Buffer.from(body).toString();
const handleOf = ({ systemProperties }: Message): string => systemProperties!.receiptHandle!;

/** Consumers of a topic of one broker, and what they have been given. */
class Reading implements Disposable {
  readonly client: MessagingClient;
  readonly #topic: string;
  readonly #brokerName: string;

  constructor(endpoint: string, topic: string, brokerName: string) {
    this.client = new MessagingClient(endpoint);
    this.#topic = topic;
    this.#brokerName = brokerName;
  }

  /** Receives until so many messages have come. */
  async take(count: number, invisibleMs = INVISIBLE_MS): Promise<Message[]> {
    const taken: Message[] = [];
    for (let tries = 0; taken.length < count && tries < 20; tries++) {
      const batchSize = count - taken.length;
      taken.push(...(await this.#receive({ batchSize, invisibleMs, pollingMs: POLLING_MS })));
    }
    assert.equal(taken.length, count, `of ${this.#topic}`);
    return taken;
  }

  /** All that can be had now. */
  async rest(): Promise<string[]> {
    const bodies: string[] = [];
    for (;;) {
      const some = await this.#receive({ batchSize: 32, invisibleMs: INVISIBLE_MS, pollingMs: POLLING_MS });
      bodies.push(...some.map(bodyOf));
      if (some.length === 0) return bodies;
    }
  }

  async acknowledge(messages: readonly Message[]): Promise<void> {
    for (const message of messages) {
      const { status } = await this.client.ack(this.#topic, GROUP, handleOf(message));
      assert.equal(status?.code, Code.OK, status?.message);
    }
  }

  [Symbol.dispose](): void {
    this.client[Symbol.dispose]();
  }

  #receive(fields: { batchSize: number; invisibleMs: number; pollingMs: number }): Promise<Message[]> {
    return this.client.receiveMessages({ topic: this.#topic, group: GROUP, brokerName: this.#brokerName, ...fields });
  }
}

function waitForActing(slave: Member): Promise<unknown> {
  return waitForReplication(slave, 'a slave that stands in for its master', ({ role }) => role === Role.ROLE_ACTING);
}

/** Waits until the name server has heard of a slave that stands in: its route has one queue, to be read only. */
async function waitForReadOnly(client: MessagingClient, topic: string): Promise<void> {
  const endMs = performance.now() + 30_000;
  for (;;) {
    const { messageQueues } = await client.queryRoute(topic);
    const found = messageQueues.map(({ broker, permission }) => [broker?.id, permission]);
    if (isDeepStrictEqual(found, [[0, Permission.READ]])) return;
    if (performance.now() > endMs) assert.deepEqual(found, [[0, Permission.READ]]);
    await delay(25);
  }
}

describe('a slave of a static role, while its master is away', () => {
  let cluster: Cluster;
  let master: Member;
  let slave: Member;

  before(async () => {
    cluster = await startCluster({
      slaveCount: 1,
      brokerProperties: { brokerRole: 'ASYNC_MASTER', slaveReadDelay: 1_000, defaultTopicQueueNums: 1 },
    });
    master = cluster.brokers[0]!;
    slave = cluster.slaves[0]!;
  });
  after(() => cluster.stop());

  async function sendAll(topic: string, count = COUNT): Promise<void> {
    using client = new MessagingClient(master.endpoint);
    for (let index = 0; index < count; index++) {
      const { status } = await client.send({ topic, body: Buffer.from(`${index}`) });
      assert.equal(status?.code, Code.OK, status?.message);
    }
  }

  async function loseMaster(): Promise<void> {
    await waitForInSync(master, 2);
    await waitForEqualState(master, [slave]);
    await master.kill();
    await waitForActing(slave);
  }

  async function bringBack(): Promise<void> {
    master.start();
    await master.waitReady();
  }

  it('serves consumers, whose acknowledgements the master has when it is back', async () => {
    const topic = 'orders';
    await sendAll(topic);
    using atMaster = new Reading(master.endpoint, topic, master.name);
    const former = await atMaster.take(2);
    await loseMaster();
    assert.equal(await slave.metric('orbitmq_replication_acting'), 1);
    using atSlave = new Reading(slave.endpoint, topic, master.name);
    using through = new Reading(cluster.accessPoint, topic, master.name);
    // A handle that the master has given is good here.
    await atSlave.acknowledge(former.slice(0, 1));
    const own = await atSlave.take(4);
    await atSlave.acknowledge(own.slice(0, 3));
    // The route shows it in the place of the master, and the name server's relay finds it.
    await waitForReadOnly(through.client, topic);
    const relayed = await through.take(3);
    await through.acknowledge(relayed);
    for (const { client } of [atSlave, through]) {
      const { status } = await client.send({ topic });
      assert.equal(status?.code, Code.HA_NOT_AVAILABLE, status?.message);
    }
    await bringBack();
    // What nobody was given is left; what was acknowledged never comes again.
    assert.deepEqual((await atMaster.rest()).sort(), ['10', '11', '9']);
    // A handle that the slave has given is good at the master, and one of the master's still is.
    await atMaster.acknowledge([own[3]!, former[1]!]);
    await waitForInSync(master, 2);
    await waitForEqualState(master, [slave]);
    assert.equal(await slave.metric('orbitmq_replication_acting'), 0);
    assert.equal((await atMaster.client.send({ topic })).status?.code, Code.OK);
    assert.deepEqual(await atMaster.rest(), ['hello']);
  });

  it('that is killed goes on where it was, also when the master is there before it', async () => {
    const topic = 'killed';
    await sendAll(topic);
    await loseMaster();
    using atSlave = new Reading(slave.endpoint, topic, master.name);
    await atSlave.acknowledge(await atSlave.take(3));
    await slave.kill();
    slave.start();
    await waitForActing(slave);
    const taken = await atSlave.take(3);
    await atSlave.acknowledge(taken);
    await slave.kill();
    slave.start();
    await bringBack();
    await waitForInSync(master, 2);
    await waitForEqualState(master, [slave]);
    using atMaster = new Reading(master.endpoint, topic, master.name);
    const left = await atMaster.rest();
    assert.deepEqual(left.sort(), ['10', '11', '6', '7', '8', '9']);
  });

  it('lets messages of a group come in order over both changes', async () => {
    const topic = 'ordered';
    using atMaster = new Reading(master.endpoint, topic, master.name);
    for (let index = 0; index < 6; index++) {
      const { status } = await atMaster.client.send({ topic, group: 'g', body: Buffer.from(`${index}`) });
      assert.equal(status?.code, Code.OK, status?.message);
    }
    await loseMaster();
    using atSlave = new Reading(slave.endpoint, topic, master.name);
    const taken = await atSlave.take(2);
    assert.deepEqual(taken.map(bodyOf), ['0', '1']);
    await atSlave.acknowledge(taken);
    await bringBack();
    assert.deepEqual((await atMaster.take(4)).map(bodyOf), ['2', '3', '4', '5']);
    await waitForInSync(master, 2);
  });
});
