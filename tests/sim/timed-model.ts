import type { TimerRef } from '@orbitmq/shard';
import { Violation } from './model.ts';

/** `unknown`: its process died before it was answered, or the answer may have been forgotten. */
type Answer = 'pending' | 'yes' | 'unknown';

interface TimedMessage {
  readonly id: number;
  readonly deliveryMs: number;
  readonly timer: TimerRef;
  readonly sentAtMs: number;
  stored: Answer;
  recalled: 'no' | Answer;
  recalledAtMs: number;
  /** Where its queue has it. */
  place: string | undefined;
  /** A power loss may have undone its firing since it was seen. */
  mayMove: boolean;
}

/** What clients know of timed messages, and what must therefore hold. */
export class TimedModel {
  readonly #messages: (TimedMessage | undefined)[] = [];
  readonly #byPlace = new Map<string, TimedMessage>();
  /** Latest that the wall clock has ever said: what was due then may have come, though the clock has gone back. */
  #wallHighestMs = 0;

  get sentCount(): number {
    return this.#messages.length;
  }

  wallReached(wallMs: number): void {
    this.#wallHighestMs = Math.max(this.#wallHighestMs, wallMs);
  }

  nextId(): number {
    this.#messages.push(undefined);
    return this.#messages.length - 1;
  }

  sent(id: number, deliveryMs: number, timer: TimerRef, sentAtMs: number): void {
    this.#messages[id] = {
      id,
      deliveryMs,
      timer,
      sentAtMs,
      stored: 'pending',
      recalled: 'no',
      recalledAtMs: 0,
      place: undefined,
      mayMove: false,
    };
  }

  answered(ids: readonly number[]): void {
    for (const id of ids) this.#messages[id]!.stored = 'yes';
  }

  /** A message whose sender has its handle. */
  recallable(dice: number): TimedMessage | undefined {
    const candidates = this.#messages.filter((message) => message?.stored === 'yes' && message.recalled === 'no');
    return candidates[dice % Math.max(1, candidates.length)];
  }

  recallAsked(id: number): void {
    this.#messages[id]!.recalled = 'pending';
  }

  recalled(id: number, nowMs: number): void {
    const message = this.#messages[id]!;
    message.recalled = 'yes';
    message.recalledAtMs = nowMs;
    if (message.place !== undefined) throw new Violation('T2 what has come can not be recalled', { message });
  }

  /** The shard says that it does not wait any more. */
  notRecalled(id: number, nowWallMs: number): void {
    const message = this.#messages[id]!;
    if (message.place === undefined && nowWallMs < message.deliveryMs - 60_000) {
      throw new Violation('T2 what waits can be recalled', { message, nowWallMs });
    }
  }

  delivered(id: number, at: { queueId: number; queueOffset: number }, nowWallMs: number): void {
    const message = this.#messages[id];
    this.wallReached(nowWallMs);
    const facts = { id, ...at, message, nowWallMs };
    if (message === undefined) throw new Violation('what is delivered was sent', facts);
    if (this.#wallHighestMs < message.deliveryMs) throw new Violation('T2 never early', facts);
    if (message.stored === 'pending') throw new Violation('D8 consumers see only what is stored', facts);
    if (message.recalled === 'yes') throw new Violation('T2 a recalled message never comes', facts);
    const place = `${at.queueId}/${at.queueOffset}`;
    if (message.place !== undefined && message.place !== place && !message.mayMove) {
      throw new Violation('T2 a message fires once', facts);
    }
    if (message.place !== undefined && message.place !== place) this.#byPlace.delete(message.place);
    const other = this.#byPlace.get(place);
    if (other !== undefined && other !== message && !other.mayMove) {
      throw new Violation('D8 an offset is given once', { ...facts, other });
    }
    this.#byPlace.set(place, message);
    message.place = place;
    message.mayMove = false;
    message.stored = 'yes';
    message.recalled = 'no';
  }

  /** The process has died; what was answered at `forgottenFromMs` or later may be undone. */
  died(forgottenFromMs: number): void {
    for (const message of this.#messages) {
      if (message === undefined) continue;
      if (message.stored === 'pending') message.stored = 'unknown';
      if (message.recalled === 'pending') message.recalled = 'unknown';
      if (!Number.isFinite(forgottenFromMs)) continue;
      message.mayMove = true;
      if (message.sentAtMs >= forgottenFromMs && message.place === undefined) message.stored = 'unknown';
      if (message.recalled === 'yes' && message.recalledAtMs >= forgottenFromMs) message.recalled = 'unknown';
    }
  }

  /** Messages that must still come. */
  waiting(): number[] {
    return this.#messages.flatMap((message) =>
      message?.stored === 'yes' && message.recalled === 'no' && message.place === undefined ? [message.id] : [],
    );
  }
}
