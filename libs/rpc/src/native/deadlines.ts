import type { Clock, Timer } from '@orbitmq/base';

/** Calls are ended at most so much later than their deadline. */
const SLOT_MS = 8;

/** What ends at its deadline. Links its neighbours, as there is one for every call and it goes nearly always unused. */
export interface Expiring {
  previousExpiring: Expiring | undefined;
  nextExpiring: Expiring | undefined;
  /** Where it is listed; undefined when it is not. */
  deadlineSlot: number | undefined;
  expire(): void;
}

/**
 * The deadlines of all calls of a server with one timer. Calls are listed by slots of some milliseconds, so that adding
 * and removing one costs neither a timer nor a search.
 */
export class Deadlines {
  readonly #clock: Clock;
  /** First call of each slot. */
  readonly #slots = new Map<number, Expiring>();
  #timer: Timer | undefined;
  #timerSlot = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param deadlineMs by the monotonic clock */
  add(call: Expiring, deadlineMs: number): void {
    const slot = Math.ceil(deadlineMs / SLOT_MS);
    const first = this.#slots.get(slot);
    call.deadlineSlot = slot;
    call.nextExpiring = first;
    if (first) first.previousExpiring = call;
    this.#slots.set(slot, call);
    if (slot < this.#timerSlot) this.#setTimer(slot);
  }

  remove(call: Expiring): void {
    const slot = call.deadlineSlot;
    if (slot === undefined) return;
    const { previousExpiring, nextExpiring } = call;
    call.deadlineSlot = undefined;
    call.previousExpiring = undefined;
    call.nextExpiring = undefined;
    if (nextExpiring) nextExpiring.previousExpiring = previousExpiring;
    if (previousExpiring) previousExpiring.nextExpiring = nextExpiring;
    else if (nextExpiring) this.#slots.set(slot, nextExpiring);
    else this.#slots.delete(slot);
  }

  /** Ends nothing any more. */
  close(): void {
    this.#timer?.cancel();
    this.#slots.clear();
  }

  #setTimer(slot: number): void {
    this.#timer?.cancel();
    this.#timerSlot = slot;
    const delayMs = Math.max(0, slot * SLOT_MS - this.#clock.monotonicMs());
    this.#timer = this.#clock.setTimer(delayMs, () => this.#onTimer());
  }

  #onTimer(): void {
    this.#timer = undefined;
    this.#timerSlot = Number.POSITIVE_INFINITY;
    const nowSlot = Math.floor(this.#clock.monotonicMs() / SLOT_MS);
    let next = Number.POSITIVE_INFINITY;
    for (const slot of [...this.#slots.keys()]) {
      if (slot <= nowSlot) this.#expire(slot);
      else if (slot < next) next = slot;
    }
    // What is added while others expire sets the timer by itself.
    if (next < this.#timerSlot) this.#setTimer(next);
  }

  #expire(slot: number): void {
    for (let call = this.#slots.get(slot); call; call = this.#slots.get(slot)) {
      this.remove(call);
      call.expire();
    }
  }
}
