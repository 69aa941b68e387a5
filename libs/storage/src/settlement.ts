import { MqError } from '@orbitmq/base';
import { Deferred } from './deferred.ts';
import type { LogState } from './log-state.ts';
import type { LeadOptions } from './replica.ts';

/** A set of listeners to one number. */
export class Listeners<T> {
  readonly #listeners = new Set<(value: T) => void>();

  add(listener: (value: T) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  tell(value: T): void {
    for (const listener of this.#listeners) listener(value);
  }
}

/** Those who wait for an offset. */
interface Waiting {
  readonly offset: number;
  readonly waiters: Deferred;
}

const DONE = Promise.resolve();

/** Few who wait for different offsets. */
class Waiters {
  #waiting: Waiting[] = [];

  add(offset: number): Promise<void> {
    const waiters = new Deferred();
    this.#waiting.push({ offset, waiters });
    return waiters.promise;
  }

  reach(offset: number): void {
    if (this.#waiting.length === 0) return;
    const reached = this.#waiting.filter((waiting) => waiting.offset <= offset);
    this.#waiting = this.#waiting.filter((waiting) => waiting.offset > offset);
    for (const { waiters } of reached) waiters.resolve();
  }

  reject(error: Error): void {
    for (const { waiters } of this.#waiting.splice(0)) waiters.reject(error);
  }
}

/**
 * Moves the log's offsets from stored to confirmed and settled, and tells those who wait. What is settled can't be taken back, so
 * the leader's guard is asked before.
 */
export class Settlement {
  readonly onStored = new Listeners<number>();
  readonly onConfirmed = new Listeners<number>();
  readonly onSettled = new Listeners<number>();
  readonly onFenced = new Listeners<MqError>();
  readonly #state: LogState;
  #needsConfirmation = false;
  #guard: (() => boolean) | undefined;
  /** Batches that are stored and not settled, oldest first. */
  readonly #unsettled: Waiting[] = [];
  /** Those who wait for something to be stored, or confirmed; in no order. */
  readonly #awaitStored = new Waiters();
  readonly #awaitConfirmed = new Waiters();

  constructor(state: LogState) {
    this.#state = state;
  }

  /** From now on the log is led like this; what is stored is confirmed. */
  lead({ acknowledge, guard }: LeadOptions): void {
    this.#needsConfirmation = acknowledge === 'confirmed';
    this.#guard = guard;
    this.confirm(Number.POSITIVE_INFINITY);
  }

  /** A follower's log, which was empty, begins at an offset. */
  beginAt(startOffset: number): void {
    const state = this.#state;
    for (const name of [
      'storedOffset',
      'settledOffset',
      'confirmedOffset',
      'flushedOffset',
      'writtenOffset',
    ] as const) {
      state[name] = startOffset;
    }
  }

  /** A batch has been stored. */
  stored(offset: number, waiters: Deferred): void {
    const state = this.#state;
    if (state.fence !== undefined) return;
    state.storedOffset = offset;
    this.onStored.tell(offset);
    this.#awaitStored.reach(offset);
    this.#unsettled.push({ offset, waiters });
    this.#advance();
  }

  /** See `ReplicatedLog.confirm`. */
  confirm(limit: number): void {
    this.#state.confirmLimit = limit;
    this.#advance();
  }

  /** Settles when everything before `offset` is stored. */
  whenStored(offset: number): Promise<void> {
    return this.#when(this.#state.storedOffset, offset, this.#awaitStored);
  }

  /** Settles when everything before `offset` is confirmed. */
  whenConfirmed(offset: number): Promise<void> {
    return this.#when(this.#state.confirmedOffset, offset, this.#awaitConfirmed);
  }

  /** For an answer that rests on what is settled already: it says so in the leader's name, too, so the guard is asked. */
  whenNothingWaits(): Promise<void> {
    if (this.#guard?.() === false) this.fence(noLeader());
    const { fence } = this.#state;
    return fence === undefined ? DONE : Promise.reject(unknownOutcome(fence));
  }

  /** See `ReplicatedLog.fence`. */
  fence(error: MqError): void {
    const state = this.#state;
    if (state.fence !== undefined || state.failure !== undefined) return;
    state.fence = error;
    this.onFenced.tell(error);
    this.rejectAll(unknownOutcome(error));
  }

  /** Whoever waits gets the error. */
  rejectAll(error: Error): void {
    for (const { waiters } of this.#unsettled.splice(0)) waiters.reject(error);
    this.#awaitStored.reject(error);
    this.#awaitConfirmed.reject(error);
  }

  #when(reached: number, offset: number, waiters: Waiters): Promise<void> {
    const { failure, fence } = this.#state;
    if (failure !== undefined) return Promise.reject(failure);
    if (fence !== undefined) return Promise.reject(unknownOutcome(fence));
    return reached >= offset ? DONE : waiters.add(offset);
  }

  #advance(): void {
    const state = this.#state;
    const confirmedOffset = Math.max(state.confirmedOffset, Math.min(state.storedOffset, state.confirmLimit));
    const settledOffset = this.#needsConfirmation ? confirmedOffset : state.storedOffset;
    const isConfirmed = confirmedOffset > state.confirmedOffset;
    if (!isConfirmed && settledOffset <= state.settledOffset) return;
    if (state.fence !== undefined || state.failure !== undefined) return;
    if (this.#guard?.() === false) {
      this.fence(noLeader());
      return;
    }
    state.confirmedOffset = confirmedOffset;
    const isSettled = settledOffset > state.settledOffset;
    if (isSettled) state.settledOffset = settledOffset;
    if (isConfirmed) this.#tellConfirmed();
    if (isSettled) this.#tellSettled();
  }

  #tellConfirmed(): void {
    const { confirmedOffset } = this.#state;
    this.onConfirmed.tell(confirmedOffset);
    this.#awaitConfirmed.reach(confirmedOffset);
  }

  #tellSettled(): void {
    const { settledOffset } = this.#state;
    this.onSettled.tell(settledOffset);
    let count = 0;
    while (count < this.#unsettled.length && this.#unsettled[count]!.offset <= settledOffset) count++;
    for (const { waiters } of this.#unsettled.splice(0, count)) waiters.resolve();
  }
}

function noLeader(): MqError {
  return new MqError(
    'HA_NOT_AVAILABLE',
    'this broker may not be the master of its shard any more, nothing was stored: try again',
  );
}

/** What those get who had appended before the log was fenced: a next leader may have it, or not. */
export function unknownOutcome(cause: MqError): MqError {
  return new MqError(
    'MASTER_PERSISTENCE_TIMEOUT',
    'this broker may not be the master of its shard any more, and can not say whether what it was sent is kept: try again',
    { cause },
  );
}
