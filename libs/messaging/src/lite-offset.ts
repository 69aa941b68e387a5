import { MqError } from '@orbitmq/base';
import { type OffsetOption, OffsetOption_Policy as Policy } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { LiteOffsetTarget } from '@orbitmq/shard';

/**
 * Where a new subscription begins; undefined: where the group stands.
 * @throws MqError ILLEGAL_OFFSET
 */
export function liteOffsetTargetOf(option: OffsetOption | undefined): LiteOffsetTarget | undefined {
  if (option === undefined) return undefined;
  const { policy, offset, tailN, timestamp } = option;
  if (offset !== undefined) return { kind: 'offset', offset: checked('offset', offset) };
  if (tailN !== undefined) return { kind: 'tail', count: checked('tail_n', tailN) };
  if (timestamp !== undefined) return { kind: 'time', timestampMs: checked('timestamp', timestamp) };
  switch (policy) {
    case Policy.MIN:
      return { kind: 'earliest' };
    case Policy.MAX:
      return { kind: 'latest' };
    case Policy.LAST:
    case undefined:
      return undefined;
    default:
      throw new MqError('ILLEGAL_OFFSET', `a policy of offsets is LAST, MIN or MAX; found ${policy}; use one of them`);
  }
}

function checked(field: string, value: bigint): number {
  if (value >= 0n && value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
  throw new MqError('ILLEGAL_OFFSET', `${field} is 0 or more, and below 2^53; found ${value}; correct it`);
}
