import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type Cluster, type ClusterOptions, type Member, type Properties, startCluster } from '../cluster.ts';
import { LeaseApi } from '../lease-api.ts';
import { replicationOf, waitForEqualState, waitForInSync, waitForLeader } from '../replication-state.ts';
import { FailoverLoad } from './failover-load.ts';
import type { Lab } from './netlab.ts';

/** Host of the API server in a lab. */
export const API_HOST = 'api';

/** A shard whose members elect their leader over a Lease, with clients. */
export class ElectedShard implements AsyncDisposable {
  readonly api: LeaseApi;
  readonly cluster: Cluster;
  /** The master by configuration first. */
  readonly members: readonly Member[];
  readonly #directory: string;
  #loads = 0;

  private constructor(api: LeaseApi, cluster: Cluster, directory: string) {
    this.api = api;
    this.cluster = cluster;
    this.members = [...cluster.brokers, ...cluster.slaves];
    this.#directory = directory;
  }

  /** Starts one, SYNC_MASTER and SYNC_FLUSH unless other properties are given, and waits until all members are in sync. */
  static async start(
    properties: Properties = {},
    options: ClusterOptions & { readonly lab?: Lab } = {},
  ): Promise<ElectedShard> {
    const { lab, ...rest } = options;
    const directory = mkdtempSync(join(tmpdir(), 'orbitmq-elected-'));
    const api = await LeaseApi.start(await lab?.listenOn(API_HOST));
    try {
      const cluster = await startCluster({
        slaveCount: 1,
        ...(lab === undefined ? {} : { placement: lab }),
        ...rest,
        brokerProperties: {
          brokerRole: 'SYNC_MASTER',
          flushDiskType: 'SYNC_FLUSH',
          minInSyncReplicas: 1,
          coordinator: 'kubernetes',
          leaseKubeconfig: api.writeKubeconfig(join(directory, 'kubeconfig'), lab?.addressOf(API_HOST)),
          // So that offsets of messages can be compared.
          defaultTopicQueueNums: 1,
          ...properties,
        },
      });
      const shard = new ElectedShard(api, cluster, directory);
      await waitForInSync(await shard.leader(), shard.members.length);
      return shard;
    } catch (error) {
      await api[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Whoever of the members leads, in an epoch above `epoch`. */
  leader(epoch?: bigint, members = this.members): Promise<Member> {
    return waitForLeader(members, epoch);
  }

  /** Who leads now, and since which epoch. */
  async tenure(): Promise<{ readonly leader: Member; readonly epoch: bigint }> {
    const leader = await this.leader();
    return { leader, epoch: (await replicationOf(leader))?.epoch ?? 0n };
  }

  others(member: Member): Member[] {
    return this.members.filter((other) => other !== member);
  }

  /** In-sync set as the Lease says it. */
  inSyncByLease(): number[] {
    const lease = this.api.lease('orbitmq-broker-a') as { metadata: { annotations: Record<string, string> } };
    return lease.metadata.annotations['orbitmq.io/in-sync']!.split(',').map(Number);
  }

  /** Begins a load through a name server and every member. */
  async load(): Promise<FailoverLoad> {
    const endpoints = [this.cluster.nameServers[0]!, ...this.members].map(({ endpoint }) => endpoint);
    return await FailoverLoad.start(`load-${++this.#loads}`, await this.leader(), endpoints);
  }

  /**
   * What must hold when the faults are gone: all members are in sync, all clients get what they must and nothing else, and all
   * copies are equal.
   */
  async judge(test: TestContext, load: FailoverLoad): Promise<void> {
    const leader = await this.leader();
    await waitForInSync(leader, this.members.length);
    await load.drain();
    test.diagnostic(`${load.storedCount} messages stored, longest gap ${Math.round(load.gapMs)} ms`);
    assert.deepEqual(load.history.broken(), []);
    const last = await this.leader();
    await waitForEqualState(last, this.others(last));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster.stop();
    await this.api[Symbol.asyncDispose]();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
