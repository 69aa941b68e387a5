import { MqError } from '@orbitmq/base';
import {
  type AckMessageEntry,
  type AckMessageRequest,
  type AckMessageResponse,
  type AckMessageResultEntry,
  Code,
  type Status,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Call } from '@orbitmq/rpc';
import { OK_STATUS, statusOf, stored } from './answers.ts';
import { type ClientLanguage, clientIdOf, languageOf } from './caller.ts';
import type { MessagingContext } from './context.ts';
import { type Consumption, consumptionOf, isForgiven, leaseOf, staleHandle } from './leases.ts';

/**
 * AckMessage: each entry is settled by itself and has its own result. A handle whose lease has ended is as good as long
 * as the message has not been handed out again; one that was acknowledged before is OK.
 */
export async function ackMessage(
  context: MessagingContext,
  request: AckMessageRequest,
  call: Call,
): Promise<AckMessageResponse> {
  context.sessions.seen(clientIdOf(call));
  const language = languageOf(call);
  const consumption = consumptionOf(context, request.group, request.topic);
  checkCount(request.entries.length, context.config.limits.ackEntriesMax);
  const statuses = request.entries.map((entry) => settle(context, consumption, entry, language));
  await stored(context.shard);
  const settledCount = statuses.filter((status) => status === OK_STATUS).length;
  const { group, topic } = consumption;
  if (group && topic) context.events.messagesAcknowledged(topic, group, settledCount);
  return {
    status: overall(statuses),
    entries: request.entries.map((entry, index) => resultOf(entry, statuses[index])),
  };
}

function checkCount(count: number, countMax: number): void {
  if (count >= 1 && count <= countMax) return;
  throw new MqError('BAD_REQUEST', `an ack has 1 to ${countMax} entries; found ${count}; send them in several calls`);
}

function settle(
  context: MessagingContext,
  consumption: Consumption,
  entry: AckMessageEntry,
  language: ClientLanguage,
): Status {
  try {
    const lease = leaseOf(context, consumption, entry.receiptHandle);
    const outcome = lease ? context.shard.acknowledge(lease) : 'gone';
    if (lease) context.renewals.remove(lease);
    if (outcome === 'done' || outcome === 'settled' || isForgiven(language)) return OK_STATUS;
    return statusOf(staleHandle(outcome, entry.receiptHandle));
  } catch (error) {
    if (!(error instanceof MqError)) throw error;
    return statusOf(error);
  }
}

function resultOf(entry: AckMessageEntry, status: Status | undefined): AckMessageResultEntry {
  return { messageId: entry.messageId, receiptHandle: entry.receiptHandle, status };
}

/** The code that all entries have, or MULTIPLE_RESULTS. */
function overall(statuses: readonly Status[]): Status {
  const first = statuses[0] ?? OK_STATUS;
  if (statuses.every(({ code }) => code === first.code)) return first;
  const done = statuses.filter((status) => status === OK_STATUS).length;
  const message = `${done} of ${statuses.length} messages were acknowledged; read the entries`;
  return { code: Code.MULTIPLE_RESULTS, message };
}
