import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Cluster, type Member, startCluster } from '../cluster.ts';
import { waitUntil } from '../interop/child.ts';
import { LeaseApi } from '../lease-api.ts';
import { replicationOf, waitForInSync, waitForLeader } from '../replication-state.ts';

/** What a probe of Kubernetes gets. */
async function probe(member: Member, path: 'healthz' | 'readyz'): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://127.0.0.1:${member.httpPort}/${path}`);
  return { status: response.status, text: await response.text() };
}

/** Waits until it is asked why a member is not ready. */
function reasonOf(member: Member, wanted: RegExp): Promise<boolean> {
  return waitUntil(`${member.name} says ${wanted}`, 20_000, async () => {
    const { status, text } = await probe(member, 'readyz');
    return status === 503 && wanted.test(text);
  });
}

describe('probes of members of a broker', () => {
  let directory: string;
  let api: LeaseApi;
  let cluster: Cluster;
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'orbitmq-readiness-'));
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
  });
  after(async () => {
    await cluster?.stop();
    await api?.[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  });

  it('the first start waits for nobody, and a slave is ready when it is in sync', async () => {
    const members = [...cluster.brokers, ...cluster.slaves];
    const leader = await waitForLeader(members);
    for (const member of members) assert.equal((await probe(member, 'readyz')).status, 200, member.name);
    assert.deepEqual((await replicationOf(leader))!.inSync.length, 2, 'both were ready when the cluster was');
  });

  it('a member that waits for its Lease or its master is alive, and not ready', async () => {
    const [master, slave] = [cluster.brokers[0]!, cluster.slaves[0]!];
    await slave.stop();
    api.isCut = true;
    slave.start();
    await reasonOf(slave, /has no master that this member could follow/);
    assert.equal((await probe(slave, 'healthz')).status, 200);
    api.isCut = false;
    await slave.waitReady();
    await waitForInSync(await waitForLeader([master, slave]), 2);
  });

  it('a member that is left alone without the right to lead says why', async () => {
    const [master, slave] = [cluster.brokers[0]!, cluster.slaves[0]!];
    await slave.kill();
    await waitUntil('the master goes on alone', 20_000, async () => {
      const inSync = (await replicationOf(master))?.inSync;
      return inSync?.length === 1;
    });
    await master.kill();
    slave.start();
    await reasonOf(slave, /not in the in-sync set/);
    assert.equal((await probe(slave, 'healthz')).status, 200);
    master.start();
    await Promise.all([master.waitReady(), slave.waitReady()]);
    await waitForInSync(await waitForLeader([master]), 2);
  });
});
