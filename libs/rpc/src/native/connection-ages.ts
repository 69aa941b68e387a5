import type { Clock, Random, Timer } from '@orbitmq/base';

/** How much the ages of two connections may differ from what is set, so that what came together does not go together (gRPC A9). */
const JITTER = 0.1;
/** Connections are told at most so much of the age too late: more exactly would take a look at the others each time. */
const STEP = 0.001;

/** A connection that grows old. */
export interface Ageing {
  /** Monotonic. */
  readonly openedAtMs: number;
}

/** What ages are watched with. */
export interface ConnectionAgesOptions<Connection> {
  /** Infinity = connections do not grow old. Milliseconds. */
  readonly ageMsMax: number;
  readonly clock: Clock;
  readonly random: Random;
  /** Has reached its age; called once for each. */
  onOld(connection: Connection): void;
}

/** Tells of connections that have reached an age, which is within a tenth of the one that is set; one timer for all. */
export class ConnectionAges<Connection extends Ageing> {
  readonly #options: ConnectionAgesOptions<Connection>;
  /** When each is due; in the order in which they were opened. */
  readonly #dueMs = new Map<Connection, number>();
  #timer: Timer | undefined;
  #timerMs = Number.POSITIVE_INFINITY;

  constructor(options: ConnectionAgesOptions<Connection>) {
    this.#options = options;
  }

  /** It has been opened just now. */
  add(connection: Connection): void {
    const { ageMsMax, random } = this.#options;
    if (ageMsMax === Number.POSITIVE_INFINITY) return;
    const dueMs = connection.openedAtMs + ageMsMax * (1 + JITTER * (random.below(2001) / 1000 - 1));
    this.#dueMs.set(connection, dueMs);
    if (dueMs < this.#timerMs) this.#setTimer(dueMs);
  }

  /** It is closed. */
  remove(connection: Connection): void {
    this.#dueMs.delete(connection);
  }

  /** Nobody is told of any more. */
  close(): void {
    this.#timer?.cancel();
    this.#dueMs.clear();
  }

  #setTimer(atMs: number): void {
    const { clock } = this.#options;
    this.#timer?.cancel();
    this.#timerMs = atMs;
    this.#timer = clock.setTimer(Math.max(0, atMs - clock.monotonicMs()), () => this.#onTimer());
  }

  #onTimer(): void {
    const { ageMsMax, clock, onOld } = this.#options;
    const nowMs = clock.monotonicMs();
    this.#timer = undefined;
    this.#timerMs = Number.POSITIVE_INFINITY;
    const old: Connection[] = [];
    let nextMs = Number.POSITIVE_INFINITY;
    for (const [connection, dueMs] of this.#dueMs) {
      if (connection.openedAtMs + ageMsMax * (1 - JITTER) > nextMs) break; // nor is one that is younger due before
      if (dueMs <= nowMs) old.push(connection);
      else nextMs = Math.min(nextMs, dueMs);
    }
    if (nextMs < Number.POSITIVE_INFINITY) this.#setTimer(Math.max(nextMs, nowMs + ageMsMax * STEP));
    for (const connection of old) {
      this.#dueMs.delete(connection);
      onOld(connection);
    }
  }
}
