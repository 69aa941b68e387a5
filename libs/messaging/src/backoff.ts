import type { RetryPolicy as WirePolicy } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { RetryPolicy } from '@orbitmq/views';
import type { ClientLanguage } from './caller.ts';
import { durationOf } from './times.ts';

/** Send attempts that producers are told to make. */
const PRODUCER_ATTEMPTS_MAX = 3;
const PRODUCER_POLICY: RetryPolicy = { kind: 'exponential', initialMs: 10, maxMs: 1_000, multiplier: 2 };
/** Entries of a list that stands for an exponential policy. */
const LIST_LENGTH_MAX = 32;

type Exponential = Extract<RetryPolicy, { kind: 'exponential' }>;

/** RocketMQ's default delays between the deliveries of a message (`messageDelayLevel`). */
export const DEFAULT_RETRY_POLICY: RetryPolicy = {
  kind: 'customized',
  delaysMs: [1, 5, 10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1_200, 1_800, 3_600, 7_200].map(
    (seconds) => seconds * 1_000,
  ),
};

/** What a producer is told; all of them understand exponential policies only. */
export function producerBackoff(language: ClientLanguage): WirePolicy {
  return wirePolicy(PRODUCER_POLICY, PRODUCER_ATTEMPTS_MAX, language);
}

/** What a consumer is told: its group's policy, in the kind that its language understands. */
export function consumerBackoff(policy: RetryPolicy, retryMaxTimes: number, language: ClientLanguage): WirePolicy {
  return wirePolicy(policyFor(policy, language), retryMaxTimes + 1, language);
}

/** Node ignores lists, Python ignores exponential policies: each gets the nearest of the kind it takes. */
function policyFor(policy: RetryPolicy, language: ClientLanguage): RetryPolicy {
  if (language === 'NODE_JS' && policy.kind === 'customized') return exponentialOf(policy.delaysMs);
  if (language === 'PYTHON' && policy.kind === 'exponential') {
    return { kind: 'customized', delaysMs: listOf(policy) };
  }
  return policy;
}

function exponentialOf(delaysMs: readonly number[]): Exponential {
  const initialMs = delaysMs[0] ?? 0;
  return { kind: 'exponential', initialMs, maxMs: Math.max(initialMs, delaysMs.at(-1) ?? 0), multiplier: 2 };
}

function listOf(policy: Exponential): number[] {
  const delaysMs: number[] = [];
  for (let delayMs = policy.initialMs; delaysMs.length < LIST_LENGTH_MAX; delayMs *= policy.multiplier) {
    delaysMs.push(Math.round(Math.min(delayMs, policy.maxMs)));
    if (delayMs >= policy.maxMs || policy.multiplier <= 1) break;
  }
  return delaysMs;
}

function wirePolicy(policy: RetryPolicy, maxAttempts: number, language: ClientLanguage): WirePolicy {
  if (policy.kind === 'customized') {
    return { maxAttempts, customizedBackoff: { next: policy.delaysMs.map(durationOf) } };
  }
  const scaled = language === 'NODE_JS' ? secondsAsMs : durationOf;
  return {
    maxAttempts,
    exponentialBackoff: {
      initial: scaled(policy.initialMs),
      max: scaled(policy.maxMs),
      multiplier: policy.multiplier,
    },
  };
}

/** Node's client reads the `seconds` of a policy's durations as milliseconds and ignores their `nanos`. */
function secondsAsMs(ms: number): ReturnType<typeof durationOf> {
  return { seconds: BigInt(Math.ceil(ms)), nanos: 0 };
}
