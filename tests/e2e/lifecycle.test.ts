import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Code } from '@orbitmq/protocol/apache.rocketmq.v2';
import { appCommand, freePort, ServiceProcess } from '@orbitmq/tools';
import { type Cluster, type Member, type Properties, startCluster } from '../cluster.ts';
import { MessagingClient } from './messaging-client.ts';

const TOPIC = 'lifecycle';
const GROUP = 'lifecycle-group';

describe('life of a broker process', () => {
  it('stops in order on SIGTERM and finds its messages when it starts again', async () => {
    await using cluster = await startCluster();
    const broker = cluster.brokers[0]!;
    await sendBodies(broker, ['one', 'two', 'three']);
    const beganMs = performance.now();
    const end = await broker.stop(20_000);
    assert.deepEqual(end, { code: 0, signal: null });
    assert(performance.now() - beganMs < 10_000, 'the stop took more than 10 s');
    assertNoErrors(broker);
    broker.start();
    await broker.waitReady();
    assert.deepEqual(await receiveBodies(broker, 3), ['one', 'three', 'two']);
    assertNoErrors(broker);
  });

  it('has every acknowledged message after SIGKILL', async () => {
    await using cluster = await startCluster({ brokerProperties: { flushDiskType: 'SYNC_FLUSH' } });
    const broker = cluster.brokers[0]!;
    const bodies = Array.from({ length: 200 }, (_, index) => `k${index}`);
    await sendBodies(broker, bodies);
    await broker.kill();
    broker.start();
    await broker.waitReady();
    assert.deepEqual(await receiveBodies(broker, bodies.length), bodies.sort());
  });

  it('does not deliver again what was acknowledged before a restart', async () => {
    await using cluster = await startCluster();
    const broker = cluster.brokers[0]!;
    await sendBodies(broker, ['done', 'open']);
    {
      using client = new MessagingClient(broker.endpoint);
      const messages = await client.receiveMessages({ topic: TOPIC, group: GROUP, brokerName: broker.name });
      const done = messages.find((message) => Buffer.from(message.body).toString() === 'done')!;
      const answer = await client.ack(TOPIC, GROUP, done.systemProperties!.receiptHandle!);
      assert.equal(answer.status?.code, Code.OK);
    }
    await broker.restart();
    using client = new MessagingClient(broker.endpoint);
    const fields = { topic: TOPIC, group: GROUP, brokerName: broker.name, pollingMs: 15_000 };
    const again = await client.receiveMessages(fields);
    assert.deepEqual(
      again.map((message) => Buffer.from(message.body).toString()),
      ['open'],
    );
  });

  it('refuses a data directory that another process uses', async () => {
    await using cluster = await startCluster();
    const second = await anotherBroker(cluster, { storePathRootDir: cluster.brokers[0]!.dataDirectory });
    assert.match(await refusal(second), new RegExp(cluster.brokers[0]!.dataDirectory));
  });

  it('names the port that another process uses', async () => {
    await using cluster = await startCluster();
    const port = cluster.brokers[0]!.clientPort;
    const second = await anotherBroker(cluster, { listenPort: port });
    assert.match(await refusal(second), new RegExp(`${port}`));
  });

  it('refuses a damaged log and names file and place', async () => {
    await using cluster = await startCluster();
    const broker = cluster.brokers[0]!;
    await sendBodies(broker, ['before', 'damaged-here', 'after', 'after that']);
    await broker.stop();
    const { file, offset } = damage(broker.dataDirectory, 'damaged-here');
    broker.start();
    const { code } = await broker.ended;
    assert.notEqual(code, 0);
    const said = broker.logTail(20);
    assert(said.includes(file.slice(file.lastIndexOf('/') + 1)), `the log does not name ${file}:\n${said}`);
    const named = [...said.matchAll(/\d+/g)].map((match) => Number(match[0]));
    assert(
      named.some((number) => number > offset - 2048 && number <= offset),
      `no offset near ${offset}:\n${said}`,
    );
  });

  it('refuses a wrong configuration and names the nearest key', async () => {
    await using cluster = await startCluster();
    const second = await anotherBroker(cluster, { flushDiskTyp: 'SYNC_FLUSH' });
    assert.match(await refusal(second), /flushDiskType/);
  });
});

async function sendBodies(broker: Member, bodies: readonly string[]): Promise<void> {
  using client = new MessagingClient(broker.endpoint);
  for (const body of bodies) {
    const answer = await client.send({ topic: TOPIC, body: Buffer.from(body) });
    assert.equal(answer.status?.code, Code.OK, answer.status?.message);
  }
}

/** Receives and acknowledges until `count` messages came; sorted, as they come from several queues. */
async function receiveBodies(broker: Member, count: number): Promise<string[]> {
  using client = new MessagingClient(broker.endpoint);
  const bodies: string[] = [];
  while (bodies.length < count) {
    const messages = await client.receiveMessages({ topic: TOPIC, group: GROUP, brokerName: broker.name });
    assert(messages.length > 0, `only ${bodies.length} of ${count} messages are there`);
    const handles = messages.map((message) => message.systemProperties!.receiptHandle!);
    assert.equal((await client.ack(TOPIC, GROUP, ...handles)).status?.code, Code.OK);
    bodies.push(...messages.map((message) => Buffer.from(message.body).toString()));
  }
  return bodies.sort();
}

/** A broker like the first one of the cluster with other settings; on free ports and a directory of its own unless given. */
async function anotherBroker(cluster: Cluster, properties: Properties): Promise<ServiceProcess> {
  const http = await freePort();
  const settings: Properties = {
    brokerName: 'another',
    brokerIP1: '127.0.0.1',
    bindAddress: '127.0.0.1',
    listenPort: await freePort(),
    adminListenPort: await freePort(),
    metricsPromExporterHost: '127.0.0.1',
    metricsPromExporterPort: http,
    storePathRootDir: join(cluster.directory, 'another'),
    ...properties,
  };
  const file = join(cluster.directory, 'another.properties');
  writeFileSync(
    file,
    Object.entries(settings)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  );
  return new ServiceProcess({
    name: 'another',
    command: [...appCommand('broker', 'bundle'), '-c', file, '-n', cluster.namesrvAddr],
    logFile: join(cluster.directory, 'another.log'),
    readyUrl: `http://127.0.0.1:${http}/readyz`,
  });
}

/** Starts what cannot run and gives what it said. */
async function refusal(service: ServiceProcess): Promise<string> {
  service.start();
  const timer = setTimeout(() => void service.kill(), 15_000);
  const { code } = await service.ended;
  clearTimeout(timer);
  assert(code !== null && code !== 0, `it ended with ${code}:\n${service.logTail()}`);
  return service.log();
}

function assertNoErrors(member: Member): void {
  const errors = member.logLines().filter((line) => line.level === 'error' || line.level === 'fatal');
  assert.deepEqual(errors, []);
}

/** Flips a bit of the record that holds `text`. */
function damage(directory: string, text: string): { file: string; offset: number } {
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    const file = join(directory, name);
    if (!statSync(file).isFile()) continue;
    const bytes = readFileSync(file);
    const offset = bytes.indexOf(text);
    if (offset < 0) continue;
    bytes[offset]! ^= 1;
    writeFileSync(file, bytes);
    return { file, offset };
  }
  throw new Error(`no file below ${directory} holds ${text}`);
}
