import { delay, quoted, SECOND_MS, systemClock } from '@orbitmq/base';
import {
  type RedriveDeadLettersRequest,
  type RedrivenMessage,
  RedriveOutcome,
} from '@orbitmq/protocol/orbitmq.admin.v1';
import { RpcError } from '@orbitmq/rpc';
import { type AdminContext, onEach, type Target } from '../admin-context.ts';
import { requiredText, textOf, wholeNumberOf } from '../options.ts';
import { renderTable } from '../table.ts';
import { timeOf, timeText } from '../times.ts';
import { type Options, RefusedError } from '../usage.ts';
import type { Output } from '../verb.ts';

const RATE_MAX = 1_000_000;
/** Messages that one call hands back. */
const PAGE_MAX = 500;
/** With a rate, messages are handed back in portions of this time. Milliseconds. */
const PORTION_MS = 100;

const OUTCOMES: ReadonlyMap<RedriveOutcome, string> = new Map([
  [RedriveOutcome.REDRIVE_OUTCOME_EXPIRED, 'not redriven: no longer in its topic'],
  [RedriveOutcome.REDRIVE_OUTCOME_TOPIC_GONE, 'not redriven: its topic is gone'],
]);

interface Row {
  readonly brokerName: string;
  readonly message: RedrivenMessage;
}

/** Hands dead letters of a group back to it, and reports each. */
export async function redriveDLQ(context: AdminContext, options: Options): Promise<Output> {
  const group = requiredText(options, 'groupName');
  const dryRun = options.dryRun === true;
  const rate = wholeNumberOf(options, 'rate', 1, RATE_MAX);
  const request = requestOf(group, options, dryRun);
  const rows: Row[] = [];
  let found = false;
  // One broker after the other, so that the rate holds for all together.
  for (const target of await context.targets(options)) {
    const [answer] = await onEach([target], () => redrive(target, request, dryRun ? undefined : rate));
    found ||= answer !== undefined;
    rows.push(...(answer ?? []).map((message) => ({ brokerName: target.brokerName, message })));
  }
  if (!found) throw new RefusedError(`no broker has dead letters of the consumer group ${quoted(group)}`);
  return output(rows, dryRun);
}

function requestOf(group: string, options: Options, dryRun: boolean): RedriveDeadLettersRequest {
  const timeIn = (name: string): bigint | undefined => {
    const text = textOf(options, name);
    return text === undefined ? undefined : BigInt(Math.floor(timeOf(`--${name}`, text)));
  };
  return {
    group,
    fromMs: timeIn('from'),
    toMs: timeIn('to'),
    topic: textOf(options, 'topic') ?? '',
    key: textOf(options, 'key') ?? '',
    messageId: textOf(options, 'id') ?? '',
    offset: 0n,
    limit: PAGE_MAX,
    dryRun,
  };
}

/** @returns undefined when this broker has no such group, or no dead letters of it */
async function redrive(
  { admin }: Target,
  request: RedriveDeadLettersRequest,
  rate: number | undefined,
): Promise<RedrivenMessage[] | undefined> {
  const limit =
    rate === undefined ? PAGE_MAX : Math.min(PAGE_MAX, Math.max(1, Math.floor((rate * PORTION_MS) / SECOND_MS)));
  const messages: RedrivenMessage[] = [];
  let offset = 0n;
  let dueMs = systemClock.monotonicMs();
  for (;;) {
    try {
      const page = await admin.redriveDeadLetters({ ...request, offset, limit });
      messages.push(...page.messages);
      offset = page.nextOffset;
      if (!page.more) return messages;
      dueMs += rate === undefined ? 0 : (page.messages.length / rate) * SECOND_MS;
    } catch (error) {
      if (error instanceof RpcError && error.status === 'NOT_FOUND') return undefined;
      throw error;
    }
    const waitMs = dueMs - systemClock.monotonicMs();
    if (waitMs > 0) await delay(systemClock, waitMs);
  }
}

function output(rows: readonly Row[], dryRun: boolean): Output {
  const redriven = rows.filter(({ message }) => message.outcome === RedriveOutcome.REDRIVE_OUTCOME_REDRIVEN).length;
  const done = dryRun ? 'would be redriven' : 'redriven';
  const cells = rows.map(({ brokerName, message }) => [
    brokerName,
    message.offset,
    message.messageId,
    message.topic,
    timeText(message.deadSinceMs),
    OUTCOMES.get(message.outcome) ?? done,
  ]);
  const columns = ['Broker Name', 'Offset', 'Message ID', 'Origin Topic', 'Dead Since', 'Outcome'];
  const text = `${renderTable(columns, cells)}\n\n${redriven} of ${rows.length} dead letters ${done}`;
  return {
    text,
    json: {
      dryRun,
      redrivenCount: redriven,
      messages: rows.map(({ brokerName, message }) => ({ brokerName, ...message })),
    },
  };
}
