import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { FailoverLoad } from '../chaos/failover-load.ts';
import { OfficialSender } from '../chaos/official-sender.ts';
import { type AskedMember, waitForEqualState } from '../replication-state.ts';
import type { NodeNetwork } from './node-network.ts';
import type { Pod, Release } from './release.ts';

const ADMIN_PORT = 10909;
const CLIENT_PORT = 8081;
const SHARD = 'broker-a';

/** The one shard of a release, with clients that write down what they are told. */
export class ShardInPods {
  readonly release: Release;
  readonly #network: NodeNetwork;
  #loads = 0;

  constructor(release: Release, network: NodeNetwork) {
    this.release = release;
    this.#network = network;
  }

  /** Pod of the member that leads. */
  async leader(): Promise<Pod> {
    const { holder } = await this.release.allInSync();
    return await this.release.pod(this.release.podNameOf(SHARD, holder!));
  }

  /** Pod of the member that does not lead. */
  async follower(): Promise<Pod> {
    const { holder } = await this.release.allInSync();
    return await this.release.pod(this.release.podNameOf(SHARD, 1 - holder!));
  }

  /** Ways to a port of every node, behind which all name servers are. */
  async throughNodes(): Promise<readonly string[]> {
    const { lab, name } = this.release;
    const service = await lab.get<{ spec: { ports: { nodePort: number }[] } }>('service', name, '-n', name);
    const { items } = await lab.get<{ items: { status: { addresses: { type: string; address: string }[] } }[] }>(
      'nodes',
    );
    return await Promise.all(
      items.map(({ status }) => {
        const { address } = status.addresses.find(({ type }) => type === 'InternalIP')!;
        return this.#network.lead(address, service.spec.ports[0]!.nodePort);
      }),
    );
  }

  /** The way to the name server that does not run on a node. */
  async besides(node: string): Promise<string> {
    const servers = await this.release.ready('name-server', 2);
    const other = servers.find(({ spec }) => spec.nodeName !== node);
    assert.ok(other !== undefined, `all name servers are on ${node}`);
    return await this.#network.lead(other.status.podIP!, CLIENT_PORT);
  }

  /**
   * Lets a fault happen while clients send and receive, ours and an official one, and judges what they were told when it is over.
   * @param endpoints where clients go
   * @param fault ends when the fault is over; hears how to wait until messages are stored
   */
  async survives(
    test: TestContext,
    endpoints: readonly string[],
    fault: (load: FailoverLoad, official: OfficialSender) => Promise<void>,
  ): Promise<void> {
    const name = `${this.release.name}-${++this.#loads}`;
    const load = await FailoverLoad.start(name, await this.#asked(await this.leader()), endpoints);
    try {
      await using official = await OfficialSender.start(endpoints[0]!, `${name}-official`);
      await official.more(5);
      official.takeGapMs();
      await fault(load, official);
      await official.more(5);
      await load.stored(50);
      const gaps = [load.gapMs, official.takeGapMs()].map((gapMs) => `${Math.round(gapMs)} ms`);
      const { count, last } = official.failures;
      const given = count === 0 ? 'which gave up none' : `which gave up ${count}, last: ${String(last)}`;
      test.diagnostic(`${test.name}: no send for ${gaps[0]}, with an official client for ${gaps[1]}, ${given}`);
      await this.release.allInSync();
      const behindCount = await load.drain();
      test.diagnostic(`${load.storedCount} messages stored, ${behindCount} not received when the last was sent`);
    } finally {
      await load.stop();
    }
    assert.deepEqual(load.history.broken(), []);
    await this.#allEqual();
  }

  /** Waits until both copies were compared at one position, and are equal; again when another one leads meanwhile. */
  async #allEqual(): Promise<void> {
    for (;;) {
      const { epoch } = await this.release.allInSync();
      try {
        await waitForEqualState(await this.#asked(await this.leader()), [await this.#asked(await this.follower())]);
        return;
      } catch (error) {
        if ((await this.release.allInSync()).epoch === epoch) throw error;
      }
    }
  }

  async #asked({ metadata, status }: Pod): Promise<AskedMember> {
    const endpoint = await this.#network.lead(status.podIP!, ADMIN_PORT);
    return { name: metadata.name, adminPort: Number(endpoint.split(':')[1]), logTail: () => '' };
  }
}
