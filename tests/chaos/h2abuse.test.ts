import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Code } from '@orbitmq/protocol/apache.rocketmq.v2';
import { type Cluster, type Member, startCluster } from '../cluster.ts';
import { MessagingClient } from '../e2e/messaging-client.ts';
import { assertWithstandsAttacks } from './h2abuse.ts';

describe('S12: the processes of a cluster under known HTTP/2 attacks', () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await startCluster();
  });
  after(() => cluster.stop());

  const attack = async (member: Member, send: (client: MessagingClient) => Promise<void>): Promise<void> => {
    await assertWithstandsAttacks(member.clientPort, member.pid!);
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
});
