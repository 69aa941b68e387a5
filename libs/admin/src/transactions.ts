import { MqError } from '@orbitmq/base';
import { readKeys, readMessageId, readTag } from '@orbitmq/protocol';
import type {
  EndTransactionRequest,
  EndTransactionResponse,
  ListTransactionsRequest,
  ListTransactionsResponse,
  Transaction,
} from '@orbitmq/protocol/orbitmq.admin.v1';
import type { OpenTransaction, Shard } from '@orbitmq/shard';
import { type HalfRef, type Topic, TRANSACTION_END, type TransactionEnd } from '@orbitmq/views';
import { topicNamed } from './lookup.ts';

const LIMIT_MAX = 1000;

/**
 * One page of a topic's open transactions.
 * @throws MqError TOPIC_NOT_FOUND, BAD_REQUEST
 */
export async function listTransactions(
  shard: Shard,
  { topic: name, after, limit }: ListTransactionsRequest,
): Promise<ListTransactionsResponse> {
  const topic = topicNamed(shard, name);
  if (limit < 0 || limit > LIMIT_MAX) {
    throw new MqError('BAD_REQUEST', `limit is ${limit}; it must be 1…${LIMIT_MAX}, or 0 for ${LIMIT_MAX}`);
  }
  const countMax = limit || LIMIT_MAX;
  const open = shard.openTransactions(topic, Number(after), countMax + 1);
  const transactions: Transaction[] = [];
  for (const transaction of open.slice(0, countMax)) transactions.push(await wireTransactionOf(shard, transaction));
  return { transactions, more: open.length > countMax };
}

/** Ends a transaction of a topic, and counts that as if its producer had done it. */
export type EndTransaction = (topic: Topic, half: HalfRef, end: TransactionEnd) => Promise<void>;

/** @throws MqError TOPIC_NOT_FOUND; INVALID_TRANSACTION_ID when it ended otherwise before, or is not known */
export async function endTransaction(
  shard: Shard,
  { topic, id, slot, commit }: EndTransactionRequest,
  end: EndTransaction,
): Promise<EndTransactionResponse> {
  const { committed, rolledBack } = TRANSACTION_END;
  await end(topicNamed(shard, topic), { id: Number(id), slot }, commit ? committed : rolledBack);
  return {};
}

/** Without the properties of its message when it has just ended or can't be read. */
async function wireTransactionOf(shard: Shard, transaction: OpenTransaction): Promise<Transaction> {
  const { half, ageMs, checkCount, sizeBytes } = transaction;
  const system = await systemOf(shard, half);
  return {
    id: BigInt(half.id),
    slot: half.slot,
    messageId: readMessageId(system),
    keys: readKeys(system),
    tag: readTag(system) ?? '',
    ageMs: BigInt(ageMs),
    checkCount,
    sizeBytes: BigInt(sizeBytes),
  };
}

const NOTHING = new Uint8Array(0);

async function systemOf(shard: Shard, half: HalfRef): Promise<Uint8Array> {
  try {
    return (await shard.readHalf(half))?.message.system ?? NOTHING;
  } catch (error) {
    if (error instanceof MqError) return NOTHING;
    throw error;
  }
}
