import { MqError, quoted } from '@orbitmq/base';
import {
  type GetOffsetRequest,
  type GetOffsetResponse,
  QueryOffsetPolicy,
  type QueryOffsetRequest,
  type QueryOffsetResponse,
  type UpdateOffsetRequest,
  type UpdateOffsetResponse,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Call } from '@orbitmq/rpc';
import { OK_STATUS, stored } from './answers.ts';
import { callerOf } from './caller.ts';
import type { MessagingContext } from './context.ts';
import { type NamedQueue, namedQueue } from './named-queue.ts';
import { durationMs } from './times.ts';

/** QueryOffset: the first offset of a queue, its end, or the first one stored at or after a time. Settled messages only. */
export async function queryOffset(
  context: MessagingContext,
  request: QueryOffsetRequest,
  call: Call,
): Promise<QueryOffsetResponse> {
  context.sessions.seen(callerOf(call).clientId);
  const queue = namedQueue(context, request.messageQueue);
  const offset = await offsetOf(context, queue, request);
  await stored(context.shard);
  return { status: OK_STATUS, offset: BigInt(offset) };
}

/** GetOffset: where a group has settled everything before. */
export async function getOffset(
  context: MessagingContext,
  request: GetOffsetRequest,
  call: Call,
): Promise<GetOffsetResponse> {
  context.sessions.seen(callerOf(call).clientId);
  const { topic, queueId } = namedQueue(context, request.messageQueue);
  const group = await context.provision.group(request.group?.name ?? '');
  const progress = context.shard.progress(group, topic).find((each) => each.queueId === queueId);
  if (!progress?.begun) {
    throw new MqError(
      'OFFSET_NOT_FOUND',
      `group ${quoted(group.name)} has a stored offset on queue ${queueId} of topic ${quoted(topic.name)}; found none; ask for one with QueryOffset and store it with UpdateOffset`,
    );
  }
  const offset = BigInt(progress.floorOffset);
  await stored(context.shard);
  return { status: OK_STATUS, offset };
}

/** UpdateOffset: stores where a group goes on; what it has in flight there is given up. */
export async function updateOffset(
  context: MessagingContext,
  request: UpdateOffsetRequest,
  call: Call,
): Promise<UpdateOffsetResponse> {
  context.sessions.seen(callerOf(call).clientId);
  const { topic, queueId } = namedQueue(context, request.messageQueue);
  const group = await context.provision.group(request.group?.name ?? '');
  try {
    await context.shard.commitOffset(group, topic, queueId, Number(request.offset));
  } catch (error) {
    if (error instanceof MqError) throw error;
    // The log has failed; `stored` says what that means to a client.
    await stored(context.shard);
    throw error;
  }
  return { status: OK_STATUS };
}

function offsetOf(
  { shard }: MessagingContext,
  { topic, queueId }: NamedQueue,
  { queryOffsetPolicy, timestamp }: QueryOffsetRequest,
): number | Promise<number> {
  const { minOffset, maxOffset } = shard.queueRange(topic, queueId);
  switch (queryOffsetPolicy) {
    case QueryOffsetPolicy.BEGINNING:
      return minOffset;
    case QueryOffsetPolicy.END:
      return maxOffset;
    case QueryOffsetPolicy.TIMESTAMP:
      if (timestamp !== undefined) return shard.offsetAt(topic, queueId, durationMs(timestamp));
      throw new MqError('BAD_REQUEST', 'the policy TIMESTAMP has a timestamp; found none; set one');
    default:
      throw new MqError(
        'BAD_REQUEST',
        `policies are BEGINNING (0), END (1) and TIMESTAMP (2); found ${queryOffsetPolicy}; use one of them`,
      );
  }
}
