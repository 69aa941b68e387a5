import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { AdminClient } from '@orbitmq/client';
import { Code } from '@orbitmq/protocol/apache.rocketmq.v2';
import { type Member, startCluster } from '../cluster.ts';
import { MessagingClient } from '../e2e/messaging-client.ts';
import { readRssBytes } from './measure.ts';

/**
 * What a broker needs when it holds much: memory and files with many topics, and the time until it serves again with
 * many messages. `node … tests/bench/scale.ts [topics] [messages]`, by default 10,000 and 5,000,000.
 */
const TOPIC_COUNT = Number(process.argv[2] ?? 10_000);
const MESSAGE_COUNT = Number(process.argv[3] ?? 5_000_000);
const QUEUE_COUNT = 8;
const MESSAGES_PER_SEND = 200;
const BODY_BYTES = 64;
const CALLS_OPEN = 16;

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Calls `work` for 0…`count`−1, some at a time. */
async function forEach(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: CALLS_OPEN }, worker));
}

function describeMember(member: Member): string {
  const files = readdirSync(`/proc/${member.pid}/fd`).length;
  return `${(readRssBytes([member.pid!]) / 2 ** 20).toFixed(0)} MiB RSS, ${files} open files`;
}

async function timedRestart(broker: Member): Promise<void> {
  await broker.stop();
  const beganMs = performance.now();
  broker.start();
  await broker.waitReady(120_000);
  print(`ready again after ${(performance.now() - beganMs).toFixed(0)} ms, ${describeMember(broker)}`);
}

async function makeTopics(broker: Member): Promise<void> {
  const admin = new AdminClient({ address: `127.0.0.1:${broker.adminPort}`, timeoutMs: 60_000 });
  await forEach(TOPIC_COUNT, async (index) => {
    const queues = { readQueueCount: QUEUE_COUNT, writeQueueCount: QUEUE_COUNT };
    await admin.putTopic({ name: `topic-${index}`, ...queues, attributesPut: new Map(), attributesRemoved: [] });
  });
  admin.close();
}

async function sendMessages(broker: Member): Promise<void> {
  using client = new MessagingClient(broker.endpoint);
  await forEach(Math.ceil(MESSAGE_COUNT / MESSAGES_PER_SEND), async (index) => {
    const topic = `topic-${index % Math.min(TOPIC_COUNT, 100)}`;
    const messages = Array.from({ length: MESSAGES_PER_SEND }, () => ({ topic, body: randomBytes(BODY_BYTES) }));
    const answer = await client.send(...messages);
    if (answer.status?.code !== Code.OK) throw new Error(`a send was answered ${answer.status?.message}`);
  });
}

await using cluster = await startCluster();
const broker = cluster.brokers[0]!;
print(`a fresh broker: ${describeMember(broker)}`);
await timedRestart(broker);
await makeTopics(broker);
print(`${TOPIC_COUNT} topics of ${QUEUE_COUNT} queues: ${describeMember(broker)}`);
await timedRestart(broker);
const beganMs = performance.now();
await sendMessages(broker);
const seconds = (performance.now() - beganMs) / 1000;
print(`${MESSAGE_COUNT} messages in ${seconds.toFixed(0)} s: ${describeMember(broker)}`);
await timedRestart(broker);
await broker.kill();
const crashedMs = performance.now();
broker.start();
await broker.waitReady(120_000);
print(`ready again after SIGKILL after ${(performance.now() - crashedMs).toFixed(0)} ms, ${describeMember(broker)}`);
