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
/** What a slave under load did not read in time comes again after this. */
const INVISIBLE_MS = 10_000;
const PATIENCE_MS = 60_000;
/** Starts of the master within which its slave must have read something for it in time. */
const STARTS_MAX = 5;
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

/** Receives and acknowledges until so many messages have come, each as it was sent. @returns their numbers, in order */
async function take(client: MessagingClient, master: Member, count: number, group = GROUP): Promise<number[]> {
  const taken = new Set<number>();
  const endMs = performance.now() + PATIENCE_MS;
  while (taken.size < count) {
    assert.ok(performance.now() < endMs, `${taken.size} of ${count} messages have come`);
    const fields = { topic: TOPIC, group, brokerName: master.name, invisibleMs: INVISIBLE_MS };
    const messages = await client.receiveMessages({ ...fields, batchSize: Math.min(32, count - taken.size) });
    for (const { body } of messages) {
      const index = Number.parseInt(Buffer.from(body).toString(), 10);
      assert.deepEqual(Buffer.from(body), bodyOf(index));
      taken.add(index);
    }
    const handles = messages.map(({ systemProperties }) => systemProperties!.receiptHandle!);
    if (handles.length > 0) await client.ack(TOPIC, group, ...handles);
  }
  return [...taken].sort((one, other) => one - other);
}

const ALL = Array.from({ length: COUNT }, (_, index) => index);

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
    assert.deepEqual(await take(client, master, COUNT), ALL);
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
    let slaveReads = 0;
    for (let start = 1; slaveReads === 0; start++) {
      assert.ok(start <= STARTS_MAX, 'the slave has read nothing');
      // Nothing of the log is in memory after this.
      await master.restart();
      await waitForInSync(master, 2);
      await take(client, master, COUNT / 4, `${GROUP}-${start}`);
      slaveReads = await master.metric(SLAVE_READS);
    }
    const diskReads = await master.metric(DISK_READS);
    await slave.kill();
    assert.deepEqual(await take(client, master, COUNT), ALL);
    assert.ok((await master.metric(DISK_READS)) > diskReads);
    slave.start();
    await slave.waitReady();
    await waitForInSync(master, 2);
    assert.equal(await master.metric(RECOVERED_READS), 0);
  });
});
