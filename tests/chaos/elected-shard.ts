import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { GetReplicationResponse_Role as Role } from '@orbitmq/protocol/orbitmq.admin.v1';
import { type Cluster, type ClusterOptions, type Member, type Properties, startCluster } from '../cluster.ts';
import { LeaseApi } from '../lease-api.ts';
import { replicationOf, waitForEqualState, waitForInSync, waitForLeader } from '../replication-state.ts';
import { FailoverLoad } from './failover-load.ts';
import type { Lab } from './netlab.ts';

/** Host of the API server in a lab. */
export const API_HOST = 'api';

/** A time in which a member leads. */
export interface Tenure {
  readonly leader: Member;
  readonly epoch: bigint;
}

/** A shard whose members elect their leader over a Lease, with clients. */
export class ElectedShard implements AsyncDisposable {
  readonly api: LeaseApi;
  readonly cluster: Cluster;
  /** The master by configuration first. */
  readonly members: readonly Member[];
  readonly #directory: string;
  readonly #loads: FailoverLoad[] = [];

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
      await shard.allInSync();
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

  /** Who leads now, and in which epoch. */
  async tenure(): Promise<Tenure> {
    for (;;) {
      const leader = await this.leader();
      const found = await replicationOf(leader);
      if (found?.role === Role.ROLE_LEADER) return { leader, epoch: found.epoch };
    }
  }

  /** Waits until all members are in sync, whoever leads. */
  async allInSync(): Promise<void> {
    await this.#withLeader((leader) => waitForInSync(leader, this.members.length));
  }

  /** Waits until the state of all members was compared at one position, and is equal. */
  async allEqual(): Promise<void> {
    await this.#withLeader((leader) => waitForEqualState(leader, this.others(leader)));
  }

  others(member: Member): Member[] {
    return this.members.filter((other) => other !== member);
  }

  /** In-sync set as the Lease says it. */
  inSyncByLease(): number[] {
    const lease = this.api.lease('orbitmq-broker-a') as { metadata: { annotations: Record<string, string> } };
    return lease.metadata.annotations['orbitmq.io/in-sync']!.split(',').map(Number);
  }

  /** Begins a load through a name server and every member; it ends with the shard at the latest. */
  async load(): Promise<FailoverLoad> {
    const endpoints = [this.cluster.nameServers[0]!, ...this.members].map(({ endpoint }) => endpoint);
    const load = await FailoverLoad.start(`load-${this.#loads.length + 1}`, await this.leader(), endpoints);
    this.#loads.push(load);
    return load;
  }

  /**
   * What must hold when the faults are gone: all members are in sync, all clients get what they must and nothing else, and all
   * copies are equal.
   */
  async judge(test: TestContext, load: FailoverLoad): Promise<void> {
    await this.allInSync();
    const behindCount = await load.drain();
    test.diagnostic(
      `${load.storedCount} messages stored, ${behindCount} not received when the last was sent; longest gap ${Math.round(load.gapMs)} ms`,
    );
    assert.deepEqual(load.history.broken(), []);
    await this.allEqual();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A load that a failed test has left would go on for ever.
    const ended = this.#loads.map((load) => load.stop());
    await this.cluster.stop();
    await Promise.all(ended);
    await this.api[Symbol.asyncDispose]();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** Does what needs a leader; again when another one leads meanwhile: on a busy machine a member may be suspected at any time. */
  async #withLeader(work: (leader: Member) => Promise<void>): Promise<void> {
    for (;;) {
      const { leader, epoch } = await this.tenure();
      try {
        await work(leader);
        return;
      } catch (error) {
        if ((await this.tenure()).epoch === epoch) throw error;
      }
    }
  }
}
