import assert from 'node:assert/strict';
import { cpSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Code } from '@orbitmq/protocol/apache.rocketmq.v2';
import { type Cluster, type Member, startCluster } from '../cluster.ts';
import { waitUntil } from '../interop/child.ts';
import { waitForEqualState, waitForInSync, waitForReplication } from '../replication-state.ts';
import { MessagingClient } from './messaging-client.ts';

const TOPIC = 'acknowledged';
const COUNT = 20;

function shardWithASlave(catchUpMs: number): Promise<Cluster> {
  return startCluster({
    slaveCount: 1,
    brokerProperties: {
      brokerRole: 'SYNC_MASTER',
      flushDiskType: 'ASYNC_FLUSH',
      minInSyncReplicas: 1,
      haMasterCatchUpTimeout: catchUpMs,
      slaveTimeout: 10_000,
    },
  });
}

/**
 * Sends messages that are acknowledged, of which the disk of the master then has nothing: the machine has lost its power. What the disk
 * has is the begin of the epoch, without which nothing is ever answered.
 */
async function losePowerAfterSends({ brokers, slaves }: Cluster): Promise<Member> {
  const master = brokers[0]!;
  await waitForInSync(master, 2);
  await waitForEqualState(master, slaves);
  const before = `${master.dataDirectory}-before`;
  cpSync(master.dataDirectory, before, { recursive: true });
  using client = new MessagingClient(master.endpoint);
  for (let index = 0; index < COUNT; index++) {
    const { status } = await client.send({ topic: TOPIC, body: Buffer.from(`${index}`) });
    assert.equal(status?.code, Code.OK, status?.message);
  }
  await master.kill();
  rmSync(master.dataDirectory, { recursive: true });
  cpSync(before, master.dataDirectory, { recursive: true });
  // Another run of the kernel than the one that wrote it.
  writeFileSync(join(master.dataDirectory, 'boot'), 'an earlier one\n');
  return master;
}

async function bodiesAt(master: Member): Promise<string[]> {
  using client = new MessagingClient(master.endpoint);
  const bodies = new Set<string>();
  for (let quiet = 0; bodies.size < COUNT && quiet < 3; ) {
    const messages = await client.receiveMessages({ topic: TOPIC, group: 'readers', brokerName: master.name });
    quiet = messages.length === 0 ? quiet + 1 : 0;
    for (const { body } of messages) bodies.add(Buffer.from(body).toString());
  }
  return [...bodies].sort((one, other) => Number(one) - Number(other));
}

describe('a master of a static role that lost its power', () => {
  it('R1: gets what was acknowledged from its slave, also when that starts later', async () => {
    await using cluster = await shardWithASlave(600_000);
    const slave = cluster.slaves[0]!;
    const master = await losePowerAfterSends(cluster);
    await slave.stop();
    master.start();
    await waitForReplication(master, 'waiting', ({ endOffset }) => endOffset > 0n);
    await waitUntil('it says so', 10_000, () => master.log().includes('waits for a slave that may have more'));
    slave.start();
    await waitForInSync(master, 2);
    assert.deepEqual(
      await bodiesAt(master),
      Array.from({ length: COUNT }, (_, index) => `${index}`),
    );
    await waitForEqualState(master, [slave]);
    assert.ok(!readdirSync(slave.dataDirectory).includes('set-aside'));
  });

  it('leads without its slave in the end, which then keeps in a file what it has to give up', async () => {
    await using cluster = await shardWithASlave(500);
    const slave = cluster.slaves[0]!;
    const master = await losePowerAfterSends(cluster);
    await slave.kill();
    master.start();
    await waitForInSync(master, 1);
    slave.start();
    await waitForInSync(master, 2);
    await waitForEqualState(master, [slave]);
    assert.equal(readdirSync(join(slave.dataDirectory, 'set-aside')).length, 1);
    using client = new MessagingClient(master.endpoint);
    assert.equal((await client.send({ topic: TOPIC })).status?.code, Code.OK);
  });
});
