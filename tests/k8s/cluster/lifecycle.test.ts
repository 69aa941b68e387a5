import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ROOT } from '@orbitmq/tools';
import { waitUntil } from '../../interop/child.ts';
import { prepareClient } from '../../interop/clients.ts';
import { Driver } from '../../interop/driver.ts';
import { loadImage } from '../images.ts';
import { Lab, labSkip } from '../lab.ts';
import { NodeNetwork } from '../node-network.ts';
import { PortForward } from '../port-forward.ts';
import { Release } from '../release.ts';
import { ShardInPods } from '../shard.ts';

const LOG = join(ROOT, 'tests', 'interop', '.work', 'logs', 'k8s-lifecycle.log');
const TOPIC = 'declared';
const GROUP = 'readers';
const COUNT = 100;
const PATIENCE_MS = 120_000;
const LEAVING_MS = 300_000;
/** All that a chart can leave behind. */
const KINDS = [
  ...['all', 'configmaps', 'secrets', 'serviceaccounts', 'roles', 'rolebindings', 'leases', 'networkpolicies'],
  ...['poddisruptionbudgets', 'ingresses', 'persistentvolumeclaims'],
];

/** What Kubernetes makes in every namespace. */
const OF_EVERY_NAMESPACE = new Set(['configmap/kube-root-ca.crt', 'serviceaccount/default']);

// In order: each step begins where the one before has left the release.
describe('a release of the chart', { skip: labSkip }, () => {
  let lab: Lab;
  let network: NodeNetwork;
  let release: Release;
  let installedMs: number;

  before(async () => {
    lab = await Lab.up({ nodes: 2 });
    await loadImage(lab);
    const startedMs = performance.now();
    release = await Release.install(lab, 'life', {
      shards: 1,
      service: { type: 'NodePort' },
      broker: {
        config: { defaultTopicQueueNums: 1 },
        scaleIn: { timeoutSeconds: 240 },
        // What is removed waits so long for an heir that can't come.
        handOver: { waitSeconds: 30 },
      },
      topics: [{ name: TOPIC, queueNums: 2 }],
      groups: [{ name: GROUP, retryMaxTimes: 5 }],
    });
    installedMs = performance.now() - startedMs;
    network = new NodeNetwork(lab);
  });
  after(async () => {
    network?.[Symbol.dispose]();
    await release?.remove();
    await lab?.[Symbol.asyncDispose]();
  });

  it('passes its own test', async () => {
    await lab.helm(['test', release.name, '-n', release.name, '--timeout', '120s']);
  });

  it('says after its installation what works as printed', async (test) => {
    const notes = await lab.helm(['get', 'notes', release.name, '-n', release.name]);
    const commands = notes.split('\n').flatMap((line) => /^ {2}kubectl (.*)$/.exec(line)?.[1] ?? []);
    const [forwarding, ...others] = commands.reverse();
    assert.match(forwarding ?? '', new RegExp(`port-forward svc/${release.name} 8081$`));
    assert.ok(others.length >= 3, notes);
    let said = '';
    const startedMs = performance.now();
    for (const command of others.reverse()) said = await lab.kubectl(command.split(' '));
    assert.match(said, /hello/);
    const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1)} s`;
    test.diagnostic(`helm install: ${seconds(installedMs)}`);
    test.diagnostic(
      `${others.length} printed commands to a received message: ${seconds(performance.now() - startedMs)}`,
    );
  });

  it('has the topics and groups that its values declare', async () => {
    assert.deepEqual(await brokersOf(release, TOPIC), ['broker-a']);
    const { stdout } = await release.mqadmin('topicStatus', '-t', TOPIC);
    assert.match(stdout, /broker-a/);
  });

  it('is upgraded without an error that a client would not try again', async (test) => {
    const shard = new ShardInPods(release, network);
    await shard.survives(test, await shard.throughNodes(), async (load) => {
      const before = await uids(release);
      const podAnnotations = { 'example.com/turn': '2' };
      await release.upgrade({ broker: { podAnnotations }, nameServer: { podAnnotations } });
      await release.ready('broker', 2);
      await load.stored(20);
      assert.deepEqual(
        (await uids(release)).filter((uid) => before.includes(uid)),
        [],
      );
    });
  });

  it('spreads topics to a new shard, and empties one that leaves', async () => {
    await release.upgrade({ shards: 2 });
    await waitUntil('queues on the new shard', PATIENCE_MS, async () => {
      return (await brokersOf(release, TOPIC)).join() === 'broker-a,broker-b';
    });
    using forward = await PortForward.start(lab, {
      namespace: release.name,
      target: `svc/${release.name}`,
      port: 8081,
    });
    const connection = { endpoints: forward.endpoint, tls: false };
    const { command } = await prepareClient('node');
    const driver = new Driver(command, LOG);
    try {
      await driver.startProducer('p', connection, [TOPIC]);
      const sending = { topic: TOPIC, prefix: 'm', count: COUNT, concurrency: 4 };
      assert.equal((await driver.sendMany('p', sending)).failed, 0);
      // The group has not taken what is there.
      await driver.startPushConsumer('c', connection, {
        group: GROUP,
        subscriptions: { [TOPIC]: '*' },
        holdMs: 600_000,
      });
      await driver.waitForMessages('c', 1, PATIENCE_MS);
      const refused = await release.mqadmin(
        'drainBroker',
        '-b',
        'broker-b',
        '--timeoutSeconds',
        '1',
        '--graceSeconds',
        '0',
      );
      assert.notEqual(refused.code, 0, refused.stdout);
      assert.match(`${refused.stdout}${refused.stderr}`, new RegExp(TOPIC));
    } finally {
      await driver.kill();
    }
    const reader = new Driver(command, LOG);
    try {
      await reader.startPushConsumer('c', connection, { group: GROUP, subscriptions: { [TOPIC]: '*' } });
      const leaving = release.upgrade({ shards: 1 }, LEAVING_MS);
      const bodies = (): Set<string> => new Set(reader.messagesOf('c').map(({ body }) => String(body)));
      await waitUntil('all messages', PATIENCE_MS, () => bodies().size >= COUNT);
      await leaving;
    } finally {
      await reader.stop();
    }
    await waitUntil('no queues on the old shard', PATIENCE_MS, async () => {
      return (await brokersOf(release, TOPIC)).join() === 'broker-a';
    });
  });

  it('leaves nothing but volumes, and what says whose is the newest', async () => {
    await release.uninstall();
    const claims = ['broker-a-0', 'broker-a-s-1', 'broker-b-0', 'broker-b-s-1'];
    const wanted = [
      ...['broker-a', 'broker-b'].map((shard) => `lease.coordination.k8s.io/${release.name}-${shard}`),
      ...claims.map((name) => `persistentvolumeclaim/data-${release.name}-${name}`),
    ];
    let left: readonly string[] = [];
    await waitUntil('the end of all pods', PATIENCE_MS, async () => {
      left = await objectsOf(release);
      return !left.some((name) => name.startsWith('pod/'));
    });
    assert.deepEqual(left, wanted);
  });
});

async function objectsOf(release: Release): Promise<string[]> {
  const names = await release.kubectl('get', KINDS.join(','), '-o', 'name', '--ignore-not-found');
  return names
    .split('\n')
    .filter((name) => name !== '' && !OF_EVERY_NAMESPACE.has(name))
    .sort();
}

/** Names of the brokers that have queues of a topic. */
async function brokersOf(release: Release, topic: string): Promise<string[]> {
  const { stdout } = await release.mqadmin('topicRoute', '-t', topic);
  return [...new Set(stdout.match(/broker-[a-z]\b/g) ?? [])].sort();
}

async function uids(release: Release): Promise<string[]> {
  const pods = [...(await release.pods('broker')), ...(await release.pods('name-server'))];
  return pods.map(({ metadata }) => metadata.uid);
}
