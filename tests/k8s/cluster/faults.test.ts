import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { waitUntil } from '../../interop/child.ts';
import { loadImage } from '../images.ts';
import { Lab, labSkip } from '../lab.ts';
import { NodeNetwork } from '../node-network.ts';
import { isReady, Release } from '../release.ts';
import { ShardInPods } from '../shard.ts';

const PATIENCE_MS = 120_000;
/** Longer than a Lease lasts. */
const STANDSTILL_MS = 8_000;
/** Messages are stored again so soon after a node is gone, also where the machine has much else to do; Kubernetes takes some 50 s. */
const TAKE_OVER_MS_MAX = 40_000;

describe('a shard in pods, under load', { skip: labSkip }, () => {
  let lab: Lab;
  let network: NodeNetwork;
  let release: Release;
  let shard: ShardInPods;

  before(async () => {
    lab = await Lab.up({ nodes: 2 });
    await loadImage(lab);
    release = await Release.install(lab, 'faults', {
      shards: 1,
      service: { type: 'NodePort' },
      // One queue, so that offsets of messages can be compared.
      broker: { config: { defaultTopicQueueNums: 1 } },
    });
    network = new NodeNetwork(lab);
    shard = new ShardInPods(release, network);
  });
  after(async () => {
    network?.[Symbol.dispose]();
    await release?.remove();
    await lab?.[Symbol.asyncDispose]();
  });

  it('loses nothing when its master is killed', async (test) => {
    await shard.survives(test, await shard.throughNodes(), async (load) => {
      const { epoch } = await release.lease();
      const { metadata } = await shard.leader();
      await release.kubectl('delete', 'pod', metadata.name, '--grace-period=0', '--force', '--wait=false');
      await load.stored(20);
      await release.leaderAfter(epoch);
      await release.ready('broker', 2);
    });
  });

  it('hands the lead over when the node of its master is drained', async (test) => {
    await shard.survives(test, await shard.throughNodes(), async (load) => {
      const { epoch } = await release.lease();
      const node = (await shard.leader()).spec.nodeName!;
      const drain = ['drain', node, '--ignore-daemonsets', '--delete-emptydir-data', '--force', '--timeout=120s'];
      await lab.kubectl(drain, { timeoutMs: 150_000 });
      await release.leaderAfter(epoch);
      await load.stored(20);
      await lab.kubectl(['uncordon', node]);
      await release.ready('broker', 2);
    });
  });

  it('gets a slave that lost its volume back', async (test) => {
    await shard.survives(test, await shard.throughNodes(), async (load) => {
      const { metadata } = await shard.follower();
      await release.kubectl('delete', 'pvc', `data-${metadata.name}`, '--wait=false');
      await release.kubectl('delete', 'pod', metadata.name, '--wait=true');
      await load.stored(20);
      await waitUntil('a slave with a new volume', PATIENCE_MS, async () => {
        const pod = await release.pod(metadata.name).catch(() => undefined);
        return pod !== undefined && pod.metadata.uid !== metadata.uid && isReady(pod);
      });
    });
  });

  it('goes on while all name servers are restarted', async (test) => {
    await shard.survives(test, await shard.throughNodes(), async (load) => {
      const old = new Set((await release.pods('name-server')).map(({ metadata }) => metadata.uid));
      await release.kubectl('rollout', 'restart', `statefulset/${release.name}-namesrv`);
      await release.kubectl('rollout', 'status', `statefulset/${release.name}-namesrv`, '--timeout=120s');
      assert.ok((await release.ready('name-server', 2)).every(({ metadata }) => !old.has(metadata.uid)));
      await load.stored(20);
    });
  });

  it('fails over when the node of its master is cut off the network, and takes it back', async (test) => {
    const node = (await shard.leader()).spec.nodeName!;
    await shard.survives(test, [await shard.besides(node)], async (load) => {
      const { epoch } = await release.lease();
      const cutMs = performance.now();
      await lab.command(['shell', 'control', 'ip', 'link', 'set', `v${node}`, 'down']);
      try {
        await release.leaderAfter(epoch);
        await load.stored(20);
        assert.ok(performance.now() - cutMs < TAKE_OVER_MS_MAX);
      } finally {
        await lab.command(['shell', 'control', 'ip', 'link', 'set', `v${node}`, 'up']);
      }
      await waitUntil(`node ${node} is back`, PATIENCE_MS, () => isNodeReady(lab, node));
      await release.ready('broker', 2);
    });
  });

  it('fails over long before Kubernetes misses a node that lost its power', async (test) => {
    const node = (await shard.leader()).spec.nodeName!;
    await shard.survives(test, [await shard.besides(node)], async (load) => {
      const { epoch } = await release.lease();
      const killedMs = performance.now();
      await lab.command(['kill-node', node]);
      await release.leaderAfter(epoch);
      await load.stored(20);
      const neededMs = performance.now() - killedMs;
      assert.ok(neededMs < TAKE_OVER_MS_MAX, `${neededMs} ms`);
      assert.ok(await isNodeReady(lab, node), 'Kubernetes noticed first');
      test.diagnostic(`messages are stored again ${Math.round(neededMs)} ms after the loss of power`);
      await lab.command(['start-node', node]);
      await waitUntil(`node ${node} is back`, PATIENCE_MS, () => isNodeReady(lab, node));
      await release.ready('broker', 2);
    });
  });

  it('goes on while the API server stands still', async (test) => {
    await shard.survives(test, await shard.throughNodes(), async (load) => {
      const server = lab.pidOf('kube-apiserver');
      process.kill(server, 'SIGSTOP');
      try {
        const endMs = performance.now() + STANDSTILL_MS;
        while (performance.now() < endMs) await load.stored(10);
      } finally {
        process.kill(server, 'SIGCONT');
      }
      await waitUntil('the API server answers', PATIENCE_MS, () => release.lease());
    });
  });
});

async function isNodeReady(lab: Lab, name: string): Promise<boolean> {
  const { status } = await lab.get<{ status: { conditions: { type: string; status: string }[] } }>('node', name);
  return status.conditions.some((condition) => condition.type === 'Ready' && condition.status === 'True');
}
