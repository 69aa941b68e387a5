import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RetryPolicy as WirePolicy } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { RetryPolicy } from '@orbitmq/views';
import { consumerBackoff, DEFAULT_RETRY_POLICY, producerBackoff } from './backoff.ts';
import { durationMs } from './times.ts';

const EXPONENTIAL: RetryPolicy = { kind: 'exponential', initialMs: 5_000, maxMs: 60_000, multiplier: 2 };

const list = (policy: WirePolicy): number[] | undefined => policy.customizedBackoff?.next.map(durationMs);

test('producers are told three attempts, 10 ms to 1 s', () => {
  const policy = producerBackoff('JAVA');
  assert.equal(policy.maxAttempts, 3);
  assert.equal(durationMs(policy.exponentialBackoff!.initial!), 10);
  assert.equal(durationMs(policy.exponentialBackoff!.max!), 1_000);
  assert.equal(policy.exponentialBackoff!.multiplier, 2);
});

test('consumers are told the list of their group', () => {
  for (const language of ['JAVA', 'GOLANG', 'PYTHON', 'RUST', 'CPP', 'DOT_NET', 'OTHER'] as const) {
    const policy = consumerBackoff(DEFAULT_RETRY_POLICY, 16, language);
    assert.equal(policy.maxAttempts, 17, language);
    assert.equal(list(policy)!.length, 18);
    assert.deepEqual(list(policy)!.slice(0, 4), [1_000, 5_000, 10_000, 30_000]);
    assert.equal(list(policy)!.at(-1), 7_200_000);
    assert.equal(policy.exponentialBackoff, undefined);
  }
});

test('Node gets an exponential policy whose seconds it reads as milliseconds', () => {
  const fromList = consumerBackoff(DEFAULT_RETRY_POLICY, 16, 'NODE_JS').exponentialBackoff!;
  assert.deepEqual([fromList.initial!.seconds, fromList.max!.seconds], [1_000n, 7_200_000n]);
  const own = consumerBackoff(EXPONENTIAL, 16, 'NODE_JS').exponentialBackoff!;
  assert.deepEqual([own.initial!.seconds, own.max!.seconds, own.multiplier], [5_000n, 60_000n, 2]);
  const producer = producerBackoff('NODE_JS').exponentialBackoff!;
  assert.deepEqual([producer.initial!.seconds, producer.max!.seconds], [10n, 1_000n]);
});

test('Python gets a list for an exponential policy', () => {
  assert.deepEqual(list(consumerBackoff(EXPONENTIAL, 16, 'PYTHON')), [5_000, 10_000, 20_000, 40_000, 60_000]);
  const flat: RetryPolicy = { kind: 'exponential', initialMs: 300, maxMs: 900, multiplier: 1 };
  assert.deepEqual(list(consumerBackoff(flat, 16, 'PYTHON')), [300]);
  assert.ok(consumerBackoff(EXPONENTIAL, 16, 'JAVA').exponentialBackoff);
});
