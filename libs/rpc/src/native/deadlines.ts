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

/** Slots after which the same places are used again: deadlines further away have to be passed over until then. */
const PLACE_COUNT = 1024;
const PLACE_MASK = PLACE_COUNT - 1;

/**
 * The deadlines of many calls with one timer. Calls are listed by slots of some milliseconds, and the slots in a wheel, so
 * that adding and removing one costs neither a timer nor a search. No `Map`, for the reason that `StreamTable` gives.
 */
export class Deadlines {
  readonly #clock: Clock;
  /** First call of each place. */
  readonly #places = new Array<Expiring | undefined>(PLACE_COUNT).fill(undefined);
  #timer: Timer | undefined;
  /** No call is listed for an earlier slot. */
  #timerSlot = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param deadlineMs by the monotonic clock */
  add(call: Expiring, deadlineMs: number): void {
    const slot = Math.ceil(deadlineMs / SLOT_MS);
    const place = slot & PLACE_MASK;
    const first = this.#places[place];
    call.deadlineSlot = slot;
    call.nextExpiring = first;
    if (first) first.previousExpiring = call;
    this.#places[place] = call;
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
    else this.#places[slot & PLACE_MASK] = nextExpiring;
  }

  /** Ends nothing any more. */
  close(): void {
    this.#timer?.cancel();
    this.#places.fill(undefined);
  }

  #setTimer(slot: number): void {
    this.#timer?.cancel();
    this.#timerSlot = slot;
    const delayMs = Math.max(0, slot * SLOT_MS - this.#clock.monotonicMs());
    this.#timer = this.#clock.setTimer(delayMs, () => this.#onTimer(slot));
  }

  #onTimer(firstSlot: number): void {
    this.#timer = undefined;
    this.#timerSlot = Number.POSITIVE_INFINITY;
    const nowSlot = Math.floor(this.#clock.monotonicMs() / SLOT_MS);
    const lastSlot = Math.min(nowSlot, firstSlot + PLACE_MASK);
    for (let slot = firstSlot; slot <= lastSlot; slot++) this.#expire(slot & PLACE_MASK, nowSlot);
    for (let slot = nowSlot + 1; slot <= nowSlot + PLACE_COUNT; slot++) {
      if (this.#places[slot & PLACE_MASK] === undefined) continue;
      // What is added while others expire sets the timer by itself.
      if (slot < this.#timerSlot) this.#setTimer(slot);
      return;
    }
  }

  #expire(place: number, nowSlot: number): void {
    const due: Expiring[] = [];
    for (let call = this.#places[place]; call; call = call.nextExpiring) {
      if (call.deadlineSlot! <= nowSlot) due.push(call);
    }
    for (const call of due) {
      // The end of one may be that of others.
      if (call.deadlineSlot === undefined) continue;
      this.remove(call);
      call.expire();
    }
  }
}
