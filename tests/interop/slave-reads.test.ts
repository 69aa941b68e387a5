import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { AdminClient } from '@orbitmq/client';
import { GetReplicationResponse_Role as Role } from '@orbitmq/protocol/orbitmq.admin.v1';
import { type Member, startCluster } from '../cluster.ts';
import { waitForEqualState, waitForInSync, waitForReplication } from '../replication-state.ts';
import { waitUntil } from './child.ts';
import { connectionTo, prepareClient } from './clients.ts';
import { type Collector, startCollector, textOf } from './collector.ts';
import { Driver } from './driver.ts';

const LOGS = join(import.meta.dirname, '.work', 'logs');
const COUNT = 40;
/** Clients ask for routes every 30 s. */
const PATIENCE_MS = 90_000;
/** What comes twice has come by then: nothing is taken for longer without an acknowledgement here. */
const QUIET_MS = 3_000;

const client = await prepareClient('node');

describe(`push consumers of the ${client.language} client`, { skip: client.missing ?? false }, () => {
  it('are served by the slave while the master is away, and given nothing twice when it is back', async () => {
    await using cluster = await startCluster({ slaveCount: 1, brokerProperties: { brokerRole: 'ASYNC_MASTER' } });
    const [master, slave] = [cluster.brokers[0]!, cluster.slaves[0]!];
    const connection = connectionTo(client, [cluster.nameServers[0]!.endpoint]);
    const topic = 'slave-reads';
    await makeTopic(master, topic, ['early', 'late']);
    await cluster.waitForRoutes();
    const driver = new Driver(client.command, join(LOGS, `${client.language}-slave-reads.log`));
    try {
      await driver.startProducer('producer', connection, [topic]);
      const send = async (from: number): Promise<void> => {
        for (let index = from; index < from + COUNT; index++) {
          const message = { topic, body: Buffer.from(`${index}`).toString('base64') };
          // Its connection to a broker that was away is tried again after a while.
          await waitUntil('a send', PATIENCE_MS, () => driver.send('producer', message).catch(() => undefined));
        }
      };
      const collect = (group: string): Promise<Collector> =>
        startCollector(client, driver, group, connection, { group, subscriptions: { [topic]: '*' } });
      const early = await collect('early');
      await send(0);
      await waitFor(early, COUNT);
      await waitForSettled(master, 'early');
      await waitForInSync(master, 2);
      await waitForEqualState(master, [slave]);
      await master.kill();
      await waitForReplication(slave, 'acting', ({ role }) => role === Role.ROLE_ACTING);
      const late = await collect('late');
      await waitFor(late, COUNT);
      await waitForSettled(slave, 'late');
      master.start();
      await master.waitReady();
      await waitForInSync(master, 2);
      await send(COUNT);
      await waitFor(early, 2 * COUNT);
      await waitFor(late, 2 * COUNT);
      await sleep(QUIET_MS);
      for (const { messages } of [early, late]) {
        assert.deepEqual(messages.map(textOf).sort(), Array.from({ length: 2 * COUNT }, (_, at) => `${at}`).sort());
      }
    } finally {
      await driver.stop();
    }
  });
});

async function waitFor({ messages }: Collector, count: number): Promise<void> {
  const has = (): boolean => new Set(messages.map(textOf)).size >= count;
  await waitUntil(`${count} messages`, PATIENCE_MS, async () => has() || undefined);
}

/** Waits until a group has acknowledged what its listener was given: what it says of that may come later. */
async function waitForSettled(member: Member, group: string): Promise<void> {
  await waitUntil(`all is settled by ${group}`, PATIENCE_MS, async () => {
    const counts = await Promise.all(
      ['lag', 'inflight'].map((name) =>
        member.metric(`rocketmq_consumer_${name}_messages`, `consumer_group="${group}"`),
      ),
    );
    return counts.every((count) => count === 0);
  });
}

async function makeTopic({ adminPort }: Member, topic: string, groups: readonly string[]): Promise<void> {
  const admin = new AdminClient({ address: `127.0.0.1:${adminPort}` });
  const attributes = { attributesPut: new Map<string, string>(), attributesRemoved: [] };
  try {
    await admin.putTopic({ name: topic, ...attributes });
    for (const name of groups) await admin.putGroup({ name, retryPolicy: undefined, ...attributes });
  } finally {
    admin.close();
  }
}
