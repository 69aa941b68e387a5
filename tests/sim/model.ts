import type { Delivery } from '@orbitmq/shard';

/** A promise that was broken; the history's seed repeats it. */
export class Violation extends Error {
  constructor(promise: string, facts: Record<string, unknown>) {
    super(`${promise}: ${JSON.stringify(facts)}`);
    this.name = 'Violation';
  }
}

/**
 * What a producer knows of a message. `pending`: not answered yet; `stored`: answered with OK, or seen by a consumer;
 * `unknown`: its process died first; `gone`: rightly lost; `removed`: by retention.
 */
type MessageState = 'pending' | 'stored' | 'unknown' | 'gone' | 'removed';

export interface SimMessage {
  readonly id: number;
  readonly topic: string;
  readonly queueId: number;
  readonly tag: number;
  readonly offset: number;
  readonly sentAtMs: number;
  state: MessageState;
}

/** What a group knows of a message that it was given. */
interface Holding {
  attempt: number;
  leaseId: number;
  /** Not before this moment may it be handed out again; simulated monotonic ms. */
  earliestEndMs: number;
  /** `asked`: an ack is under way or its process died. */
  settled: 'no' | 'asked' | 'yes';
  attemptId: string | undefined;
  /** The attempt count can't be predicted: a receive's answer may have been lost. */
  isAttemptLoose: boolean;
}

export interface SimGroup {
  readonly name: string;
  readonly orderly: boolean;
  /** The tag that it wants; undefined = all. */
  readonly tag: number | undefined;
  readonly holdings: Map<number, Holding>;
}

/** One receive, as its caller knows it. */
export interface SimReceive {
  readonly group: SimGroup;
  readonly topic: string;
  readonly calledAtMs: number;
  readonly invisibleMs: number;
  readonly attemptId: string | undefined;
}

/** What clients know, and what must therefore hold. */
export class Model {
  readonly messages: SimMessage[] = [];
  /** By topic, queue and offset: offsets that somebody has been told of. */
  readonly #byPlace = new Map<string, SimMessage>();
  /** All calls of one attempt. */
  readonly #attempts = new Map<string, readonly SimReceive[]>();
  /** Receives under way. */
  readonly #open = new Set<SimReceive>();
  /** Highest offset that was answered, by topic and queue. */
  readonly #answered = new Map<string, number>();

  sent(message: Omit<SimMessage, 'id' | 'state'>, id: number): SimMessage {
    const sent: SimMessage = { ...message, id, state: 'pending' };
    const queue = `${message.topic}/${message.queueId}`;
    const answered = this.#answered.get(queue) ?? -1;
    if (message.offset <= answered) throw new Violation('O2 offsets rise in real time', { queue, answered, sent });
    this.messages.push(sent);
    return sent;
  }

  answered(message: SimMessage): void {
    if (message.state !== 'stored') this.#claim(message);
    const queue = `${message.topic}/${message.queueId}`;
    this.#answered.set(queue, Math.max(this.#answered.get(queue) ?? -1, message.offset));
  }

  /** Its answer is there. */
  returned(receive: SimReceive): void {
    this.#open.delete(receive);
  }

  /** A receive is under way. When it repeats an attempt, the leases of that end when it says, answered or not. */
  called(receive: SimReceive): void {
    this.#open.add(receive);
    if (receive.attemptId !== undefined) {
      const calls = this.#attempts.get(attemptOf(receive)) ?? [];
      this.#attempts.set(attemptOf(receive), [...calls, receive]);
    }
    for (const holding of receive.group.holdings.values()) {
      if (receive.attemptId === undefined || holding.attemptId !== receive.attemptId) continue;
      holding.earliestEndMs = Math.min(holding.earliestEndMs, receive.calledAtMs + receive.invisibleMs);
    }
  }

  delivered(receive: SimReceive, delivery: Delivery, id: number, nowMs: number): void {
    const { group } = receive;
    const message = this.messages[id];
    const facts = { group: group.name, id, ...without(delivery), message, nowMs };
    if (message === undefined) throw new Violation('what is delivered was sent', facts);
    if (
      message.topic !== receive.topic ||
      message.queueId !== delivery.queueId ||
      message.offset !== delivery.queueOffset
    ) {
      throw new Violation('a message stays at its offset', facts);
    }
    if (message.state === 'pending') throw new Violation('D8 consumers see only what is stored', facts);
    if (message.state === 'gone') throw new Violation('what is gone stays gone', facts);
    if (group.tag !== undefined && group.tag !== message.tag) throw new Violation('filters hold', facts);
    // Removed: it was read before, or the power failed before the removal was stored.
    if (message.state === 'unknown' || message.state === 'removed') this.#claim(message);
    const former = group.holdings.get(id);
    // An answer that was on its way while the message was handed out again, given back or acked.
    if (former !== undefined && delivery.leaseId < former.leaseId && delivery.attempt <= former.attempt) return;
    if (former?.leaseId === delivery.leaseId && receive.attemptId !== undefined && former.settled !== 'no') return;
    this.#checkLease(receive, delivery, message, nowMs);
    group.holdings.set(id, {
      attempt: delivery.attempt,
      leaseId: delivery.leaseId,
      earliestEndMs: this.#earliestEnd(receive),
      settled: 'no',
      attemptId: receive.attemptId,
      isAttemptLoose: false,
    });
  }

  /** FIFO: what one receive gave of one queue, in order, before it is noted by `delivered`. */
  checkOrder(receive: SimReceive, batch: readonly Delivery[], nowMs: number): void {
    const { group, topic } = receive;
    const { queueId } = batch[0]!;
    const offsets = batch.map((delivery) => delivery.queueOffset);
    const given = new Set(offsets);
    const highest = Math.max(...offsets);
    // An attempt that asks again gets what it had, whatever has become of the messages behind.
    const isRepetition = batch.every((delivery) => {
      const former = this.#byPlace.get(`${topic}/${queueId}/${delivery.queueOffset}`);
      const holding = former === undefined ? undefined : group.holdings.get(former.id);
      if (holding === undefined) return false;
      const isForgotten = holding.leaseId === 0 && holding.attemptId === receive.attemptId;
      return delivery.leaseId <= holding.leaseId || (isForgotten && receive.attemptId !== undefined);
    });
    // An answer that others have overtaken says how it was, not how it is.
    const isOvertaken = batch.some((delivery) => {
      const former = this.#byPlace.get(`${topic}/${queueId}/${delivery.queueOffset}`);
      return former !== undefined && delivery.leaseId < (group.holdings.get(former.id)?.leaseId ?? 0);
    });
    if (isOvertaken) return;
    for (const message of this.messages) {
      if (message.topic !== topic || message.queueId !== queueId || message.state !== 'stored') continue;
      const holding = group.holdings.get(message.id);
      const facts = { group: group.name, offsets, message, holding, nowMs };
      if (holding?.settled === 'no' && !isRepetition && nowMs < holding.earliestEndMs) {
        throw new Violation('O1 one batch of a queue at a time', facts);
      }
      if (message.offset >= highest || given.has(message.offset) || holding?.settled === 'asked') continue;
      if (group.tag !== undefined && group.tag !== message.tag) continue;
      if (holding === undefined || holding.settled === 'no') {
        throw new Violation('O1 what comes first is settled first', facts);
      }
    }
  }

  /** Leased messages are not removed. */
  checkHeld(group: SimGroup, minOffset: (topic: string, queueId: number) => number, nowMs: number): void {
    for (const [id, holding] of group.holdings) {
      const message = this.messages[id]!;
      if (holding.settled !== 'no' || nowMs >= holding.earliestEndMs || message.state !== 'stored') continue;
      const least = minOffset(message.topic, message.queueId);
      if (message.offset < least) throw new Violation('D13 what is leased is not removed', { message, holding, least });
    }
  }

  /** The process has died; `forgets` = what was not fsynced may be lost, and rightly so. */
  died(groups: readonly SimGroup[], forgets: boolean): void {
    this.#open.clear();
    for (const message of this.messages) if (message.state === 'pending') message.state = 'unknown';
    for (const group of groups) {
      for (const holding of group.holdings.values()) {
        holding.isAttemptLoose = true;
        // The clocks of two processes are cut to milliseconds at different moments.
        holding.earliestEndMs -= 1;
        if (!forgets) continue;
        // Leases, acks and renewals of the last moments may be undone.
        holding.earliestEndMs = 0;
        holding.attempt = 0;
        holding.leaseId = 0;
        if (holding.settled === 'yes') holding.settled = 'asked';
      }
    }
  }

  /** Time of the leases has moved on by `byMs` more than the clock said. */
  leasesAged(groups: readonly SimGroup[], byMs: number): void {
    for (const group of groups) for (const holding of group.holdings.values()) holding.earliestEndMs -= byMs;
  }

  /** After a start: nothing that was answered is missing, but for what may have been forgotten since `forgottenFromMs`. */
  checkStored(
    range: (topic: string, queueId: number) => { minOffset: number; maxOffset: number },
    forgottenFromMs: number,
  ): void {
    this.#answered.clear();
    for (const message of this.messages) {
      if (message.state === 'gone') continue;
      const { minOffset, maxOffset } = range(message.topic, message.queueId);
      if (message.offset < minOffset) {
        message.state = 'removed';
      } else if (message.state === 'removed') {
        // The removal was not stored when the power failed.
        message.state = 'unknown';
      } else if (message.offset >= maxOffset) {
        if (message.state === 'stored' && message.sentAtMs < forgottenFromMs) {
          throw new Violation('D1 what was answered is stored', { message, minOffset, maxOffset });
        }
        message.state = 'gone';
        this.#byPlace.delete(placeOf(message));
      } else if (message.state === 'stored') {
        const queue = `${message.topic}/${message.queueId}`;
        this.#answered.set(queue, Math.max(this.#answered.get(queue) ?? -1, message.offset));
      }
    }
  }

  /** Messages that a group must still be given or has to settle. */
  open(group: SimGroup): SimMessage[] {
    return this.messages.filter((message) => {
      if (message.state !== 'stored' || (group.tag !== undefined && group.tag !== message.tag)) return false;
      const settled = group.holdings.get(message.id)?.settled;
      return settled === undefined || settled === 'no';
    });
  }

  /** A repetition of the attempt may have moved the deadline already, answered or not. */
  #earliestEnd(receive: SimReceive): number {
    let earliest = receive.calledAtMs + receive.invisibleMs;
    for (const other of this.#attempts.get(attemptOf(receive)) ?? []) {
      if (other.calledAtMs >= receive.calledAtMs) earliest = Math.min(earliest, other.calledAtMs + other.invisibleMs);
    }
    return earliest;
  }

  #claim(message: SimMessage): void {
    const former = this.#byPlace.get(placeOf(message));
    if (former !== undefined && former !== message)
      throw new Violation('D8 an offset is given once', { former, message });
    this.#byPlace.set(placeOf(message), message);
    message.state = 'stored';
  }

  #checkLease(receive: SimReceive, delivery: Delivery, message: SimMessage, nowMs: number): void {
    const former = receive.group.holdings.get(message.id);
    const facts = { group: receive.group.name, message, former, ...without(delivery), nowMs };
    if (former === undefined) return;
    if (former.settled === 'yes') throw new Violation('C2 what was acked does not come again', facts);
    if (
      former.leaseId === delivery.leaseId &&
      former.attemptId !== undefined &&
      former.attemptId === receive.attemptId
    ) {
      const isSame = former.isAttemptLoose ? delivery.attempt >= former.attempt : delivery.attempt === former.attempt;
      if (!isSame) throw new Violation('C5 the same attempt keeps its count', facts);
      return;
    }
    if (nowMs < former.earliestEndMs) throw new Violation('C3 nobody gets it while it is invisible', facts);
    const expected = former.attempt + 1;
    // The answers to receives overtake each other.
    const isOvertaking = delivery.attempt > expected && [...this.#open].some((other) => other.group === receive.group);
    const holds = former.isAttemptLoose
      ? delivery.attempt >= former.attempt
      : delivery.attempt === expected || isOvertaking;
    if (!holds) throw new Violation('C3 each delivery counts one up', { ...facts, expected });
  }
}

function attemptOf({ group, attemptId }: SimReceive): string {
  return `${group.name}/${attemptId ?? ''}`;
}

function placeOf(message: SimMessage): string {
  return `${message.topic}/${message.queueId}/${message.offset}`;
}

function without({ message: _, ...rest }: Delivery): Omit<Delivery, 'message'> {
  return rest;
}
