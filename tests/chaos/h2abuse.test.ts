import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { Code } from '@orbitmq/protocol/apache.rocketmq.v2';
import { type Cluster, type Member, startCluster } from '../cluster.ts';
import { MessagingClient } from '../e2e/messaging-client.ts';
import { INSPECTABLE } from '../inspector.ts';
import { assertWithstandsAttacks } from './h2abuse.ts';

/** Long enough for all of them to come before the first must go, also on a busy machine. */
const HTTP1_TIMEOUT_MS = 5_000;
const SLOW_COUNT = 500;
/** How many connections of HTTP/1.1 a port has, where nothing else is said. */
const HTTP1_CONNECTIONS_MAX = 64;

describe('S12: the processes of a cluster under known HTTP/2 attacks', () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await startCluster({
      brokerProperties: { grpcHttp1TimeoutMills: HTTP1_TIMEOUT_MS },
      environment: INSPECTABLE,
    });
  });
  after(() => cluster.stop());

  const attack = async (member: Member, send: (client: MessagingClient) => Promise<void>): Promise<void> => {
    await assertWithstandsAttacks(member);
    using client = new MessagingClient(member.endpoint);
    await send(client);
    const complaints = member.logLines().filter(({ level }) => level === 'error');
    assert.deepEqual(complaints, []);
  };
  const sendOne = async (client: MessagingClient): Promise<void> => {
    assert.equal((await client.send({ topic: 'attacked' })).status?.code, Code.OK);
  };

  it(
    'a broker stays alive, keeps no memory, lets neighbours through and takes messages afterwards',
    { timeout: 180_000 },
    () => attack(cluster.brokers[0]!, sendOne),
  );

  it('a name server does, and relays messages afterwards', { timeout: 180_000 }, () =>
    attack(cluster.nameServers[0]!, sendOne),
  );

  it('slow requests of HTTP/1.1 end in time, beyond some they are refused, and calls go on', async () => {
    const broker = cluster.brokers[0]!;
    const count = (limit: string): Promise<number> =>
      broker.metric('orbitmq_rpc_limits_exceeded_total', `port="client",limit="${limit}"`);
    const before = await count('http1');
    using client = new MessagingClient(broker.endpoint);
    const answers = await Promise.all(
      Array.from({ length: SLOW_COUNT }, () => slowRequest(broker.clientPort, () => sendOne(client))),
    );
    const refusedCount = answers.filter((answer) => answer.startsWith('HTTP/1.1 503 ')).length;
    assert.ok(refusedCount >= SLOW_COUNT - 2 * HTTP1_CONNECTIONS_MAX, `${refusedCount} were refused`);
    assert.equal(answers.filter((answer) => answer === '').length, SLOW_COUNT - refusedCount);
    assert.equal(await count('http1'), before + SLOW_COUNT);
    const answered = await fetch(`http://127.0.0.1:${broker.clientPort}/healthz`);
    assert.equal(answered.status, 200);
  });
});

/** Sends the head of a request and never its end. @returns what came until the connection was closed */
async function slowRequest(port: number, meanwhile: () => Promise<void>): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write('GET /healthz HTTP/1.1\r\nHost: a\r\n');
  const drip = setInterval(() => socket.write('X: a\r\n'), HTTP1_TIMEOUT_MS / 10);
  let answer = '';
  socket.on('data', (bytes) => {
    answer += bytes;
  });
  await meanwhile();
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
  clearInterval(drip);
  return answer;
}
