import type {
  ForwardMessageToDeadLetterQueueRequest,
  ForwardMessageToDeadLetterQueueResponse,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Call } from '@orbitmq/rpc';
import { OK_STATUS, stored } from './answers.ts';
import { clientIdOf } from './caller.ts';
import type { MessagingContext } from './context.ts';
import { consumptionOf, leaseOf } from './leases.ts';

/**
 * ForwardMessageToDeadLetterQueue: an ordered consumer that has tried in vain often enough hands a message over to the
 * dead letters of its group; the next one of the queue follows.
 *
 * All clients repeat this call for ever until it is answered with OK, and consume nothing else of the queue meanwhile.
 * So a genuine handle is answered with OK also when it can settle nothing any more: the message was settled before, or
 * whoever was given it later decides about it.
 */
export async function forwardToDeadLetterQueue(
  context: MessagingContext,
  request: ForwardMessageToDeadLetterQueueRequest,
  call: Call,
): Promise<ForwardMessageToDeadLetterQueueResponse> {
  context.sessions.seen(clientIdOf(call));
  const consumption = consumptionOf(context, request.group?.name ?? '', request.topic?.name ?? '');
  const lease = leaseOf(context, consumption, request.receiptHandle);
  if (lease) {
    await context.shard.deadLetter(lease);
    context.renewals.remove(lease);
  }
  await stored(context.shard);
  return { status: OK_STATUS };
}
