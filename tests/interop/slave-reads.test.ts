import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { AdminClient } from '@orbitmq/client';
import { GetReplicationResponse_Role as Role } from '@orbitmq/protocol/orbitmq.admin.v1';
import { startCluster } from '../cluster.ts';
import { waitForInSync, waitForReplication } from '../replication-state.ts';
import { waitUntil } from './child.ts';
import { connectionTo, prepareClient } from './clients.ts';
import { startCollector, textOf } from './collector.ts';
import { Driver } from './driver.ts';

const LOGS = join(import.meta.dirname, '.work', 'logs');
const COUNT = 40;
/** Clients ask for routes every 30 s. */
const PATIENCE_MS = 90_000;

const client = await prepareClient('node');

describe(`a push consumer of the ${client.language} client`, { skip: client.missing ?? false }, () => {
  it('goes on at the slave while the master is away, and is given nothing twice that it acknowledged', async () => {
    await using cluster = await startCluster({ slaveCount: 1, brokerProperties: { brokerRole: 'ASYNC_MASTER' } });
    const [master, slave] = [cluster.brokers[0]!, cluster.slaves[0]!];
    const connection = { endpoints: '', tls: false, ...connectionTo(client, [cluster.nameServers[0]!.endpoint]) };
    const topic = 'slave-reads';
    const admin = new AdminClient({ address: `127.0.0.1:${master.adminPort}` });
    await admin.putTopic({ name: topic, attributesPut: new Map(), attributesRemoved: [] }).finally(() => admin.close());
    await cluster.waitForRoutes();
    const driver = new Driver(client.command, join(LOGS, `${client.language}-slave-reads.log`));
    try {
      await driver.startProducer('producer', connection, [topic]);
      const send = async (from: number): Promise<void> => {
        for (let index = from; index < from + COUNT; index++) {
          await driver.send('producer', { topic, body: Buffer.from(`${index}`).toString('base64') });
        }
      };
      const subscription = { group: 'readers', subscriptions: { [topic]: '*' }, holdMs: 0 };
      const collector = await startCollector(client, driver, 'consumer', connection, subscription);
      const texts = (): string[] => collector.messages.map(textOf);
      await send(0);
      await waitUntil('all that was sent at first', PATIENCE_MS, async () => texts().length >= COUNT || undefined);
      await waitForInSync(master, 2);
      const before = collector.messages.length;
      // What the consumer is not given at the master, as that dies, it is given at the slave.
      await send(COUNT);
      await master.kill();
      await waitForReplication(slave, 'acting', ({ role }) => role === Role.ROLE_ACTING);
      const wanted = (): boolean => new Set(texts()).size === 2 * COUNT;
      await waitUntil('all of the rest', PATIENCE_MS, async () => wanted() || undefined);
      const seen = texts().length;
      master.start();
      await master.waitReady();
      await waitForInSync(master, 2);
      await send(2 * COUNT);
      await waitUntil('what is sent then', PATIENCE_MS, async () => new Set(texts()).size === 3 * COUNT || undefined);
      const again = texts()
        .slice(seen)
        .filter((text) => Number(text) < 2 * COUNT);
      console.info(
        `${client.language}: ${seen - before} while the master was away or dying, ${again.length} came again`,
      );
      assert.deepEqual(again, []);
    } finally {
      await driver.stop();
    }
  });
});
