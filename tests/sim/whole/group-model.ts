import type { GroupSpec, Handle, Lag, OffsetMove, Received, Used } from './cluster.ts';
import type { FilterSpec } from './messages.ts';
import { HISTORY_MS_MAX, type Produced, type ProducedMessages } from './produced.ts';
import { type Certainty, type Timeline, Violation } from './timeline.ts';

/** What a group knows of one message. */
interface Standing {
  /** Of the last handing-out; 0 = its count begins anew. */
  attempt: number;
  leaseId: number;
  /** Not before this moment may it be handed out again; simulated monotonic ms. */
  earliestEndMs: number;
  leasedAtMs: number;
  attemptId: string | undefined;
  /** The attempt count can't be predicted. */
  isAttemptLoose: boolean;
  /** Receives of the group whose answer was lost, when it was seen last. */
  lostSeen: number;
  settled: boolean;
  settledAtMs: number;
  settledSequence: number;
  /** Acks and forwards that are under way, or whose answer was lost. */
  openSettles: number;
  lostSettles: number;
  openChanges: number;
  /** Somebody has asked for it to become a dead letter. */
  isForwarded: boolean;
  /** What settled it, as far as is known: by a forward it is a dead letter, what was found settled may be one. */
  settledBy: 'ack' | 'forward' | 'unknown';
  redrivenMin: number;
  redrivenMax: number;
  /** Redrives that are under way, or whose answer was lost. */
  reopening: number;
  /** Since this call it is open (again): what was called before says how it was. */
  openedSequence: number;
  /** Since this answer everybody could know that it is. */
  openedSurely: number;
  touchedSequence: number;
  /** Too much happened at the same time: nothing is known but that it must be settled in the end. */
  isLoose: boolean;
}

/** One receive, as its caller knows it. */
export interface ReceiveContext {
  readonly topic: string;
  readonly sequence: number;
  readonly calledAtMs: number;
  readonly invisibleMs: number;
  readonly attemptId: string | undefined;
}

/** One use of a receipt handle. */
export interface UseContext {
  readonly id: number;
  readonly leaseId: number;
  readonly sequence: number;
  readonly calledAtMs: number;
  /** It was the current lease for certain. */
  readonly isCurrent: boolean;
  /** It was not for certain. */
  readonly isOutdated: boolean;
}

/** A message was handed out: the one before it must have been a dead letter by then. */
interface Claim {
  readonly earlierId: number;
  readonly laterId: number;
  readonly leaseId: number;
  /** Its group had so many dead letters of it by then. */
  readonly letterCount: number;
}

interface Skip {
  readonly offset: number;
  readonly sequence: number;
  readonly atMs: number;
}

/** One consumer group's knowledge, and what must hold of it. */
export class GroupModel {
  readonly spec: GroupSpec;
  readonly handle: Handle;
  readonly topics: readonly string[];
  readonly filter: FilterSpec | undefined;
  /** Its way to keep order changes from time to time. */
  readonly changesOrder: boolean;
  /** It is being deleted: handles of it are good for nothing. */
  isDeleted = false;
  readonly #timeline: Timeline;
  readonly #messages: ProducedMessages;
  readonly #standings = new Map<number, Standing>();
  readonly #open = new Set<ReceiveContext>();
  readonly #attempts = new Map<string, ReceiveContext[]>();
  readonly #skips = new Map<string, Skip>();
  /** Queues on which nobody knows where the group stands. */
  readonly #looseQueues = new Set<string>();
  readonly #resetting = new Map<string, number>();
  /** When an attempt to set the offset of a queue was answered last. */
  readonly #resetAnswered = new Map<string, number>();
  #claims: Claim[] = [];
  #lostCount = 0;

  constructor(
    spec: GroupSpec,
    handle: Handle,
    reads: {
      readonly topics: readonly string[];
      readonly filter?: FilterSpec | undefined;
      readonly changesOrder?: boolean;
    },
    world: { readonly timeline: Timeline; readonly messages: ProducedMessages },
  ) {
    this.spec = spec;
    this.handle = handle;
    this.topics = reads.topics;
    this.filter = reads.filter;
    this.changesOrder = reads.changesOrder ?? false;
    this.#timeline = world.timeline;
    this.#messages = world.messages;
  }

  get attemptMax(): number {
    return this.spec.retryMaxTimes + 1;
  }

  // ── receives ──

  calling(topic: string, invisibleMs: number, attemptId: string | undefined): ReceiveContext {
    const calledAtMs = this.#timeline.nowMs;
    const context = { topic, sequence: this.#timeline.next(), calledAtMs, invisibleMs, attemptId };
    this.#open.add(context);
    if (attemptId === undefined || this.spec.order === 'none') return context;
    // When it repeats an attempt, the leases of that end when it says, answered or not.
    this.#attempts.set(attemptId, [...(this.#attempts.get(attemptId) ?? []), context]);
    for (const standing of this.#standings.values()) {
      if (standing.attemptId !== attemptId) continue;
      standing.earliestEndMs = Math.min(standing.earliestEndMs, calledAtMs + invisibleMs);
      standing.touchedSequence = context.sequence;
    }
    return context;
  }

  /** Nobody has heard its answer: what it took is out, and counts as an attempt. */
  lost(context: ReceiveContext): void {
    this.#open.delete(context);
    this.#lostCount++;
  }

  received(context: ReceiveContext, batch: readonly Received[]): void {
    this.#open.delete(context);
    const before = new Set<number>();
    for (const received of batch) {
      this.#delivered(context, received, before);
      before.add(received.id);
    }
  }

  #delivered(context: ReceiveContext, received: Received, before: ReadonlySet<number>): void {
    const { attempt, leaseId, queueId, queueOffset } = received;
    const message = this.#messages.seen(context.topic, received);
    const standing = this.#standing(received.id);
    const { handle: _, ...told } = received;
    const facts = { group: this.spec.name, ...told, standing: { ...standing }, message, nowMs: this.#timeline.nowMs };
    if (this.filter !== undefined && !this.filter.wants(message.spec)) throw new Violation('filters hold', facts);
    if (attempt > this.attemptMax) throw new Violation('a message comes no oftener than it may', facts);
    const queue = `${context.topic}/${queueId}`;
    const isVague = this.#looseQueues.has(queue) || this.#resetting.has(queue) || standing.isLoose;
    // An answer that was on its way while others went on.
    if (leaseId < standing.leaseId && !isVague) return;
    standing.touchedSequence = this.#timeline.next();
    if (isVague || standing.reopening > 0 || context.sequence < standing.openedSequence) {
      this.#noteLease(context, standing, received, true);
      return;
    }
    const skip = this.#skips.get(queue);
    if (
      skip !== undefined &&
      queueOffset < skip.offset &&
      context.sequence > skip.sequence &&
      standing.redrivenMax === 0
    )
      throw new Violation('what was skipped is not given', { ...facts, skip });
    if (standing.settled) {
      if (context.sequence > standing.settledSequence)
        throw new Violation('C2 what was settled does not come again', facts);
      return;
    }
    if (leaseId === standing.leaseId) {
      if (attempt !== standing.attempt && !standing.isAttemptLoose)
        throw new Violation('C5 the same lease keeps its count', facts);
    } else {
      this.#checkNewLease(context, standing, attempt, facts);
      if (this.spec.order !== 'none') this.#checkOrder(context, message, received, before);
    }
    this.#noteLease(context, standing, received, false);
  }

  #checkNewLease(context: ReceiveContext, standing: Standing, attempt: number, facts: Record<string, unknown>): void {
    if (this.#timeline.nowMs < standing.earliestEndMs)
      throw new Violation('C3 nobody gets it while it is invisible', facts);
    const others = [...this.#open].filter(({ topic }) => topic === context.topic).length;
    const lowest = standing.isAttemptLoose ? 1 : standing.attempt + 1;
    const highest = standing.attempt + 1 + others + this.#lostCount - standing.lostSeen;
    if (attempt < lowest || (attempt > highest && !standing.isAttemptLoose))
      throw new Violation('C3 each delivery counts one up', { ...facts, lowest, highest });
  }

  #noteLease(context: ReceiveContext, standing: Standing, received: Received, isVague: boolean): void {
    standing.attempt = isVague ? Math.max(standing.attempt, received.attempt) : received.attempt;
    standing.leaseId = received.leaseId;
    standing.earliestEndMs = isVague ? 0 : this.#earliestEnd(context);
    standing.leasedAtMs = this.#timeline.nowMs;
    standing.attemptId = context.attemptId;
    standing.isAttemptLoose = isVague;
    standing.lostSeen = this.#lostCount;
  }

  /** A repetition of the attempt may have moved the deadline already, answered or not. */
  #earliestEnd({ calledAtMs, invisibleMs, attemptId, sequence }: ReceiveContext): number {
    let earliestMs = calledAtMs + invisibleMs;
    if (attemptId === undefined) return earliestMs;
    for (const other of this.#attempts.get(attemptId) ?? []) {
      if (other.sequence >= sequence) earliestMs = Math.min(earliestMs, other.calledAtMs + other.invisibleMs);
    }
    return earliestMs;
  }

  // ── order ──

  #checkOrder(context: ReceiveContext, message: Produced, received: Received, before: ReadonlySet<number>): void {
    const { nowMs } = this.#timeline;
    const own = this.#standing(received.id);
    const isHeld = nowMs < context.calledAtMs + context.invisibleMs && own.openSettles + own.lostSettles === 0;
    for (const other of this.#messages.of(context.topic)) {
      if (other === message || !this.#isBehindEachOther(message, other) || before.has(other.spec.id)) continue;
      const standing = this.#standings.get(other.spec.id);
      if (standing !== undefined && !this.#isCertainlyOpen(standing, context)) continue;
      const { position, queueId, queueOffset } = other.place!;
      // It was skipped before anybody knew where it is.
      if (this.#isSkipped(`${context.topic}/${queueId}`, queueOffset, standing)) continue;
      const facts = { group: this.spec.name, message, other, standing, leaseId: received.leaseId, nowMs };
      const isOut = standing !== undefined && standing.leaseId !== received.leaseId && nowMs < standing.earliestEndMs;
      const isEarlier = position < received.position;
      // What was given back may come while something behind it, of another queue, is still out.
      const isInTheWay = isEarlier || queueId === received.queueId;
      if (isOut && isHeld && isInTheWay && !own.isForwarded && !standing.isForwarded)
        throw new Violation('O1 one batch at a time', facts);
      if (!isEarlier) continue;
      const letterCount = (standing?.redrivenMin ?? 0) + 1;
      this.#claims.push({ earlierId: other.spec.id, laterId: received.id, leaseId: received.leaseId, letterCount });
    }
  }

  /** Both are of one message group, or in a queue that holds up as a whole. */
  #isBehindEachOther(message: Produced, other: Produced): boolean {
    const { place } = other;
    if (place === undefined || place.position < 0 || other.isPlaceLoose || other.isRemoved) return false;
    if (other.stored.certainty !== 'yes') return false;
    const { messageGroup } = message.spec;
    if (messageGroup !== undefined && other.spec.messageGroup === messageGroup) return true;
    return this.spec.order === 'by queue' && !this.changesOrder && place.queueId === message.place!.queueId;
  }

  #isCertainlyOpen(standing: Standing, context: ReceiveContext): boolean {
    return (
      !standing.settled &&
      standing.openSettles + standing.lostSettles === 0 &&
      standing.reopening === 0 &&
      !standing.isLoose &&
      standing.openedSurely < context.sequence
    );
  }

  // ── what consumers do with what they have ──

  using(id: number, leaseId: number): UseContext {
    const standing = this.#standing(id);
    const isKnown =
      !standing.isLoose && standing.reopening === 0 && standing.openChanges === 0 && !standing.isAttemptLoose;
    const isFree = standing.openSettles + standing.lostSettles === 0 && !standing.settled && !standing.isForwarded;
    const nowMs = this.#timeline.nowMs;
    standing.touchedSequence = this.#timeline.next();
    return {
      id,
      leaseId,
      sequence: standing.touchedSequence,
      calledAtMs: nowMs,
      isCurrent: isKnown && isFree && standing.leaseId === leaseId && nowMs < standing.earliestEndMs,
      isOutdated: isKnown && standing.leaseId > leaseId,
    };
  }

  settling(context: UseContext, forwards: boolean): void {
    const standing = this.#standing(context.id);
    standing.openSettles++;
    if (forwards) standing.isForwarded = true;
  }

  /** @param used undefined when nobody knows */
  settled(context: UseContext, used: Used | 'refused' | undefined, forwards: boolean): void {
    const standing = this.#standing(context.id);
    standing.openSettles--;
    standing.touchedSequence = this.#timeline.next();
    if (used === undefined) standing.lostSettles++;
    if (used === 'stale' || used === 'settled') this.#checkStale(context, standing);
    if (used === 'done') this.#checkDone(context, standing);
    if ((used !== 'done' && used !== 'settled') || context.sequence < standing.openedSequence) return;
    if (standing.reopening > 0) {
      standing.lostSettles++;
      return;
    }
    if (standing.settled && used === 'settled') return;
    this.#settle(standing);
    if (used === 'done') standing.settledBy = forwards ? 'forward' : 'ack';
  }

  changing(context: UseContext, invisibleMs: number): void {
    const standing = this.#standing(context.id);
    standing.openChanges++;
    standing.earliestEndMs = Math.min(standing.earliestEndMs, context.calledAtMs + invisibleMs);
  }

  /** @param leaseId the new one; undefined when it was not changed, or nobody knows */
  changed(
    context: UseContext,
    invisibleMs: number,
    used: Used | 'refused' | undefined,
    leaseId: number | undefined,
  ): void {
    const standing = this.#standing(context.id);
    standing.openChanges--;
    standing.touchedSequence = this.#timeline.next();
    if (used === 'stale' || used === 'settled') this.#checkStale(context, standing);
    if (used !== 'done') return;
    this.#checkDone(context, standing);
    if (standing.leaseId !== context.leaseId || context.sequence < standing.openedSequence) return;
    standing.leaseId = leaseId!;
    standing.earliestEndMs = standing.reopening > 0 ? 0 : context.calledAtMs + invisibleMs;
    standing.leasedAtMs = this.#timeline.nowMs;
    standing.attemptId = undefined;
  }

  /** @param invisibleMs from the call on; 0 when nobody knows */
  renewed(context: UseContext, invisibleMs: number): void {
    const standing = this.#standing(context.id);
    standing.openChanges--;
    // Only what nobody else has touched meanwhile is known to be renewed.
    const isAlone = standing.touchedSequence === context.sequence;
    standing.touchedSequence = this.#timeline.next();
    if (!context.isCurrent || !isAlone || standing.reopening > 0) return;
    standing.earliestEndMs = Math.max(standing.earliestEndMs, context.calledAtMs + invisibleMs);
  }

  /** The handle was not taken. */
  #checkStale(context: UseContext, standing: Standing): void {
    const isSame = standing.leaseId === context.leaseId && context.sequence > standing.openedSequence;
    const isFree = !standing.settled && standing.openSettles + standing.lostSettles + standing.openChanges === 0;
    const isHeld = this.#timeline.nowMs < standing.earliestEndMs && !standing.isForwarded && standing.reopening === 0;
    const message = this.#messages.all[context.id]!;
    const isVague = this.#isVague(message);
    if (context.isCurrent && !this.isDeleted && isSame && isFree && isHeld && !isVague && !message.isRemoved)
      throw new Violation('C4 the current lease is taken', { group: this.spec.name, context, standing, message });
  }

  /** The handle was taken. */
  #checkDone(context: UseContext, standing: Standing): void {
    const message = this.#messages.all[context.id]!;
    if (context.isOutdated && !this.#isVague(message) && context.sequence > standing.openedSequence)
      throw new Violation('C4 an older lease does nothing', { group: this.spec.name, context, standing, message });
  }

  #isVague({ place, spec }: Produced): boolean {
    const queue = `${spec.topic}/${place?.queueId ?? -1}`;
    return this.#looseQueues.has(queue) || this.#resetting.has(queue);
  }

  // ── operators ──

  redriving(): number {
    for (const standing of this.#standings.values()) {
      // Before an offset was set back, it may have become a dead letter all the same.
      if (standing.settled && standing.settledBy === 'ack' && standing.openedSequence === 0) continue;
      standing.reopening++;
      standing.redrivenMax++;
    }
    return this.#timeline.next();
  }

  /** @param ids those that were handed back; undefined when nobody knows */
  redriven(called: number, ids: readonly number[] | undefined): void {
    if (ids === undefined) return;
    const back = new Set(ids);
    for (const [id, standing] of this.#standings) {
      const isBack = back.delete(id);
      if (standing.reopening === 0) {
        if (isBack) this.#reopen(id, standing, called);
        continue;
      }
      standing.reopening--;
      if (isBack) this.#reopen(id, standing, called);
      else standing.redrivenMax--;
    }
    // Nobody has seen them here, as the answers of their receives were lost.
    for (const id of back) this.#reopen(id, this.#standing(id), called);
  }

  #reopen(id: number, standing: Standing, called: number): void {
    const { spec, place } = this.#messages.all[id]!;
    // Where an offset was set, it may be with the group again already, and its count goes on.
    if (this.#skips.has(`${spec.topic}/${place?.queueId}`)) standing.isLoose = true;
    standing.redrivenMin++;
    standing.redrivenMax = Math.max(standing.redrivenMax, standing.redrivenMin);
    this.#openAgain(standing, called);
  }

  resetting(topic: string, queueIds: readonly number[]): number {
    for (const queueId of queueIds) {
      const queue = `${topic}/${queueId}`;
      this.#resetting.set(queue, (this.#resetting.get(queue) ?? 0) + 1);
    }
    return this.#timeline.next();
  }

  /** @param moves what was done; undefined when nobody knows */
  reset(topic: string, queueIds: readonly number[], called: number, moves: readonly OffsetMove[] | undefined): void {
    const alone = new Set<number>();
    for (const queueId of queueIds) {
      const queue = `${topic}/${queueId}`;
      const open = this.#resetting.get(queue)! - 1;
      if (open > 0) this.#resetting.set(queue, open);
      else this.#resetting.delete(queue);
      // Two at a time: who knows which was the last.
      if (moves === undefined || open > 0 || (this.#resetAnswered.get(queue) ?? 0) > called) {
        this.#looseQueues.add(queue);
      } else alone.add(queueId);
      this.#resetAnswered.set(queue, this.#timeline.next());
    }
    for (const { queueId, newOffset } of moves ?? []) {
      if (alone.has(queueId)) this.#looseQueues.delete(`${topic}/${queueId}`);
      this.#moved(topic, queueId, newOffset, called);
    }
  }

  #moved(topic: string, queueId: number, newOffset: number, called: number): void {
    const queue = `${topic}/${queueId}`;
    this.#skips.set(queue, { offset: newOffset, sequence: this.#timeline.next(), atMs: this.#timeline.nowMs });
    for (const { place, spec } of this.#messages.of(topic)) {
      if (place?.queueId !== queueId) continue;
      const standing = this.#standing(spec.id);
      this.#openAgain(standing, called);
      if (place.queueOffset < newOffset) this.#settle(standing);
    }
  }

  /** Another group was set to where this one stood: everything before was settled. */
  checkCloned(topic: string, called: number, moves: readonly OffsetMove[]): void {
    for (const { queueId, newOffset } of moves) {
      const queue = `${topic}/${queueId}`;
      if (this.#looseQueues.has(queue) || this.#resetting.has(queue)) continue;
      const skipped = this.#skips.get(queue);
      if (skipped !== undefined && skipped.sequence > called) continue;
      for (const message of this.#messages.of(topic)) {
        const { place, spec } = message;
        if (place?.queueId !== queueId || place.queueOffset >= newOffset || !this.#mustCome(message)) continue;
        const standing = this.#standings.get(spec.id);
        if (this.#maybeSpent(standing) || (standing !== undefined && (standing.isLoose || standing.openSettles > 0)))
          continue;
        if (standing !== undefined && standing.openedSurely > called) continue;
        throw new Violation('a clone goes on where nothing is skipped', {
          group: this.spec.name,
          message,
          standing,
          newOffset,
        });
      }
    }
  }

  #openAgain(standing: Standing, called: number): void {
    if (standing.touchedSequence > called) standing.isLoose = true;
    standing.settled = false;
    standing.settledBy = 'unknown';
    standing.isForwarded = false;
    // What was settled since the call may have come back by it.
    if (standing.touchedSequence <= called) standing.lostSettles = 0;
    standing.attempt = 0;
    standing.leaseId = -1;
    standing.earliestEndMs = 0;
    standing.isAttemptLoose = false;
    standing.openedSequence = called;
    standing.openedSurely = this.#timeline.next();
    standing.touchedSequence = standing.openedSurely;
  }

  #settle(standing: Standing): void {
    standing.settled = true;
    standing.settledBy = 'unknown';
    standing.settledAtMs = this.#timeline.nowMs;
    standing.settledSequence = this.#timeline.next();
  }

  // ── mishaps ──

  /** @param forgottenFromMs what was known since then may be undone */
  died(forgottenFromMs: number): void {
    for (const standing of this.#standings.values()) {
      // The clocks of two processes are cut to milliseconds at different moments.
      standing.earliestEndMs -= 1;
      if (!Number.isFinite(forgottenFromMs)) continue;
      standing.earliestEndMs = 0;
      standing.leaseId = -1;
      standing.isAttemptLoose = true;
      if (standing.settled && standing.settledAtMs >= forgottenFromMs) {
        standing.settled = false;
        standing.lostSettles++;
      }
      if (standing.redrivenMax > 0) {
        standing.redrivenMin = 0;
        standing.isLoose = true;
      }
    }
    if (!Number.isFinite(forgottenFromMs)) return;
    for (const [queue, { atMs }] of this.#skips) if (atMs >= forgottenFromMs) this.#looseQueues.add(queue);
  }

  /** Time of the leases has moved on by more than the clock said. */
  aged(byMs: number): void {
    for (const standing of this.#standings.values()) standing.earliestEndMs -= byMs;
  }

  // ── looks from outside ──

  /** Leased messages are not removed. */
  checkHeld(): void {
    const { nowMs } = this.#timeline;
    for (const [id, standing] of this.#standings) {
      if (standing.settled || standing.openSettles + standing.lostSettles > 0 || nowMs >= standing.earliestEndMs)
        continue;
      const message = this.#messages.all[id]!;
      if (message.isRemoved && !this.#isVague(message))
        throw new Violation('D13 what is leased is not removed', { group: this.spec.name, message, standing, nowMs });
    }
  }

  /** How much is left says what is left. To be asked when nothing is under way, and of groups that want everything. */
  checkLag(topic: string, lags: readonly Lag[]): void {
    for (const { queueId, minOffset, maxOffset, count } of lags) {
      const queue = `${topic}/${queueId}`;
      if (this.#looseQueues.has(queue)) continue;
      let [settled, unsure] = [0, 0];
      for (let offset = minOffset; offset < maxOffset; offset++) {
        const state = this.#settledAt(topic, queueId, offset);
        if (state === 'yes') settled++;
        else if (state === 'maybe') unsure++;
      }
      const most = maxOffset - minOffset - settled;
      if (count > most || count < most - unsure)
        throw new Violation('lag is exact', {
          group: this.spec.name,
          queue,
          minOffset,
          maxOffset,
          count,
          settled,
          unsure,
        });
    }
  }

  #settledAt(topic: string, queueId: number, offset: number): Certainty {
    const message = this.#messages.at(topic, queueId, offset);
    const standing = message && this.#standings.get(message.spec.id);
    if (this.#isSkipped(`${topic}/${queueId}`, offset, standing)) return 'yes';
    if (standing === undefined) return this.#maybeSpent(undefined) ? 'maybe' : 'no';
    if (standing.isLoose || standing.reopening > 0) return 'maybe';
    if (standing.settled) return 'yes';
    return standing.lostSettles > 0 || this.#maybeSpent(standing) ? 'maybe' : 'no';
  }

  /** The group was set to go on behind it, and nobody has brought it back since. */
  #isSkipped(queue: string, offset: number, standing: Standing | undefined): boolean {
    const skip = this.#skips.get(queue);
    if (skip === undefined || offset >= skip.offset) return false;
    return standing === undefined || standing.touchedSequence < skip.sequence;
  }

  /** It may have become a dead letter. */
  #maybeSpent(standing: Standing | undefined): boolean {
    if (standing === undefined) return this.#lostCount >= this.attemptMax;
    const { isForwarded, isAttemptLoose, attempt, lostSeen } = standing;
    return isForwarded || isAttemptLoose || attempt + this.#lostCount - lostSeen >= this.attemptMax;
  }

  /** Ids that must still come or be settled, as far as is known. */
  openIds(): number[] {
    return this.topics.flatMap((topic) =>
      this.#messages
        .of(topic)
        .filter((message) => this.#mustCome(message))
        .map(({ spec }) => spec.id),
    );
  }

  #mustCome({ spec, place, stored, isRemoved, committed, recalled }: Produced): boolean {
    if (isRemoved || stored.certainty !== 'yes' || (this.filter !== undefined && !this.filter.wants(spec)))
      return false;
    if (spec.kind === 'half' && place === undefined && committed.certainty !== 'yes') return false;
    if (spec.kind === 'timed' && place === undefined && recalled.certainty !== 'no') return false;
    const queue = `${spec.topic}/${place?.queueId ?? -1}`;
    if (this.#looseQueues.has(queue)) return false;
    const standing = this.#standings.get(spec.id);
    if (place !== undefined && this.#isSkipped(queue, place.queueOffset, standing)) return false;
    if (standing === undefined) return true;
    return !standing.settled && standing.lostSettles === 0 && standing.reopening === 0;
  }

  /**
   * Looks back when everything is over and consumers have settled all that came.
   * @param letters the group's dead letters, in order
   * @param retentionMs letters, and what they tell of, are kept at least so long
   * @param calm since when consumers have waited for whatever comes
   */
  check(
    letters: readonly { readonly id: number; readonly position: number }[],
    retentionMs: number,
    calm: { readonly atMs: number; readonly wallMs: number },
  ): void {
    const removes = retentionMs < HISTORY_MS_MAX;
    const deadAt = Map.groupBy(letters, ({ id }) => id);
    for (const [id, dead] of deadAt) this.#checkLetters(id, dead);
    for (const id of this.openIds()) {
      const standing = this.#standings.get(id);
      if ((deadAt.get(id)?.length ?? 0) > (standing?.redrivenMin ?? 0)) continue;
      const { place, spec, commitCalledAtMs } = this.#messages.all[id]!;
      // Nobody was there while it was.
      const mayBeInQueueMs = spec.kind === 'half' ? commitCalledAtMs : 0;
      const isOld = (spec.deliveryMs ?? 0) + retentionMs < calm.wallMs && mayBeInQueueMs + retentionMs < calm.atMs;
      const isSkipped =
        place === undefined && [...this.#skips.keys()].some((queue) => queue.startsWith(`${spec.topic}/`));
      if (removes && ((place === undefined && isOld) || isSkipped || this.#maybeSpent(standing))) continue;
      throw new Violation('C1 every message is acked or a dead letter', {
        group: this.spec.name,
        message: this.#messages.all[id],
        standing,
      });
    }
    if (removes) return;
    for (const [id, { settledBy, settled, isLoose, redrivenMin }] of this.#standings) {
      if (settled && settledBy === 'forward' && !isLoose && (deadAt.get(id)?.length ?? 0) <= redrivenMin)
        throw new Violation('what was forwarded is a dead letter', { group: this.spec.name, id, letters });
    }
    for (const claim of this.#claims) {
      const dead = deadAt.get(claim.earlierId) ?? [];
      if (dead.filter(({ position }) => position < claim.leaseId).length >= claim.letterCount) continue;
      throw new Violation('O1 what comes first is settled first', {
        group: this.spec.name,
        ...claim,
        dead,
        earlier: this.#messages.all[claim.earlierId],
        standing: this.#standings.get(claim.earlierId),
      });
    }
    this.#claims = [];
  }

  #checkLetters(id: number, dead: readonly { readonly id: number; readonly position: number }[]): void {
    const standing = this.#standing(id);
    const facts = { group: this.spec.name, id, dead, standing, attemptMax: this.attemptMax };
    const message = this.#messages.all[id];
    if (message === undefined) throw new Violation('a dead letter was sent', facts);
    if (
      this.#isVague(message) ||
      standing.isLoose ||
      this.#skips.has(`${message.spec.topic}/${message.place?.queueId}`)
    )
      return;
    const isAcked = standing.settled && standing.settledBy === 'ack';
    const mostCount = isAcked ? standing.redrivenMax : standing.redrivenMax + 1;
    if (dead.length > mostCount)
      throw new Violation('a message is a dead letter once, and not when it was acked', facts);
    const isEarly =
      standing.attempt + this.#lostCount - standing.lostSeen < this.attemptMax && !standing.isAttemptLoose;
    if (isEarly && !standing.isForwarded && standing.redrivenMax === 0)
      throw new Violation('a message becomes a dead letter where its attempts end', facts);
  }

  #standing(id: number): Standing {
    let standing = this.#standings.get(id);
    if (standing === undefined) {
      standing = {
        attempt: 0,
        leaseId: -1,
        earliestEndMs: 0,
        leasedAtMs: 0,
        attemptId: undefined,
        isAttemptLoose: false,
        lostSeen: 0,
        settled: false,
        settledAtMs: 0,
        settledSequence: 0,
        openSettles: 0,
        lostSettles: 0,
        openChanges: 0,
        isForwarded: false,
        settledBy: 'unknown',
        redrivenMin: 0,
        redrivenMax: 0,
        reopening: 0,
        openedSequence: 0,
        openedSurely: 0,
        touchedSequence: 0,
        isLoose: false,
      };
      this.#standings.set(id, standing);
    }
    return standing;
  }
}
