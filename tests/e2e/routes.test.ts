import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Code } from '@orbitmq/protocol/apache.rocketmq.v2';
import { type Member, startCluster } from '../cluster.ts';
import { waitUntil } from '../interop/child.ts';
import { MessagingClient } from './messaging-client.ts';

const TOPIC = 'routed';

describe('routes of a running cluster', () => {
  it('shows a topic at every name server as soon as its first message is stored', async () => {
    await using cluster = await startCluster({ nameServerCount: 2, brokerCount: 1 });
    using client = new MessagingClient(cluster.brokers[0]!.endpoint);
    assert.equal((await client.send({ topic: TOPIC })).status?.code, Code.OK);
    for (const server of cluster.nameServers) await waitForRoute(server, ['broker-a'], 2_000);
  });

  it('has them back seconds after a name server was restarted', async () => {
    await using cluster = await startCluster({ nameServerCount: 1, brokerCount: 2 });
    const server = cluster.nameServers[0]!;
    await server.kill();
    server.start();
    await server.waitReady();
    await waitForRoute(server, ['broker-a', 'broker-b'], 5_000);
  });

  it('drops a broker that fell silent within seconds, and takes it back', async () => {
    await using cluster = await startCluster({ nameServerCount: 1, brokerCount: 2 });
    const [server, silent] = [cluster.nameServers[0]!, cluster.brokers[1]!];
    await waitForRoute(server, ['broker-a', 'broker-b'], 5_000);
    silent.signal('SIGSTOP');
    try {
      await waitForRoute(server, ['broker-a'], 30_000);
    } finally {
      silent.signal('SIGCONT');
    }
    await waitForRoute(server, ['broker-a', 'broker-b'], 15_000);
  });

  it('drops a broker that was killed at once', async () => {
    await using cluster = await startCluster({ nameServerCount: 1, brokerCount: 2 });
    await cluster.brokers[1]!.kill();
    await waitForRoute(cluster.nameServers[0]!, ['broker-a'], 5_000);
  });
});

describe('a name server that clients send to', () => {
  it('passes on messages as large as its configuration says, and answers what is larger', async () => {
    const maxMessageSize = 20 * 1024 * 1024;
    await using cluster = await startCluster({
      brokerProperties: { maxMessageSize },
      nameServerProperties: { maxMessageSize },
    });
    using client = new MessagingClient(cluster.nameServers[0]!.endpoint);
    const body = Buffer.alloc(maxMessageSize, 7);
    assert.equal((await client.send({ topic: TOPIC, body })).status?.code, Code.OK);
    const answer = await client.receive({ topic: TOPIC, group: 'readers', brokerName: 'broker-a' });
    const found = answer.find(({ message }) => message !== undefined)?.message;
    assert.ok(found && Buffer.compare(found.body, body) === 0);
    const larger = await client.send({ topic: TOPIC, body: Buffer.alloc(maxMessageSize + 1) });
    assert.equal(larger.status?.code, Code.MESSAGE_BODY_TOO_LARGE);
  });
});

/** Waits until exactly these brokers are in the route that clients are given. */
async function waitForRoute(server: Member, brokers: readonly string[], timeoutMs: number): Promise<void> {
  using client = new MessagingClient(server.endpoint);
  await waitUntil(`${server.name} routes to ${brokers.join(' and ')}`, timeoutMs, async () => {
    const { messageQueues } = await client.queryRoute(TOPIC);
    const found = new Set(messageQueues.map((queue) => queue.broker?.name));
    return found.size === brokers.length && brokers.every((name) => found.has(name));
  });
}
