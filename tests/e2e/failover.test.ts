import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { AdminClient } from '@orbitmq/client';
import { Code } from '@orbitmq/protocol/apache.rocketmq.v2';
import { RpcError } from '@orbitmq/rpc';
import { type Cluster, type Member, startCluster } from '../cluster.ts';
import { LeaseApi } from '../lease-api.ts';
import {
  replicationOf,
  waitForEqualState,
  waitForInSync,
  waitForLeader,
  waitForReplication,
} from '../replication-state.ts';
import { MessagingClient } from './messaging-client.ts';

const TOPIC = 'failing-over';

describe('failover over a Lease', () => {
  let directory: string;
  let api: LeaseApi;
  let cluster: Cluster;
  let members: Member[];

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'orbitmq-failover-'));
    api = await LeaseApi.start();
    cluster = await startCluster({
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
  });
  after(async () => {
    await cluster?.stop();
    await api?.[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  });

  it('a slave takes over from a master that was killed, with all that was acknowledged', async (test) => {
    const master = await waitForLeader(members);
    const slave = members.find((member) => member !== master)!;
    const epoch = (await replicationOf(master))!.epoch;
    const load = new Load(cluster.nameServers[0]!.endpoint);
    const running = load.run();
    await load.stored(100);
    await master.kill();
    const killedMs = performance.now();
    await waitForLeader([slave], epoch);
    await load.stored(load.acknowledged.size + 50);
    load.stop();
    await running;
    test.diagnostic(
      `gap in sends: ${Math.round(load.longestGapMs)} ms; from kill to lead ${Math.round(performance.now() - killedMs)} ms`,
    );
    master.start();
    await waitForInSync(slave, 2);
    await waitForEqualState(slave, [master]);
    await expectAll(slave, load.acknowledged);
  });

  it('the lead is handed over without a refused send', async () => {
    const master = await waitForLeader(members);
    const slave = members.find((member) => member !== master)!;
    const epoch = (await replicationOf(master))!.epoch;
    const load = new Load(master.endpoint);
    const running = load.run();
    await load.stored(50);
    const admin = new AdminClient({ address: `127.0.0.1:${master.adminPort}` });
    assert.equal(await admin.handOver(undefined), '');
    admin.close();
    await waitForLeader([slave], epoch);
    await load.stored(load.acknowledged.size + 50);
    load.stop();
    await running;
    assert.deepEqual(load.refusals, []);
    await waitForInSync(slave, 2);
  });

  it('a broker that is drained stays so when another member leads', async () => {
    const master = await waitForLeader(members);
    const slave = members.find((member) => member !== master)!;
    const epoch = (await replicationOf(master))!.epoch;
    const admins = [master, slave].map(({ adminPort }) => new AdminClient({ address: `127.0.0.1:${adminPort}` }));
    await admins[0]!.setDrain(true, 0);
    await waitForInSync(master, 2);
    assert.equal(await admins[0]!.handOver(undefined), '');
    await waitForLeader([slave], epoch);
    const { draining, graceLeftMs, remainders } = await admins[1]!.drain([]);
    assert.deepEqual([draining, graceLeftMs], [true, 0n]);
    assert(
      remainders.some(({ topic }) => topic === TOPIC),
      'what the tests before have sent was not consumed',
    );
    using client = new MessagingClient(slave.endpoint);
    assert.equal((await client.send({ topic: TOPIC })).status?.code, Code.HA_NOT_AVAILABLE);
    await admins[1]!.setDrain(false, 0);
    assert.equal((await client.send({ topic: TOPIC })).status?.code, Code.OK);
    for (const admin of admins) admin.close();
    await waitForInSync(slave, 2);
  });

  it('an orderly stop of the master hands over', async () => {
    const master = await waitForLeader(members);
    const slave = members.find((member) => member !== master)!;
    const epoch = (await replicationOf(master))!.epoch;
    const end = await master.stop(20_000);
    assert.deepEqual(end, { code: 0, signal: null });
    await waitForLeader([slave], epoch, 3_000);
    master.start();
    await master.waitReady();
    await waitForReplication(master, 'a follower', ({ leader }) => leader !== undefined);
    await waitForInSync(slave, 2);
  });

  it('nobody takes over while the Lease can not be reached, and the master goes on', async () => {
    const master = await waitForLeader(members);
    const epoch = (await replicationOf(master))!.epoch;
    using client = new MessagingClient(master.endpoint);
    api.isCut = true;
    const endMs = performance.now() + 6_000;
    while (performance.now() < endMs) {
      const { status } = await client.send({ topic: TOPIC });
      assert.equal(status?.code, Code.OK, status?.message);
      await delay(50);
    }
    api.isCut = false;
    assert.equal((await replicationOf(await waitForLeader(members)))!.epoch, epoch);
  });
});

/** Sends one message after the other, as an application does: again when it is not known to be stored. */
class Load {
  readonly acknowledged = new Set<string>();
  readonly refusals: string[] = [];
  longestGapMs = 0;
  readonly #client: MessagingClient;
  #stopped = false;
  #sequence = 0;

  constructor(endpoint: string) {
    this.#client = new MessagingClient(endpoint);
  }

  async run(): Promise<void> {
    let lastMs = performance.now();
    while (!this.#stopped) {
      const body = `${process.pid}-${performance.now()}-${this.#sequence++}`;
      if (await this.#send(body)) {
        this.acknowledged.add(body);
        this.longestGapMs = Math.max(this.longestGapMs, performance.now() - lastMs);
        lastMs = performance.now();
      }
    }
    this.#client[Symbol.dispose]();
  }

  stop(): void {
    this.#stopped = true;
  }

  async stored(count: number): Promise<void> {
    const endMs = performance.now() + 30_000;
    while (this.acknowledged.size < count) {
      assert.ok(
        performance.now() < endMs,
        `only ${this.acknowledged.size} of ${count} were stored: ${this.refusals.slice(-3).join('; ')}`,
      );
      await delay(10);
    }
  }

  async #send(body: string): Promise<boolean> {
    try {
      const { status } = await this.#client.send({ topic: TOPIC, body: Buffer.from(body) });
      if (status?.code === Code.OK) return true;
      this.refusals.push(`${status?.code} ${status?.message}`);
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      this.refusals.push(`${error.status} ${error.message}`);
    }
    await delay(20);
    return false;
  }
}

/** Every one of the bodies is given to a new group. */
async function expectAll(leader: Member, wanted: ReadonlySet<string>): Promise<void> {
  using client = new MessagingClient(leader.endpoint);
  const missing = new Set(wanted);
  const endMs = performance.now() + 30_000;
  while (missing.size > 0) {
    assert.ok(performance.now() < endMs, `${missing.size} of ${wanted.size} acknowledged messages are lost`);
    const fields = { topic: TOPIC, group: 'checkers', brokerName: 'broker-a', invisibleMs: 60_000 };
    for (const message of await client.receiveMessages(fields)) missing.delete(Buffer.from(message.body).toString());
  }
}
