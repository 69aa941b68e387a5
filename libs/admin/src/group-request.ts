import { HOUR_MS, MqError, quoted } from '@orbitmq/base';
import { checkGroupName } from '@orbitmq/protocol';
import type {
  PutGroupRequest,
  Group as WireGroup,
  RetryPolicy as WirePolicy,
} from '@orbitmq/protocol/orbitmq.admin.v1';
import type { Group, GroupConfig, RetryPolicy } from '@orbitmq/views';
import { groupAttributesOf } from './group-attributes.ts';

const RETRY_TIMES_MAX = 1000;
const DELAYS_MAX = 64;
const DELAY_MAX_MS = 24 * HOUR_MS;

/** What a group has that a request leaves out. */
export type GroupDefaults = Pick<GroupConfig, 'retryMaxTimes' | 'retryPolicy'>;

/**
 * The group that a request asks for, made from what there is and what the request says.
 * @throws MqError ILLEGAL_CONSUMER_GROUP for the name, BAD_REQUEST for any other value
 */
export function groupConfigOf(
  request: PutGroupRequest,
  existing: Group | undefined,
  defaults: GroupDefaults,
): GroupConfig {
  if (!existing) checkGroupName(request.name);
  const policy = request.retryPolicy;
  return {
    name: request.name,
    consumeEnable: request.consumeEnable ?? existing?.consumeEnable ?? true,
    consumeMessageOrderly: request.consumeMessageOrderly ?? existing?.consumeMessageOrderly ?? false,
    retryMaxTimes: retryTimesOf(request.retryMaxTimes ?? existing?.retryMaxTimes ?? defaults.retryMaxTimes),
    retryPolicy: policy ? policyOf(policy) : (existing?.retryPolicy ?? defaults.retryPolicy),
    attributes: groupAttributesOf(request, existing?.attributes),
    autoCreated: false,
  };
}

/** A group as operators see it. */
export function wireGroupOf(group: Group): WireGroup {
  return {
    name: group.name,
    consumeEnable: group.consumeEnable,
    consumeMessageOrderly: group.consumeMessageOrderly,
    retryMaxTimes: group.retryMaxTimes,
    retryPolicy: wirePolicyOf(group.retryPolicy),
    attributes: new Map(group.attributes),
    autoCreated: group.autoCreated,
    createdMs: BigInt(group.createdMs),
  };
}

function wirePolicyOf(policy: RetryPolicy): WirePolicy {
  if (policy.kind === 'customized') {
    return { customized: { delaysMs: policy.delaysMs.map(BigInt) }, exponential: undefined };
  }
  const { initialMs, maxMs, multiplier } = policy;
  return { customized: undefined, exponential: { initialMs: BigInt(initialMs), maxMs: BigInt(maxMs), multiplier } };
}

function policyOf(policy: WirePolicy): RetryPolicy {
  if (policy.customized) {
    const delaysMs = policy.customized.delaysMs.map((delay) => durationOf('customized.delays_ms', delay));
    if (delaysMs.length >= 1 && delaysMs.length <= DELAYS_MAX) return { kind: 'customized', delaysMs };
    throw wrong('retry_policy.customized', `${delaysMs.length} delays`, `must have 1…${DELAYS_MAX}`);
  }
  if (!policy.exponential) throw wrong('retry_policy', 'empty', 'must be customized or exponential');
  const { multiplier } = policy.exponential;
  const initialMs = durationOf('exponential.initial_ms', policy.exponential.initialMs);
  const maxMs = durationOf('exponential.max_ms', policy.exponential.maxMs);
  if (initialMs < 1 || maxMs < initialMs) {
    throw wrong(
      'retry_policy.exponential',
      `${initialMs}…${maxMs} ms`,
      'must begin at 1 ms or more and not end before',
    );
  }
  if (!(multiplier >= 1 && multiplier <= 1000)) {
    throw wrong('retry_policy.exponential.multiplier', String(multiplier), 'must be 1…1000');
  }
  return { kind: 'exponential', initialMs, maxMs, multiplier };
}

function durationOf(field: string, durationMs: bigint): number {
  if (durationMs >= 0n && durationMs <= BigInt(DELAY_MAX_MS)) return Number(durationMs);
  throw wrong(`retry_policy.${field}`, String(durationMs), `must be 0…${DELAY_MAX_MS} ms`);
}

function retryTimesOf(times: number): number {
  if (times >= 0 && times <= RETRY_TIMES_MAX) return times;
  throw wrong('retry_max_times', String(times), `must be 0…${RETRY_TIMES_MAX}`);
}

function wrong(field: string, value: string, rule: string): MqError {
  return new MqError('BAD_REQUEST', `${field} is ${quoted(value)}; ${rule}`);
}
