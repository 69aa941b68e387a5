import { MqError } from '@orbitmq/base';
import {
  type RedriveDeadLettersRequest,
  type RedriveDeadLettersResponse,
  RedriveOutcome as WireOutcome,
} from '@orbitmq/protocol/orbitmq.admin.v1';
import type { RedriveOutcome, Shard } from '@orbitmq/shard';
import { groupNamed } from './lookup.ts';

const LIMIT_MAX = 1000;

const OUTCOMES: Readonly<Record<RedriveOutcome, WireOutcome>> = {
  redriven: WireOutcome.REDRIVE_OUTCOME_REDRIVEN,
  expired: WireOutcome.REDRIVE_OUTCOME_EXPIRED,
  'topic gone': WireOutcome.REDRIVE_OUTCOME_TOPIC_GONE,
};

/**
 * RedriveDeadLetters: hands dead letters back to their group, or says what that would do.
 * @throws MqError CONSUMER_GROUP_NOT_FOUND; TOPIC_NOT_FOUND when the group has no dead letters; BAD_REQUEST
 */
export async function redriveDeadLetters(
  shard: Shard,
  request: RedriveDeadLettersRequest,
): Promise<RedriveDeadLettersResponse> {
  const { topic, key, messageId, fromMs, toMs } = request;
  const page = await shard.redrive({
    group: groupNamed(shard, request.group),
    selection: {
      fromMs: fromMs === undefined ? undefined : Number(fromMs),
      toMs: toMs === undefined ? undefined : Number(toMs),
      topicName: topic || undefined,
      key: key || undefined,
      messageId: messageId || undefined,
    },
    fromOffset: offsetOf(request.offset),
    countMax: limitOf(request.limit),
    isDryRun: request.dryRun,
  });
  const messages = page.results.map((result) => ({
    messageId: result.messageId,
    topic: result.topicName,
    offset: BigInt(result.queueOffset),
    deadSinceMs: BigInt(Math.floor(result.storeTimestampMs)),
    outcome: OUTCOMES[result.outcome],
  }));
  return { messages, nextOffset: BigInt(page.nextOffset), more: page.more };
}

function offsetOf(offset: bigint): number {
  if (offset >= 0n && offset <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(offset);
  throw new MqError('BAD_REQUEST', `offset is ${offset}; begin with 0 and go on with next_offset of the answer`);
}

function limitOf(limit: number): number {
  if (limit >= 0 && limit <= LIMIT_MAX) return limit === 0 ? LIMIT_MAX : limit;
  throw new MqError('BAD_REQUEST', `limit is ${limit}; it must be 1…${LIMIT_MAX}, or 0 for ${LIMIT_MAX}`);
}
