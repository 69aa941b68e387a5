import type { EpochStart, ReplicatedLog } from '@orbitmq/storage';
import { Violation } from '../whole/timeline.ts';

/** An answer that needs everything before `end` of the log. */
interface Acknowledged {
  readonly member: number;
  readonly epoch: number;
  readonly end: number;
  readonly atMs: number;
}

/** Somebody has said that everything before `offset` is confirmed. */
interface Confirmed {
  readonly offset: number;
  readonly atMs: number;
  readonly log: ReplicatedLog;
}

/** A tenure as it begins. */
export interface Beginning {
  readonly member: number;
  readonly epoch: number;
  readonly log: ReplicatedLog;
  readonly atMs: number;
  /** What every copy that could have taken over had confirmed may be lost: the power of all their machines has failed. */
  readonly mayLoseConfirmed: boolean;
  /** What another member had stored, and nobody else, may be lost. */
  readonly mayLoseStored: boolean;
}

/** Knows what was acknowledged and confirmed of the one log that all members share, whoever leads, and what must hold of it. */
export class LogJudge {
  readonly #leaders = new Map<number, number>();
  /** By epoch: when something was acknowledged for the first time. */
  readonly #firstAnswers = new Map<number, number>();
  readonly #beginnings: { readonly epoch: number; readonly start: number }[] = [];
  #acknowledged: Acknowledged[] = [];
  /** Answers that need no more than what was before `end`, maybe less. */
  #touched: { readonly end: number; readonly atMs: number }[] = [];
  /** Most that anybody has said to be confirmed, ever. */
  #confirmedMax = 0;
  /** As it grew. */
  #confirmed: Confirmed[] = [];
  #sequence = 0;

  /** Number of a call that begins now. */
  begins(): number {
    return ++this.#sequence;
  }

  /**
   * @param begun number of the call that is answered
   * @param isNew it has added to the log; else its answer only says again what was so before
   */
  answered(answer: Acknowledged, begun: number, isNew: boolean): void {
    const { member, epoch, end } = answer;
    const leader = this.#leaders.get(epoch) ?? member;
    if (leader !== member) throw new Violation('one member acknowledges in an epoch', { ...answer, leader });
    this.#leaders.set(epoch, member);
    for (const [later, first] of this.#firstAnswers) {
      if (isNew && later > epoch && first < begun) {
        throw new Violation('R2 an old leader acknowledges nothing that began after a later one has', {
          ...answer,
          later,
        });
      }
    }
    for (const beginning of this.#beginnings) {
      if (beginning.epoch > epoch && beginning.start < end) {
        throw new Violation('R2 an old leader acknowledges nothing that a later one lacks', { ...answer, beginning });
      }
    }
    if (isNew && !this.#firstAnswers.has(epoch)) this.#firstAnswers.set(epoch, ++this.#sequence);
    this.#acknowledged.push(answer);
  }

  /** An answer needs something of the log, which ends at `end`. */
  touched(end: number, atMs: number): void {
    this.#touched.push({ end, atMs });
  }

  confirmed(log: ReplicatedLog, offset: number, atMs: number): void {
    this.#confirmedMax = Math.max(this.#confirmedMax, offset);
    if (offset > (this.#confirmed.at(-1)?.offset ?? 0)) this.#confirmed.push({ log, offset, atMs });
  }

  /** A copy has what lies before `offset` in its state. */
  applied(member: number, offset: number): void {
    if (offset <= this.#confirmedMax) return;
    throw new Violation('D8 a copy applies only what is confirmed', {
      member,
      offset,
      confirmedOffset: this.#confirmedMax,
    });
  }

  /** @returns since when what was answered may rightly be undone; Infinity = nothing may */
  begun(beginning: Beginning): number {
    const { member, epoch, log, mayLoseConfirmed, mayLoseStored } = beginning;
    const start = log.epochs().at(-1)!.startOffset;
    const facts = { member, epoch, start };
    const leader = this.#leaders.get(epoch) ?? member;
    if (leader !== member) throw new Violation('one member leads in an epoch', { ...facts, leader });
    this.#leaders.set(epoch, member);
    this.#beginnings.push({ epoch, start });
    this.#confirmedMax = Math.max(this.#confirmedMax, log.confirmedOffset);
    const unconfirmed = this.#confirmed.find(({ offset }) => offset > start);
    if (unconfirmed !== undefined && !mayLoseConfirmed) {
      const { offset, atMs } = this.#confirmed.at(-1)!;
      throw new Violation('R1 what was confirmed is never lost', { ...facts, confirmedOffset: offset, atMs });
    }
    const lost = this.#acknowledged.filter(({ end }) => end > start);
    const wrong = lost.find((answer) => !mayLoseConfirmed && !(mayLoseStored && answer.member !== member));
    if (wrong !== undefined) throw new Violation('R1 what was acknowledged is never lost', { ...facts, ...wrong });
    if (unconfirmed === undefined) this.#checkSame(log, facts);
    this.#acknowledged = this.#acknowledged.filter(({ end }) => end <= start);
    this.#confirmed = this.#confirmed.filter(({ offset }) => offset <= start);
    const touched = this.#touched.filter(({ end }) => end > start);
    this.#touched = this.#touched.filter(({ end }) => end <= start);
    if (!mayLoseConfirmed && !mayLoseStored) return Number.POSITIVE_INFINITY;
    const times = [...lost, ...touched].map(({ atMs }) => atMs);
    return Math.min(unconfirmed?.atMs ?? Number.POSITIVE_INFINITY, ...times);
  }

  /** What was confirmed is what the new leader has, not something else of the same length. */
  #checkSame(log: ReplicatedLog, facts: Record<string, unknown>): void {
    const newest = this.#confirmed.at(-1);
    if (newest === undefined || newest.offset <= log.startOffset || newest.offset <= newest.log.startOffset) return;
    const [had, has] = [epochAt(newest.log, newest.offset - 1), epochAt(log, newest.offset - 1)];
    if (had !== has) throw new Violation('R1 what was confirmed is never replaced', { ...facts, had, has });
  }
}

function epochAt(log: ReplicatedLog, offset: number): number | undefined {
  return log.epochs().findLast(({ startOffset }: EpochStart) => startOffset <= offset)?.epoch;
}
