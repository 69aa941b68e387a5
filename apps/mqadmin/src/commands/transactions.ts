import { MqError, quoted } from '@orbitmq/base';
import type { Transaction } from '@orbitmq/protocol/orbitmq.admin.v1';
import { type AdminContext, onEach } from '../admin-context.ts';
import { requiredText, wholeNumberOf } from '../options.ts';
import { renderTable } from '../table.ts';
import { type Options, UsageError } from '../usage.ts';
import type { Output } from '../verb.ts';

const SHOWN_DEFAULT = 1000;
const SHOWN_MAX = 1_000_000;

interface Row {
  readonly brokerName: string;
  readonly transaction: Transaction;
}

/** Open transactions of a topic, the oldest first. */
export async function listTransactions(context: AdminContext, options: Options): Promise<Output> {
  const topic = requiredText(options, 'topic');
  const countMax = wholeNumberOf(options, 'count', 1, SHOWN_MAX) ?? SHOWN_DEFAULT;
  const found = await onEach(await context.holdersOf(topic), async ({ admin, brokerName }) => {
    const transactions = await admin.transactions(topic, countMax);
    return transactions.map((transaction) => ({ brokerName, transaction }));
  });
  return output(found.flat().toSorted(byAge).slice(0, countMax));
}

/** Commits or rolls back the open transactions of a message. */
export async function endTransaction(context: AdminContext, options: Options): Promise<Output> {
  const [topic, messageId] = [requiredText(options, 'topic'), requiredText(options, 'messageId')];
  const end = requiredText(options, 'end');
  if (end !== 'commit' && end !== 'rollback') {
    throw new UsageError(`--end is commit or rollback; found ${quoted(end)}`);
  }
  const ended = await onEach(await context.holdersOf(topic), async ({ admin, brokerName }) => {
    const open = await admin.transactions(topic, Number.POSITIVE_INFINITY);
    const meant = open.filter((transaction) => transaction.messageId === messageId);
    for (const transaction of meant) await admin.endTransaction(topic, transaction, end === 'commit');
    return meant.map((transaction) => ({ brokerName, transaction }));
  });
  if (ended.flat().length > 0) return output(ended.flat());
  throw new MqError(
    'NOT_FOUND',
    `no open transaction of topic ${quoted(topic)} has the message ${quoted(messageId)}; listTransactions shows those that are open`,
  );
}

function output(rows: readonly Row[]): Output {
  const cells = rows.map(({ brokerName, transaction }) => [
    brokerName,
    transaction.messageId,
    transaction.keys.join(' '),
    transaction.tag,
    Number(transaction.ageMs / 1000n),
    transaction.checkCount,
    transaction.sizeBytes,
  ]);
  const columns = ['Broker Name', 'Message ID', 'Keys', 'Tag', 'Age s', 'Checks', 'Bytes'];
  return { text: renderTable(columns, cells), json: rows };
}

function byAge(left: Row, right: Row): number {
  return Number(right.transaction.ageMs - left.transaction.ageMs);
}
