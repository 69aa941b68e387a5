import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Clock, systemClock, systemRandom } from '@orbitmq/base';
import type { Logger } from '@orbitmq/runtime';
import { type OpenedShard, openShard } from '@orbitmq/shard';
import { nodeVfs } from '@orbitmq/vfs';
import { type Cluster, startCluster } from '../cluster.ts';
import { MessagingClient } from '../e2e/messaging-client.ts';
import { PowerlossLab, powerlossSkip } from './powerloss.ts';

const SEED = Number(process.env.SEED ?? 1);
const STATES = Number(process.env.POWERLOSS_STATES ?? 300);
const TOPIC = 'Orders';
const GROUP = 'billing';
const PRODUCERS = 8;
const SENDS_EACH = 40;
const SEGMENT_BYTES = 256 * 1024;
const RECORD_BYTES_MAX = 64 * 1024;

/** What clients were told, and when: nanoseconds of the clock that the recorder uses. */
interface Told {
  readonly sent: Map<string, bigint>;
  readonly acknowledged: Map<string, bigint>;
}

/** A clock whose hour is later each time that it is asked for, so that every lease of an earlier life has ended. */
function laterClock(hours: number): Clock {
  return { ...systemClock, wallMs: () => systemClock.wallMs() + hours * 3_600_000 };
}

const silentLogger: Logger = { child: () => silentLogger, debug() {}, info() {}, warn() {}, error() {} };

describe('a broker that loses power', { skip: powerlossSkip }, () => {
  it('under SYNC_FLUSH holds every message and every ack that it said OK to, in every legal state of the disk', async () => {
    const lab = new PowerlossLab('powerloss-broker');
    try {
      const told = await loadBroker(lab);
      assert.equal(told.sent.size, PRODUCERS * SENDS_EACH);
      assert.ok(told.acknowledged.size > 0);
      lab.checkComplete();
      for (const names of ['strict', 'ext4'] as const) {
        const { tried } = await lab.explore({ max: STATES / 2, seed: SEED, names }, (directory, { deadline }) =>
          checkState(directory, told, deadline),
        );
        assert.ok(tried >= STATES / 2, `only ${tried} states were tried`);
      }
    } finally {
      lab.dispose();
    }
  });
});

/** Sends, receives and acknowledges at the same time over gRPC, on a broker whose file operations are recorded. */
async function loadBroker(lab: PowerlossLab): Promise<Told> {
  await using cluster = await startCluster({
    environment: lab.environment() as Record<string, string>,
    brokerProperties: {
      storePathRootDir: lab.root,
      flushDiskType: 'SYNC_FLUSH',
      mappedFileSizeCommitLog: SEGMENT_BYTES,
      maxMessageSize: RECORD_BYTES_MAX / 4,
    },
  });
  const told: Told = { sent: new Map(), acknowledged: new Map() };
  const producers = Array.from({ length: PRODUCERS }, (_, index) => produce(cluster, told, index));
  await Promise.all([...producers, consume(cluster, told)]);
  return told;
}

async function produce(cluster: Cluster, told: Told, producer: number): Promise<void> {
  using client = new MessagingClient(cluster.brokers[0]!.endpoint, `producer-${producer}`);
  for (let index = 0; index < SENDS_EACH; index++) {
    const id = `${producer}-${index}`;
    const body = Buffer.alloc(1024 + 37 * index, ' ');
    body.write(id);
    const answer = await client.send({ topic: TOPIC, body });
    assert.equal(answer.status?.code, 20000, answer.status?.message);
    told.sent.set(id, process.hrtime.bigint());
  }
}

async function consume(cluster: Cluster, told: Told): Promise<void> {
  using client = new MessagingClient(cluster.brokers[0]!.endpoint, 'consumer');
  const fields = { topic: TOPIC, group: GROUP, brokerName: 'broker-a' };
  while (told.acknowledged.size < (PRODUCERS * SENDS_EACH) / 2) {
    for (const message of await client.receiveMessages(fields)) {
      const answer = await client.ack(TOPIC, GROUP, message.systemProperties!.receiptHandle!);
      assert.equal(answer.status?.code, 20000, answer.status?.message);
      told.acknowledged.set(idIn(message.body), process.hrtime.bigint());
    }
  }
}

/** Starts the shard as a restart would, twice, and asks it what it has. */
async function checkState(directory: string, told: Told, deadlineNs: bigint): Promise<void> {
  const first = await stateOf(directory, 1);
  for (const [id, atNs] of told.sent) {
    assert.ok(atNs >= deadlineNs || first.stored.has(id), `message ${id} was stored and is lost`);
  }
  for (const [id, atNs] of told.acknowledged) {
    assert.ok(atNs >= deadlineNs || !first.open.has(id), `message ${id} was acknowledged and comes again`);
  }
  for (const id of first.stored) assert.match(id, /^\d+-\d+$/, 'a message that nobody sent');
  assert.deepEqual(await stateOf(directory, 2), first, 'the second start found something else');
}

async function stateOf(directory: string, hours: number): Promise<{ stored: Set<string>; open: Set<string> }> {
  const shard = await openShard({
    vfs: nodeVfs,
    clock: laterClock(hours),
    random: systemRandom,
    logger: silentLogger,
    directory,
    options: {
      log: { flushDiskType: 'SYNC_FLUSH', segmentSizeBytes: SEGMENT_BYTES, recordBytesMax: RECORD_BYTES_MAX },
    },
    defer: setImmediate,
  });
  try {
    return { stored: await everything(shard), open: await drain(shard, GROUP) };
  } finally {
    await shard.close();
  }
}

/** All messages of the topic, read by a group that leaves no trace. */
async function everything(shard: OpenedShard): Promise<Set<string>> {
  await shard.putGroup({
    name: 'inspection',
    consumeEnable: true,
    consumeMessageOrderly: false,
    retryMaxTimes: 16,
    retryPolicy: { kind: 'customized', delaysMs: [1000] },
    autoCreated: false,
    attributes: new Map(),
  });
  const ids = await drain(shard, 'inspection');
  await shard.deleteGroup('inspection');
  return ids;
}

async function drain(shard: OpenedShard, groupName: string): Promise<Set<string>> {
  const ids = new Set<string>();
  const [group, topic] = [shard.metadata.group(groupName), shard.metadata.topic(TOPIC)];
  if (group === undefined || topic === undefined) return ids;
  for (;;) {
    const deliveries = await shard.receive({
      group,
      topic,
      filter: undefined,
      countMax: 32,
      bytesMax: 1 << 20,
      invisibleMs: 60_000,
      attemptId: undefined,
    });
    if (deliveries.length === 0) return ids;
    for (const { message } of deliveries) ids.add(idIn(message.rest));
  }
}

/** The id that a body begins with; spaces follow it. */
function idIn(rest: Uint8Array): string {
  return /(\d+-\d+) {100}/.exec(Buffer.from(rest).toString('latin1'))?.[1] ?? 'no id';
}
