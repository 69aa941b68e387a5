import { MqError } from '@orbitmq/base';
import { type HalfMessage, type HalfRef, type Topic, TRANSACTION_END, type TransactionEnd } from '@orbitmq/views';
import type { ShardCore } from './core.ts';
import { encodeHalfCheck, encodeHalfEnd } from './half.ts';
import type { MessageAppender } from './message-appender.ts';
import { isUnreadable, type StoredMessage } from './message-reader.ts';
import { PENDING } from './pointer.ts';
import { MESSAGE_HEADER_BYTES, RECORD, writeMessageHeader } from './records.ts';
import type { HalfRequest, OpenTransaction, SentHalf, StoredHalf, TransactionOutcome } from './shard.ts';
import type { TransactionStatistics } from './statistics.ts';

/** Attribute of a topic: pause between two checks of its transactions, in place of the broker's. Milliseconds. */
export const CHECK_INTERVAL_ATTRIBUTE = 'transaction.check.interval';

/** Transactions in one check record. */
const CHECKED_MAX = 1000;

/**
 * Transactions. A half message is stored once, invisible. Its commit is a pointer record that puts it into a queue and
 * ends the transaction in the same step, so that one does not happen without the other.
 */
export class Transactions {
  readonly #core: ShardCore;
  readonly #appender: MessageAppender;
  readonly #header = Buffer.alloc(MESSAGE_HEADER_BYTES);

  constructor(core: ShardCore, appender: MessageAppender) {
    this.#core = core;
    this.#appender = appender;
  }

  /** @throws MqError TOO_MANY_REQUESTS when too many transactions are open, or the log is behind */
  send(topic: Topic, request: HalfRequest): SentHalf {
    const { state, settings } = this.#core;
    const { message, immunityMs, tagHash } = request;
    if (state.transactions.openCount >= settings.transactionsMax) {
      throw new MqError(
        'TOO_MANY_REQUESTS',
        `at most ${settings.transactionsMax} transactions are open on a broker; found ${state.transactions.openCount}; ` +
          'commit or roll back those that are open, or let its operator raise transactionOpenMax',
      );
    }
    writeMessageHeader(this.#header, topic.uid, immunityMs, tagHash, message.system.length);
    const record = this.#core.append(RECORD.half, [this.#header, message.system, message.rest]);
    const half = { id: record.physicalOffset, slot: state.transactions.lastSlot };
    return { half, storeTimestampMs: record.storeTimestampMs };
  }

  /** @throws MqError TOO_MANY_REQUESTS when the log is behind */
  end(topic: Topic, ref: HalfRef, end: TransactionEnd, queueId: number): TransactionOutcome {
    const { transactions } = this.#core.state;
    const half = transactions.find(ref);
    if (half === undefined || half.topicUid !== topic.uid) {
      const before = transactions.endOf(ref.id);
      return before === undefined ? { kind: 'unknown' } : { kind: 'ended before', end: before };
    }
    if (end === TRANSACTION_END.committed) {
      this.#appender.point({
        topic,
        queueId,
        tagHash: half.tagHash,
        body: { physicalOffset: half.bodyOffset, length: half.bodyLength },
        ends: { kind: PENDING.half, id: half.id, slot: half.slot },
      });
    } else {
      this.#core.append(RECORD.halfEnd, [encodeHalfEnd(half, end)]);
    }
    return { kind: 'ended', ageMs: this.#ageMs(half) };
  }

  count(topic: Topic): number {
    for (const { topicUid, openCount } of this.#core.state.transactions.topics()) {
      if (topicUid === topic.uid) return openCount;
    }
    return 0;
  }

  list(topic: Topic, afterId: number, countMax: number): OpenTransaction[] {
    return this.#core.state.transactions.list(topic.uid, afterId, countMax).map((half) => this.#open(half));
  }

  due(topic: Topic, countMax: number): OpenTransaction[] {
    const { log, state } = this.#core;
    return state.transactions.due(topic.uid, log.shardTimeMs(), countMax).map((half) => this.#open(half));
  }

  /** @throws MqError INTERNAL_SERVER_ERROR when the body can't be read */
  async read(ref: HalfRef): Promise<StoredHalf | undefined> {
    const half = this.#core.state.transactions.find(ref);
    if (half === undefined) return undefined;
    let stored: StoredMessage;
    try {
      stored = await this.#core.reader.body({ physicalOffset: half.bodyOffset, length: half.bodyLength });
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      // It may have ended or been carried forward meanwhile, and its segment may be gone.
      if (this.#core.state.transactions.find(ref)?.bodyOffset !== half.bodyOffset) return await this.read(ref);
      throw new MqError('INTERNAL_SERVER_ERROR', 'the broker can not read a half message', { cause: error });
    }
    return this.#core.state.transactions.find(ref) === undefined ? undefined : stored;
  }

  /** @throws MqError TOO_MANY_REQUESTS when the log is behind */
  checked(halves: readonly HalfRef[], pauseMs: number): void {
    for (let from = 0; from < halves.length; from += CHECKED_MAX) {
      this.#core.append(RECORD.halfCheck, [
        encodeHalfCheck({ pauseMs, halves: halves.slice(from, from + CHECKED_MAX) }),
      ]);
    }
  }

  /** Topics with open transactions. */
  topics(): Topic[] {
    const { metadata, transactions } = this.#core.state;
    return Array.from(transactions.topics(), ({ topicUid }) => metadata.topicByUid(topicUid)!);
  }

  statistics(): TransactionStatistics[] {
    const { metadata, transactions } = this.#core.state;
    return Array.from(transactions.topics(), ({ topicUid, openCount }) => ({
      topic: metadata.topicByUid(topicUid)!.name,
      openCount,
    }));
  }

  #open(half: HalfMessage): OpenTransaction {
    const { id, slot, checkCount, bodyLength } = half;
    return { half: { id, slot }, checkCount, sizeBytes: bodyLength, ageMs: this.#ageMs(half) };
  }

  /** Never negative: shard time does not go back. */
  #ageMs(half: HalfMessage): number {
    return this.#core.log.shardTimeMs() - half.openedMs;
  }
}
