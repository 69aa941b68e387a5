import { MqError, quoted } from '@orbitmq/base';
import { checkTopicName, type IncomingMessage, type ReadTransactionId } from '@orbitmq/protocol';
import {
  type EndTransactionRequest,
  type EndTransactionResponse,
  TransactionResolution,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Call } from '@orbitmq/rpc';
import type { SendRequest, TransactionOutcome } from '@orbitmq/shard';
import { type HalfRef, type Topic, TRANSACTION_END, type TransactionEnd } from '@orbitmq/views';
import { OK_STATUS, stored } from './answers.ts';
import { clientIdOf } from './caller.ts';
import type { MessagingContext } from './context.ts';
import { RoundRobin } from './queue-choice.ts';

const END_TEXTS: Readonly<Record<TransactionEnd, string>> = {
  [TRANSACTION_END.committed]: 'committed',
  [TRANSACTION_END.rolledBack]: 'rolled back',
  [TRANSACTION_END.discarded]: 'discarded, because nobody had ended it for too long',
};

/**
 * Stores a half message: nobody sees it before its transaction is committed.
 * @returns its transaction id
 * @throws MqError as `Shard.sendHalf` does; FORBIDDEN where this broker takes none, BAD_REQUEST for a wrong check
 * interval of its own
 */
export function sendHalf(context: MessagingContext, message: IncomingMessage, request: SendRequest): string {
  const { checkIntervals, config, shard, transactionIds } = context;
  if (config.transactions.reject) {
    throw new MqError(
      'FORBIDDEN',
      'this broker takes no half messages; its operator can allow them with rejectTransactionMessage=false',
    );
  }
  checkIntervals.check(request.message);
  // As the original: a producer can only lengthen the time in which it is left alone.
  const immunityMs = Math.max(config.transactions.timeOutMs, Math.floor(message.recoveryDurationMs ?? 0));
  const { half } = shard.sendHalf({ ...request, immunityMs });
  return transactionIds.encode({ topicUid: request.topic.uid, ...half, epoch: shard.epoch }, message.messageId);
}

/**
 * A transactional message is sent alone, and is nothing else beside.
 * @throws MqError MESSAGE_PROPERTY_CONFLICT_WITH_TYPE
 */
export function checkTransactional(messages: readonly IncomingMessage[]): void {
  if (messages.length > 1) {
    throw new MqError(
      'MESSAGE_PROPERTY_CONFLICT_WITH_TYPE',
      `a transactional message is sent alone; found ${messages.length} messages in one call; send each by itself`,
    );
  }
  for (const message of messages) {
    const other = otherKindOf(message);
    if (other === undefined) continue;
    throw new MqError(
      'MESSAGE_PROPERTY_CONFLICT_WITH_TYPE',
      `a transactional message has no ${other}; found one; leave it out, or send the message without a transaction`,
    );
  }
}

function otherKindOf(message: IncomingMessage): string | undefined {
  if (message.messageGroup !== undefined) return 'message group';
  if (message.deliveryTimestampMs !== undefined) return 'delivery time';
  if (message.priority !== undefined) return 'priority';
  return message.liteTopic === undefined ? undefined : 'lite topic';
}

/** EndTransaction, and what operators do in its place. The first end wins; one that says the same again is OK. */
export class TransactionEnding {
  private readonly context: MessagingContext;
  private readonly roundRobin: RoundRobin;

  constructor(context: MessagingContext) {
    this.context = context;
    this.roundRobin = new RoundRobin(context.random);
  }

  async endTransaction(request: EndTransactionRequest, call: Call): Promise<EndTransactionResponse> {
    const { provision, sessions, shard, transactionIds } = this.context;
    sessions.seen(clientIdOf(call));
    const topicName = request.topic?.name ?? '';
    checkTopicName(topicName);
    const transaction = transactionIds.decode(request.transactionId);
    const topic = provision.topic(topicName);
    checkBelongs(transaction, topic, request.messageId);
    if (!shard.isKept(transaction.epoch, transaction.id)) throw notOpen();
    const end = endOf(request.resolution);
    // A producer that does not know yet says so; it is asked again.
    if (end !== undefined) await this.end(topic, transaction, end);
    return { status: OK_STATUS };
  }

  /**
   * Ends a transaction; resolves when that is stored.
   * @throws MqError INVALID_TRANSACTION_ID when it ended otherwise before, or is not known
   */
  async end(topic: Topic, half: HalfRef, end: TransactionEnd): Promise<void> {
    const { events, shard } = this.context;
    const queueId = end === TRANSACTION_END.committed ? this.roundRobin.next(topic) : 0;
    const outcome = shard.endTransaction(topic, half, end, queueId);
    // Also what others did before is told only when it is stored.
    await stored(shard);
    if (outcome.kind === 'ended') events.transactionEnded(topic, end, outcome.ageMs);
    else checkSame(outcome, end);
  }
}

function checkBelongs(transaction: ReadTransactionId, topic: Topic, messageId: string): void {
  if (transaction.topicUid !== topic.uid) {
    throw new MqError(
      'INVALID_TRANSACTION_ID',
      `the transaction id belongs to a message of another topic; found topic ${quoted(topic.name)}; name the one that it was sent to`,
    );
  }
  if (transaction.isOf(messageId)) return;
  throw new MqError(
    'INVALID_TRANSACTION_ID',
    `the transaction id belongs to another message; found message id ${quoted(messageId)}; name the one that was sent with it`,
  );
}

function endOf(resolution: TransactionResolution): TransactionEnd | undefined {
  if (resolution === TransactionResolution.COMMIT) return TRANSACTION_END.committed;
  return resolution === TransactionResolution.ROLLBACK ? TRANSACTION_END.rolledBack : undefined;
}

function checkSame(outcome: Exclude<TransactionOutcome, { kind: 'ended' }>, end: TransactionEnd): void {
  if (outcome.kind === 'unknown') throw notOpen();
  const isSame = (outcome.end === TRANSACTION_END.committed) === (end === TRANSACTION_END.committed);
  if (isSame) return;
  throw new MqError(
    'INVALID_TRANSACTION_ID',
    `a transaction has one end; this one was already ${END_TEXTS[outcome.end]}, and that stays`,
  );
}

function notOpen(): MqError {
  return new MqError(
    'INVALID_TRANSACTION_ID',
    'the transaction is not open; found none with this id: it ended long ago, or was lost with the last moments before a crash; ' +
      'there is nothing left to do',
  );
}
