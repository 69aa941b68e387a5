import { MqError } from '@orbitmq/base';
import { INVISIBLE_MS_MAX } from '@orbitmq/protocol';
import type {
  ChangeInvisibleDurationRequest,
  ChangeInvisibleDurationResponse,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Duration } from '@orbitmq/protocol/google.protobuf';
import type { Call } from '@orbitmq/rpc';
import { isLiteQueueId, type LeaseOutcome, type LeaseRef } from '@orbitmq/shard';
import { OK_STATUS, stored } from './answers.ts';
import { clientIdOf, languageOf } from './caller.ts';
import type { MessagingContext } from './context.ts';
import { consumptionOf, isForgiven, leaseOf, staleHandle } from './leases.ts';
import { durationMs } from './times.ts';

/**
 * ChangeInvisibleDuration: the message is visible again after the given time from now, and has a new handle. Push
 * consumers hand back what they could not consume by it, so a message is not kept invisible for its client any more. One
 * of a lite topic may be handed back with `suspend`: then all of its lite topic rests as long.
 */
export async function changeInvisibleDuration(
  context: MessagingContext,
  request: ChangeInvisibleDurationRequest,
  call: Call,
): Promise<ChangeInvisibleDurationResponse> {
  context.sessions.seen(clientIdOf(call));
  const consumption = consumptionOf(context, request.group?.name ?? '', request.topic?.name ?? '');
  const invisibleMs = invisibleMsOf(request.invisibleDuration);
  const lease = leaseOf(context, consumption, request.receiptHandle);
  const changed = lease ? change(context, lease, invisibleMs, request.suspend === true) : undefined;
  await stored(context.shard);
  if (lease && changed?.outcome === 'done') {
    return { status: OK_STATUS, receiptHandle: handleOf(context, lease, changed.leaseId) };
  }
  if (isForgiven(languageOf(call))) return { status: OK_STATUS, receiptHandle: request.receiptHandle };
  throw staleHandle(changed?.outcome ?? 'gone', request.receiptHandle);
}

function change(
  context: MessagingContext,
  lease: LeaseRef,
  invisibleMs: number,
  suspends: boolean,
): { readonly outcome: LeaseOutcome; readonly leaseId: number } {
  const changed = context.shard.changeInvisible(lease, invisibleMs, suspends && isLiteQueueId(lease.queueId));
  context.renewals.remove(lease);
  return changed;
}

function handleOf(context: MessagingContext, lease: LeaseRef, leaseId: number): string {
  const { group, topic, queueId, queueOffset } = lease;
  const { epoch } = context.shard;
  return context.handles.encode({ groupUid: group.uid, topicUid: topic.uid, queueId, queueOffset, leaseId, epoch });
}

function invisibleMsOf(duration: Duration | undefined): number {
  const invisibleMs = duration === undefined ? 0 : durationMs(duration);
  if (invisibleMs >= 0 && invisibleMs <= INVISIBLE_MS_MAX) return Math.floor(invisibleMs);
  throw new MqError(
    'ILLEGAL_INVISIBLE_TIME',
    `invisible_duration is 0 to ${INVISIBLE_MS_MAX} ms; found ${invisibleMs} ms; choose one in this range`,
  );
}
