import type {
  ChangeInvisibleDurationRequest,
  ChangeInvisibleDurationResponse,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Call } from '@orbitmq/rpc';
import { isLiteQueueId, type LeaseOutcome, type LeaseRef } from '@orbitmq/shard';
import { OK_STATUS, stored } from './answers.ts';
import { clientIdOf, languageOf } from './caller.ts';
import type { MessagingContext } from './context.ts';
import { invisibleMsOf } from './invisible-time.ts';
import { consumptionOf, isForgiven, leaseOf, staleHandle } from './leases.ts';

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
  const invisibleMs = invisibleMsOf(request.invisibleDuration, 0);
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
