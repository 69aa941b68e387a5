import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Code } from '@orbitmq/protocol/apache.rocketmq.v2';
import { GetReplicationResponse_Role as Role } from '@orbitmq/protocol/orbitmq.admin.v1';
import { type Cluster, startCluster } from '../cluster.ts';
import { waitForEqualState, waitForInSync, waitForReplication } from '../replication-state.ts';
import { MessagingClient } from './messaging-client.ts';

describe('a master and its slave, with static roles', () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await startCluster({
      slaveCount: 1,
      brokerProperties: { brokerRole: 'SYNC_MASTER', slaveTimeout: 5_000 },
    });
  });
  after(() => cluster.stop());

  it('the slave has what the master has, and the same state', async () => {
    const [master, slave] = [cluster.brokers[0]!, cluster.slaves[0]!];
    await waitForInSync(master, 2);
    using client = new MessagingClient(master.endpoint);
    for (let index = 0; index < 20; index++) {
      const { status } = await client.send({ topic: 'replicated', body: Buffer.from(`${index}`) });
      assert.equal(status?.code, Code.OK, status?.message);
    }
    await client.receiveMessages({ topic: 'replicated', group: 'readers', brokerName: master.name });
    await waitForEqualState(master, [slave]);
    const found = await waitForReplication(slave, 'a follower', ({ role }) => role === Role.ROLE_FOLLOWER);
    assert.deepEqual([found.leader, found.member], [0, 1]);
  });

  it('calls to the slave reach the master', async () => {
    const [master, slave] = [cluster.brokers[0]!, cluster.slaves[0]!];
    using client = new MessagingClient(slave.endpoint);
    const topic = 'through-the-slave';
    const { status } = await client.send({ topic });
    assert.equal(status?.code, Code.OK, status?.message);
    const messages = await client.receiveMessages({ topic, group: 'readers', brokerName: master.name });
    assert.equal(messages.length, 1);
    const handle = messages[0]!.systemProperties!.receiptHandle!;
    assert.equal((await client.ack(topic, 'readers', handle)).status?.code, Code.OK);
  });

  it('without the slave sends are refused, and with it they go on', async () => {
    const [master, slave] = [cluster.brokers[0]!, cluster.slaves[0]!];
    using client = new MessagingClient(master.endpoint);
    await slave.kill();
    await waitForInSync(master, 1);
    const { status } = await client.send({ topic: 'replicated' });
    assert.equal(status?.code, Code.HA_NOT_AVAILABLE, status?.message);
    assert.match(status?.message ?? '', /minInSyncReplicas/);
    slave.start();
    await waitForInSync(master, 2);
    assert.equal((await client.send({ topic: 'replicated' })).status?.code, Code.OK);
    await waitForEqualState(master, [slave]);
  });

  it('the master comes back, and its slave follows again', async () => {
    const [master, slave] = [cluster.brokers[0]!, cluster.slaves[0]!];
    await master.kill();
    master.start();
    await master.waitReady();
    await waitForInSync(master, 2);
    using client = new MessagingClient(master.endpoint);
    assert.equal((await client.send({ topic: 'replicated' })).status?.code, Code.OK);
    await waitForEqualState(master, [slave]);
  });
});
