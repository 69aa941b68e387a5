import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { connectionTo, prepareClient } from './clients.ts';
import { Driver } from './driver.ts';
import { describeInterop } from './scenarios.ts';
import { startTarget } from './target.ts';

const client = await prepareClient('node');
const TOPIC_COUNT = 6;
const CONSUMER_COUNT = 8;
/** It waits for settings, which it passes over when they come early; its own next try would be after five minutes. */
const START_MS_MAX = 30_000;

describeInterop(client);

describe('node consumers of several topics', { skip: process.env.ORBITMQ_INTEROP_TARGET === 'apache' }, () => {
  it('all start', async () => {
    const target = await startTarget();
    const driver = new Driver(client.command, join(import.meta.dirname, '.work', 'logs', 'node-topics.log'));
    try {
      const connection = connectionTo(client, target.endpoints);
      const topics = Array.from({ length: TOPIC_COUNT }, (_, index) => `several-${index}`);
      for (const topic of topics) await target.createTopic(topic, 'NORMAL');
      const subscriptions = Object.fromEntries(topics.map((topic) => [topic, '*']));
      const slowest = { neededMs: 0 };
      for (let index = 0; index < CONSUMER_COUNT; index++) {
        const startedMs = performance.now();
        await driver.startPushConsumer(`consumer-${index}`, connection, { group: `group-${index}`, subscriptions });
        slowest.neededMs = Math.max(slowest.neededMs, performance.now() - startedMs);
      }
      assert.ok(slowest.neededMs < START_MS_MAX, `${slowest.neededMs} ms`);
    } finally {
      await driver.stop();
      await target.stop();
    }
  });
});
