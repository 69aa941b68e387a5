import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ROOT } from '@orbitmq/tools';
import { waitUntil } from '../../interop/child.ts';
import { type InteropClient, prepareClient } from '../../interop/clients.ts';
import { type Collector, startCollector } from '../../interop/collector.ts';
import { type Connection, Driver, type DriverCommand, type ReceivedMessage } from '../../interop/driver.ts';
import { askRoute } from '../ask-route.ts';
import { ClientPod } from '../client-pod.ts';
import { loadImage } from '../images.ts';
import { Lab, labSkip } from '../lab.ts';
import { PortForward } from '../port-forward.ts';
import { Release } from '../release.ts';

const LANGUAGES = ['node', 'python', 'java', 'go'] as const;
const LOGS = join(ROOT, 'tests', 'interop', '.work', 'logs');
const SHARDS = ['broker-a', 'broker-b'];
const COUNT = 60;
const DELAY_MS = 2_000;
const PATIENCE_MS = 60_000;

/** One of the ways to a cluster: where a driver runs, and what it dials. */
interface Way {
  readonly address: string;
  command(command: DriverCommand): DriverCommand;
}

const clients = labSkip === false ? await Promise.all(LANGUAGES.map((language) => prepareClient(language))) : [];

describe('official clients and a cluster in Kubernetes', { skip: labSkip }, () => {
  let lab: Lab;
  let release: Release;
  let pod: ClientPod;
  let forward: PortForward;
  let nodeAddress: string;

  before(async () => {
    lab = await Lab.up({ nodes: 2 });
    await loadImage(lab);
    release = await Release.install(lab, 'clients', { shards: 2, service: { type: 'NodePort' } });
    const there = clients.filter(({ missing }) => missing === undefined).map(({ command }) => command);
    pod = await ClientPod.start(lab, there);
    forward = await PortForward.start(lab, { namespace: release.name, target: `svc/${release.name}`, port: 8081 });
    nodeAddress = await addressOfNode(release);
  });
  after(async () => {
    forward?.[Symbol.dispose]();
    await pod?.[Symbol.asyncDispose]();
    await release?.remove();
    await lab?.[Symbol.asyncDispose]();
  });

  const ways: Readonly<Record<string, () => Way>> = {
    'from inside the cluster': () => ({ address: release.address, command: (command) => pod.command(command) }),
    'through kubectl port-forward on another port': () => ({
      address: forward.endpoint,
      command: (command) => command,
    }),
    'at the port of a node': () => ({
      address: nodeAddress,
      command({ command, args, env }) {
        const [program, ...rest] = lab.inNetworkOf('control', [command, ...args]);
        return { command: program!, args: rest, env };
      },
    }),
  };
  for (const [name, way] of Object.entries(ways)) {
    describe(name, { concurrency: 2 }, () => {
      for (const client of clients) {
        it(`${client.language} ${client.version}`, { skip: client.missing ?? false }, () => tryClient(client, way()));
      }
    });
  }

  it('are led to the brokers inside, and to where they came from outside', async () => {
    const topic = 'routes';
    const driver = new Driver(clients[0]!.command, join(LOGS, 'k8s-routes.log'));
    try {
      await driver.startProducer('p', { endpoints: forward.endpoint, tls: false }, [topic]);
      await driver.send('p', { topic, body: base64('makes the topic') });
    } finally {
      await driver.stop();
    }
    const script = ['--conditions=@orbitmq/source', join(import.meta.dirname, '..', 'ask-route.ts')];
    const { args } = pod.command({ command: process.execPath, args: [...script, release.address, topic], env: {} });
    const inside = JSON.parse(await lab.kubectl(args)) as string[];
    assert.deepEqual(
      inside.map((address) => address.replace(/-0\..*/, '')),
      SHARDS.map((shard) => `${release.name}-${shard}`),
    );
    assert.deepEqual(await askRoute(forward.endpoint, topic), [forward.endpoint]);
  });

  it('of two ways share what a group has to do', async () => {
    const topic = 'shared';
    const [node] = clients as [InteropClient];
    const drivers = [ways['from inside the cluster']!(), ways['through kubectl port-forward on another port']!()].map(
      (way) => ({
        driver: new Driver(way.command(node.command), join(LOGS, 'k8s-shared.log')),
        connection: connectionOf(node, way),
      }),
    );
    try {
      const [inside, outside] = drivers as [(typeof drivers)[0], (typeof drivers)[0]];
      await outside.driver.startProducer('p', outside.connection, [topic]);
      await outside.driver.send('p', { topic, body: base64('makes the topic') });
      const subscription = { group: 'sharing', subscriptions: { [topic]: '*' }, holdMs: 5 };
      await inside.driver.startPushConsumer('c', inside.connection, subscription);
      await outside.driver.startPushConsumer('c', outside.connection, subscription);
      const seen = () => drivers.map(({ driver }) => driver.messagesOf('c'));
      await waitUntil('both take part', PATIENCE_MS, async () => {
        if (seen().every((messages) => messages.length > 0)) return true;
        await outside.driver.send('p', { topic, body: base64('begin') });
        return false;
      });
      const sending = { topic, prefix: 's', count: COUNT, concurrency: 4 };
      assert.equal((await outside.driver.sendMany('p', sending)).failed, 0);
      const texts = (): string[] =>
        distinct(
          seen()
            .flat()
            .map(({ body }) => textOf(body)),
        ).filter((text) => /^s\d/.test(text));
      await waitUntil('all messages', PATIENCE_MS, () => texts().length >= COUNT);
      assert.deepEqual(texts(), numbers('s').sort());
    } finally {
      await Promise.all(drivers.map(({ driver }) => driver.stop()));
    }
  });

  it('cost no pod a restart', async () => {
    const { items } = await lab.get<{ items: { status: { containerStatuses: { restartCount: number }[] } }[] }>(
      'pods',
      '-n',
      release.name,
    );
    for (const { status } of items)
      for (const { restartCount } of status.containerStatuses) assert.equal(restartCount, 0);
  });
});

let nextName = 0;

/** Many messages; one later, one by a transaction, and none of one that was rolled back. */
async function tryClient(client: InteropClient, way: Way): Promise<void> {
  const connection = connectionOf(client, way);
  const name = (word: string): string => `${client.language}-${word}-${nextName++}`;
  const driver = new Driver(way.command(client.command), join(LOGS, `k8s-${client.language}.log`));
  try {
    const topic = name('many');
    const producer = name('producer');
    await driver.startProducer(producer, connection, [topic]);
    const sending = { topic, prefix: 'n', count: COUNT, concurrency: 4 };
    assert.equal((await driver.sendMany(producer, sending)).failed, 0);
    const delayed = name('delayed');
    await driver.startProducer(name('producer'), connection, [delayed]);
    await driver.sendDelayed(producer, { topic: delayed, body: base64('later'), deliveryMs: Date.now() + DELAY_MS });
    const transactional = name('transactional');
    const transactions = name('producer');
    await driver.startProducer(transactions, connection, [transactional], 'unknown');
    await driver.sendInTransaction(transactions, { topic: transactional, body: base64('never') }, 'rollback');
    await driver.sendInTransaction(transactions, { topic: transactional, body: base64('done') }, 'commit');
    // One topic each: the Node client may wait forever for settings that came before the routes of further topics.
    const collectors: Collector[] = [];
    for (const one of [topic, delayed, transactional]) {
      const subscription = { group: name('group'), subscriptions: { [one]: '*' } };
      collectors.push(await startCollector(client, driver, name('consumer'), connection, subscription));
    }
    const messages = (): readonly ReceivedMessage[] => collectors.flatMap((collector) => collector.messages);
    const texts = (): string[] => distinct(messages().map(({ body }) => textOf(body)));
    await waitUntil(`${COUNT + 2} messages`, PATIENCE_MS, () => texts().length >= COUNT + 2);
    assert.deepEqual(texts(), [...numbers('n'), 'later', 'done'].sort());
  } finally {
    await driver.stop();
  }
}

function connectionOf(client: InteropClient, { address }: Way): Connection {
  return { endpoints: address, tls: client.traits.usesTlsByDefault };
}

async function addressOfNode(release: Release): Promise<string> {
  const service = await release.lab.get<{ spec: { ports: { port: number; nodePort: number }[] } }>(
    'service',
    release.name,
    '-n',
    release.name,
  );
  const { items } = await release.lab.get<{ items: { status: { addresses: { type: string; address: string }[] } }[] }>(
    'nodes',
  );
  const node = items[0]!.status.addresses.find(({ type }) => type === 'InternalIP')!;
  return `${node.address}:${service.spec.ports[0]!.nodePort}`;
}

/** What comes again, as it may on a busy machine, counts once. */
function distinct(texts: readonly string[]): string[] {
  return [...new Set(texts)].sort();
}

function numbers(prefix: string): string[] {
  return Array.from({ length: COUNT }, (_, index) => `${prefix}${index}`);
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function textOf(body: string | null): string {
  return Buffer.from(body ?? '', 'base64').toString();
}
