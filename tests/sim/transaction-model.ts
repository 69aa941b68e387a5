import { type HalfRef, TRANSACTION_END, type TransactionEnd } from '@orbitmq/views';
import { Violation } from './model.ts';

/** `unknown`: its process died before it was answered, or the answer may have been forgotten. */
type Answer = 'pending' | 'yes' | 'unknown';

/** An end that the shard has taken. */
interface TakenEnd {
  readonly end: TransactionEnd;
  answer: Answer;
  atMs: number;
}

export interface SimTransaction {
  readonly id: number;
  readonly half: HalfRef;
  readonly sentAtMs: number;
  /** `gone`: rightly lost. */
  stored: Answer | 'gone';
  /** More than one only when it is not known whether the former ones were stored. */
  ends: TakenEnd[];
  /** Where its queue has it. */
  place: string | undefined;
  /** A power loss may have undone its commit since it was seen. */
  mayMove: boolean;
}

/** What clients know of transactions, and what must therefore hold. */
export class TransactionModel {
  readonly #all = new Map<number, SimTransaction>();
  readonly #byHalf = new Map<number, SimTransaction>();
  #nextId = 0;

  get sentCount(): number {
    return this.#nextId;
  }

  nextId(): number {
    return this.#nextId++;
  }

  /** Those that a producer may try to end. */
  known(): SimTransaction[] {
    return [...this.#all.values()].filter(({ stored }) => stored === 'yes' || stored === 'unknown');
  }

  sent(id: number, half: HalfRef, sentAtMs: number): SimTransaction {
    const transaction: SimTransaction = {
      id,
      half,
      sentAtMs,
      stored: 'pending',
      ends: [],
      place: undefined,
      mayMove: false,
    };
    const former = this.#byHalf.get(half.id);
    if (former?.stored === 'yes') throw new Violation('an id names one transaction', { former, transaction });
    if (former !== undefined) former.stored = 'gone';
    this.#all.set(id, transaction);
    this.#byHalf.set(half.id, transaction);
    return transaction;
  }

  /** The shard has taken an end. */
  ended(transaction: SimTransaction, end: TransactionEnd, atMs: number): TakenEnd {
    const first = transaction.ends.find(({ answer }) => answer !== 'unknown');
    if (first !== undefined) throw new Violation('T1 the first end wins', { transaction, end });
    const taken: TakenEnd = { end, answer: 'pending', atMs };
    // It is open: what was not known of the former ends is known now.
    transaction.ends = [taken];
    return taken;
  }

  /** The shard says, and that is stored, that a transaction had ended. */
  endedBefore(transaction: SimTransaction, end: TransactionEnd, nowMs: number): void {
    this.#settle(transaction, end, nowMs, 'T1 what is said of an end is true');
  }

  /** The shard knows nothing of it. */
  lost(transaction: SimTransaction): void {
    if (transaction.stored === 'yes') throw new Violation('T1 an answered half message is not lost', { transaction });
    transaction.stored = 'gone';
  }

  /** The shard wants a producer to be asked. */
  due(half: HalfRef): void {
    const transaction = this.#byHalf.get(half.id);
    if (transaction === undefined) throw new Violation('what is checked was sent', { half });
    if (transaction.ends.some(({ answer }) => answer === 'yes')) {
      throw new Violation('T1 what has ended is not checked', { transaction });
    }
  }

  delivered(id: number, at: { queueId: number; queueOffset: number }, nowMs: number): void {
    const transaction = this.#all.get(id);
    if (transaction === undefined) throw new Violation('what is delivered was sent', { id, at });
    if (transaction.stored === 'pending') throw new Violation('D8 consumers see only what is stored', { transaction });
    if (!transaction.ends.some(({ end }) => end === TRANSACTION_END.committed)) {
      throw new Violation('T1 a half message is invisible', { transaction, at });
    }
    const place = `${at.queueId}/${at.queueOffset}`;
    if (transaction.place !== undefined && transaction.place !== place && !transaction.mayMove) {
      throw new Violation('T1 a commit makes one message', { transaction, place });
    }
    this.#settle(transaction, TRANSACTION_END.committed, nowMs, 'T1 what was rolled back or discarded never comes');
    transaction.place = place;
    transaction.mayMove = false;
    transaction.stored = 'yes';
  }

  /** The process has died; what was answered at `forgottenFromMs` or later may be undone. */
  died(forgottenFromMs: number): void {
    for (const transaction of this.#all.values()) {
      if (transaction.stored === 'pending') transaction.stored = 'unknown';
      if (transaction.stored === 'yes' && transaction.sentAtMs >= forgottenFromMs) transaction.stored = 'unknown';
      for (const taken of transaction.ends) {
        if (taken.answer === 'pending' || taken.atMs >= forgottenFromMs) taken.answer = 'unknown';
      }
      transaction.mayMove ||= Number.isFinite(forgottenFromMs);
    }
  }

  /** Messages that must still come. */
  waiting(): SimTransaction[] {
    return [...this.#all.values()].filter(
      ({ ends, place, stored }) =>
        stored !== 'gone' &&
        place === undefined &&
        ends.some(({ end, answer }) => end === TRANSACTION_END.committed && answer === 'yes'),
    );
  }

  #settle(transaction: SimTransaction, end: TransactionEnd, nowMs: number, promise: string): void {
    const taken = transaction.ends.find((candidate) => candidate.end === end);
    const other = transaction.ends.find((candidate) => candidate.end !== end && candidate.answer === 'yes');
    if (taken === undefined || other !== undefined) throw new Violation(promise, { transaction, end });
    if (taken.answer !== 'yes') {
      taken.answer = 'yes';
      taken.atMs = nowMs;
    }
    transaction.ends = [taken];
  }
}
