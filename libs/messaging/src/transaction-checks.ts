import { MIB, MqError, type Timer } from '@orbitmq/base';
import { readMessageId } from '@orbitmq/protocol';
import { Message, SystemProperties, type TelemetryCommand } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { OpenTransaction, StoredHalf } from '@orbitmq/shard';
import { type HalfRef, type Topic, TRANSACTION_END } from '@orbitmq/views';
import type { MessagingContext } from './context.ts';
import type { Session } from './session.ts';
import { timestampOf } from './times.ts';

/** How often open transactions are looked at. Milliseconds. */
const ROUND_INTERVAL_MS = 1_000;
/** Transactions of one topic in one round. */
const ROUND_COUNT = 1_000;
/** Messages of one topic that one round reads and sends. Bytes. */
const ROUND_BYTES = 16 * MIB;

/**
 * Asks producers about transactions that they have left open. A check counts only when a producer was really asked, so
 * that none is lost because its producers are away for a while; one that stays open for weeks goes all the same.
 */
export class TransactionChecks {
  private readonly context: MessagingContext;
  private timer: Timer | undefined;
  private isStopped = false;
  /** Producers take turns. */
  private turn = 0;

  constructor(context: MessagingContext) {
    this.context = context;
  }

  start(): void {
    this.timer ??= this.context.clock.setTimer(ROUND_INTERVAL_MS, () => {
      void this.round().then(() => {
        this.timer = undefined;
        if (!this.isStopped) this.start();
      });
    });
  }

  stop(): void {
    this.isStopped = true;
    this.timer?.cancel();
  }

  private async round(): Promise<void> {
    const { logger, shard } = this.context;
    let producers: Map<string, Session[]> | undefined;
    for (const topic of shard.transactionTopics()) {
      const due = shard.dueTransactions(topic, ROUND_COUNT);
      if (due.length === 0) continue;
      producers ??= this.producers();
      try {
        await this.checkTopic(topic, due, producers.get(topic.name) ?? []);
      } catch (error) {
        if (!(error instanceof MqError)) throw error;
        logger.debug({ code: error.code, topic: topic.name }, 'transactions could not be checked; they are soon');
      }
      if (this.isStopped) return;
    }
  }

  /** Live producers by the topics that they publish. */
  private producers(): Map<string, Session[]> {
    const byTopic = new Map<string, Session[]>();
    for (const session of this.context.sessions.all()) {
      if (session.streams.size === 0) continue;
      for (const { name } of session.settings?.publishing?.topics ?? []) {
        const known = byTopic.get(name);
        if (known === undefined) byTopic.set(name, [session]);
        else if (known.at(-1) !== session) known.push(session);
      }
    }
    return byTopic;
  }

  private async checkTopic(
    topic: Topic,
    due: readonly OpenTransaction[],
    producers: readonly Session[],
  ): Promise<void> {
    const { shard } = this.context;
    const askedByPause = new Map<number, HalfRef[]>();
    let bytes = 0;
    for (const transaction of due) {
      const reason = this.reasonToDiscard(transaction);
      if (reason !== undefined) {
        this.discard(topic, transaction, reason);
        continue;
      }
      if (producers.length === 0 || bytes >= ROUND_BYTES || this.isStopped) continue;
      bytes += transaction.sizeBytes;
      const pauseMs = await this.ask(topic, transaction, producers);
      if (pauseMs === undefined) continue;
      const asked = askedByPause.get(pauseMs);
      if (asked === undefined) askedByPause.set(pauseMs, [transaction.half]);
      else asked.push(transaction.half);
    }
    if (this.isStopped) return;
    for (const [pauseMs, asked] of askedByPause) shard.transactionsChecked(asked, pauseMs);
  }

  private reasonToDiscard({ ageMs, checkCount }: OpenTransaction): string | undefined {
    const { ageMaxMs, checkMax } = this.context.config.transactions;
    if (checkCount >= checkMax) return 'no producer knew its end when asked for the last time';
    return ageMs > ageMaxMs ? 'it was open for too long' : undefined;
  }

  private discard(topic: Topic, { half, ageMs, checkCount }: OpenTransaction, reason: string): void {
    const { events, logger, shard } = this.context;
    const outcome = shard.endTransaction(topic, half, TRANSACTION_END.discarded, 0);
    if (outcome.kind !== 'ended') return;
    logger.warn({ topic: topic.name, half: half.id, ageMs, checkCount, reason }, 'a half message is discarded');
    events.transactionEnded(topic, TRANSACTION_END.discarded, ageMs);
  }

  /** @returns how long it is left alone now, milliseconds; undefined when it does not count as checked */
  private async ask(
    topic: Topic,
    transaction: OpenTransaction,
    producers: readonly Session[],
  ): Promise<number | undefined> {
    const { checkIntervals, events, logger, shard } = this.context;
    const { half } = transaction;
    let stored: StoredHalf | undefined;
    try {
      stored = await shard.readHalf(half);
    } catch (error) {
      if (!(error instanceof MqError)) throw error;
      // Counted, so that it goes in the end, and the others have their turn.
      logger.error({ err: error, topic: topic.name, half: half.id }, 'a half message can not be read');
      return checkIntervals.of(topic, undefined);
    }
    if (stored === undefined) return undefined;
    const command = this.commandOf(topic, half, stored);
    for (let tried = 0; tried < producers.length; tried++) {
      const producer = producers[this.turn++ % producers.length]!;
      for (const stream of producer.streams) {
        if (!stream.offer(command)) continue;
        events.transactionChecked(topic);
        return checkIntervals.of(topic, stored.message);
      }
    }
    return undefined;
  }

  private commandOf(topic: Topic, half: HalfRef, { message: bytes, storeTimestampMs }: StoredHalf): TelemetryCommand {
    const { system, rest } = bytes;
    const { shard, transactionIds } = this.context;
    const transactionId = transactionIds.encode(
      { topicUid: topic.uid, ...half, epoch: shard.epoch },
      readMessageId(system),
    );
    const message: Message = {
      ...Message.decode(rest),
      systemProperties: { ...SystemProperties.decode(system), storeTimestamp: timestampOf(storeTimestampMs) },
    };
    return { recoverOrphanedTransactionCommand: { message, transactionId } };
  }
}
