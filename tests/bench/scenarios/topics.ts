import { readdirSync } from 'node:fs';
import { AdminClient } from '@orbitmq/client';
import { type Member, startCluster } from '../../cluster.ts';
import { readRssBytes } from '../measure.ts';
import type { Figures } from '../measurement.ts';
import type { Results, Scenario } from '../scenario.ts';
import { runSendLoad } from '../send-load.ts';
import { SendRequestTemplate } from '../send-template.ts';

const NAME = 'topics';
const QUEUE_COUNT = 8;
const TOPICS_WITH_MESSAGES = 100;
const MESSAGES_PER_SEND = 64;
const BODY_BYTES = 64;
const CALLS_OPEN = 16;
const READY_MS_MAX = 120_000;

/** What a broker needs when it holds much: memory and files, and the time until it serves again. */
export const topics: Scenario = {
  name: NAME,
  summary: '10,000 topics (RSS, files), restart with 5,000,000 messages after a clean stop and after SIGKILL',
  async run({ options, results }) {
    await using cluster = await startCluster();
    const broker = cluster.brokers[0]!;
    const { topicCount, lagCount } = options;
    add(results, 'a fresh broker', holding(broker));
    add(results, 'after a restart', await restart(broker, () => broker.stop()));
    await makeTopics(broker, topicCount);
    add(results, `${topicCount} topics of ${QUEUE_COUNT} queues`, holding(broker));
    add(results, '… after a restart', await restart(broker, () => broker.stop()));
    await sendMessages(broker, lagCount, Math.min(topicCount, TOPICS_WITH_MESSAGES));
    add(results, `${lagCount} messages`, holding(broker));
    add(results, '… after a restart', await restart(broker, () => broker.stop()));
    add(results, '… after SIGKILL', await restart(broker, () => broker.kill()));
  },
};

function add(results: Results, name: string, figures: Figures): void {
  results.add({ scenario: NAME, target: 'orbitmq', name, figures, failure: undefined });
}

function holding(broker: Member): Figures {
  return {
    rssMib: readRssBytes([broker.pid!]) / 2 ** 20,
    openFileCount: readdirSync(`/proc/${broker.pid}/fd`).length,
  };
}

async function restart(broker: Member, end: () => Promise<unknown>): Promise<Figures> {
  const endingMs = performance.now();
  await end();
  const beganMs = performance.now();
  broker.start();
  await broker.waitReady(READY_MS_MAX);
  return { stopMs: beganMs - endingMs, readyMs: performance.now() - beganMs, ...holding(broker) };
}

async function makeTopics(broker: Member, count: number): Promise<void> {
  const admin = new AdminClient({ address: `127.0.0.1:${broker.adminPort}`, timeoutMs: 60_000 });
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const queues = { readQueueCount: QUEUE_COUNT, writeQueueCount: QUEUE_COUNT };
      await admin.putTopic({ name: topicName(next++), ...queues, attributesPut: new Map(), attributesRemoved: [] });
    }
  };
  await Promise.all(Array.from({ length: CALLS_OPEN }, worker));
  admin.close();
}

async function sendMessages(broker: Member, messageCount: number, topicCount: number): Promise<void> {
  for (let index = 0; index < topicCount; index++) {
    const template = new SendRequestTemplate({
      topic: topicName(index),
      bodyBytes: BODY_BYTES,
      messageCount: MESSAGES_PER_SEND,
    });
    const countMax = Math.ceil(messageCount / topicCount);
    const sent = await runSendLoad({
      port: broker.clientPort,
      template,
      concurrency: CALLS_OPEN,
      countMax,
      hasTelemetry: true,
    });
    if (sent.failure !== undefined) throw new Error(sent.failure);
  }
}

function topicName(index: number): string {
  return `topic-${index}`;
}
