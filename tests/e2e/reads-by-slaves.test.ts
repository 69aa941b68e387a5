import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Code } from '@orbitmq/protocol/apache.rocketmq.v2';
import { type Cluster, type Member, type Properties, startCluster } from '../cluster.ts';
import { waitForInSync } from '../replication-state.ts';
import { MessagingClient } from './messaging-client.ts';

const TOPIC = 'backlog';
const GROUP = 'readers';
const SEGMENT_BYTES = 256 * 1024;
const BODY_BYTES = 1_000;
/** Some four segments: a start reads the newest two. */
const COUNT = 800;
/** Far behind, for this test. */
const BEHIND_BYTES = 64 * 1024;
/** Longer than anything in a test takes. */
const INVISIBLE_MS = 600_000;
const PAGE_BYTES = 4096;

const SLAVE_READS = 'orbitmq_storage_slave_reads_total';
const DISK_READS = 'orbitmq_storage_disk_reads_total';
const RECOVERED_READS = 'orbitmq_shard_recovered_reads_total';
const UNREADABLE = 'orbitmq_shard_unreadable_messages_total';

/** A master with a slave that never stands in for it. */
function startShard(properties: Properties = {}): Promise<Cluster> {
  return startCluster({
    slaveCount: 1,
    brokerProperties: {
      brokerRole: 'ASYNC_MASTER',
      mappedFileSizeCommitLog: SEGMENT_BYTES,
      maxMessageSize: 1_024,
      defaultTopicQueueNums: 1,
      slaveReadDelay: 3_600_000,
      ...properties,
    },
  });
}

function bodyOf(index: number): Buffer {
  return Buffer.alloc(BODY_BYTES, `${index} `);
}

async function sendAll(client: MessagingClient): Promise<void> {
  for (let first = 0; first < COUNT; first += 16) {
    const messages = Array.from({ length: 16 }, (_, index) => ({ topic: TOPIC, body: bodyOf(first + index) }));
    const { status } = await client.send(...messages);
    assert.equal(status?.code, Code.OK, status?.message);
  }
}

/** Receives until so many messages have come, each as it was sent. @returns their numbers */
async function take(client: MessagingClient, master: Member, count: number): Promise<number[]> {
  const taken: number[] = [];
  for (let tries = 0; taken.length < count && tries < COUNT; tries++) {
    const fields = { topic: TOPIC, group: GROUP, brokerName: master.name, invisibleMs: INVISIBLE_MS };
    for (const { body } of await client.receiveMessages({ ...fields, batchSize: Math.min(32, count - taken.length) })) {
      const index = Number.parseInt(Buffer.from(body).toString(), 10);
      assert.deepEqual(Buffer.from(body), bodyOf(index));
      taken.push(index);
    }
  }
  return taken;
}

const ALL = Array.from({ length: COUNT }, (_, index) => index);
const sorted = (numbers: readonly number[]): number[] => [...numbers].sort((one, other) => one - other);

/** Turns a bit in the body of one message of the oldest segment, and loses a page of others. */
function damage({ dataDirectory }: Member): void {
  const file = join(dataDirectory, 'commitlog', '0'.repeat(20));
  const bytes = readFileSync(file);
  const at = bytes.indexOf(bodyOf(20));
  assert.ok(at > 0);
  bytes[at + 500]! ^= 1;
  const lost = Math.ceil(bytes.indexOf(bodyOf(60)) / PAGE_BYTES) * PAGE_BYTES;
  bytes.fill(0, lost, lost + PAGE_BYTES);
  writeFileSync(file, bytes);
}

describe('a slave in sync reads for its master', () => {
  it('what the disk of the master has damaged: consumers get all', async () => {
    await using cluster = await startShard();
    const [master] = cluster.brokers as [Member];
    using client = new MessagingClient(master.endpoint);
    await sendAll(client);
    await waitForInSync(master, 2);
    await master.stop();
    damage(master);
    master.start();
    await master.waitReady();
    await waitForInSync(master, 2);
    assert.deepEqual(sorted(await take(client, master, COUNT)), ALL);
    const recovered = await master.metric(RECOVERED_READS);
    assert.ok(recovered >= 4, `${recovered} were read by the slave`);
    assert.equal(await master.metric(UNREADABLE), 0);
  });

  it('what lies far behind, and nothing when it is gone', async () => {
    const ratio = ((BEHIND_BYTES / totalmem()) * 100).toFixed(12);
    await using cluster = await startShard({ accessMessageInMemoryMaxRatio: ratio });
    const [master] = cluster.brokers as [Member];
    const [slave] = cluster.slaves as [Member];
    using client = new MessagingClient(master.endpoint);
    await sendAll(client);
    // Nothing of it is in memory after this.
    await master.restart();
    await waitForInSync(master, 2);
    const first = await take(client, master, COUNT / 2);
    const slaveReads = await master.metric(SLAVE_READS);
    // In blocks of 64 KiB.
    assert.ok(slaveReads >= 5, `${slaveReads} were read by the slave`);
    const diskReads = await master.metric(DISK_READS);
    await slave.kill();
    const rest = await take(client, master, COUNT / 2);
    assert.deepEqual(sorted([...first, ...rest]), ALL);
    assert.ok((await master.metric(DISK_READS)) > diskReads);
    slave.start();
    await slave.waitReady();
    await waitForInSync(master, 2);
    assert.equal(await master.metric(RECOVERED_READS), 0);
  });
});
