import type { Clock, Timer } from '@orbitmq/base';

interface SimTimer {
  readonly dueMs: number;
  readonly sequence: number;
  readonly owner: object;
  callback: (() => void) | undefined;
}

/** Where the simulated wall clock stands at the start: an arbitrary moment. Milliseconds since 1970. */
const WALL_START_MS = 1_700_000_000_000;

/**
 * Time that only moves when it is told to. Timers run in the order of their due times, those with the same one in the
 * order in which they were set; after each timer everything that its promises set off runs to its end.
 */
export class SimClock implements Clock {
  #nowMs = 0;
  #wallShiftMs = WALL_START_MS;
  #sequence = 0;
  /** Binary heap by due time, then sequence. */
  readonly #timers: SimTimer[] = [];

  wallMs(): number {
    return Math.floor(this.#nowMs + this.#wallShiftMs);
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    return this.#set(this, delayMs, callback);
  }

  /** Moves the wall clock by `byMs`, which may be negative; the monotonic clock does not notice. */
  jumpWall(byMs: number): void {
    this.#wallShiftMs += byMs;
  }

  /** The clock of one simulated process: `stop` takes back its timers, as the end of a process does. */
  process(): SimProcessClock {
    const owner = {};
    return {
      wallMs: () => this.wallMs(),
      monotonicMs: () => this.monotonicMs(),
      setTimer: (delayMs, callback) => this.#set(owner, delayMs, callback),
      stop: () => {
        for (const timer of this.#timers) if (timer.owner === owner) timer.callback = undefined;
      },
    };
  }

  /** Number of timers that are set. */
  get timerCount(): number {
    return this.#timers.reduce((count, timer) => count + (timer.callback === undefined ? 0 : 1), 0);
  }

  /** Moves time on by `byMs` and runs what falls due on the way. */
  async advance(byMs: number): Promise<void> {
    const untilMs = this.#nowMs + byMs;
    await drain();
    while (this.#timers.length > 0 && this.#timers[0]!.dueMs <= untilMs) await this.#runNext();
    this.#nowMs = untilMs;
  }

  /**
   * Moves time on from timer to timer until `condition` holds.
   * @throws Error when there is no timer left, or `limitMs` of simulated time have passed
   */
  async runUntil(condition: () => boolean, limitMs = 3_600_000): Promise<void> {
    const untilMs = this.#nowMs + limitMs;
    await drain();
    while (!condition()) {
      const next = this.#timers[0];
      if (next === undefined || next.dueMs > untilMs) {
        throw new Error(next === undefined ? 'nothing is left to wait for' : `nothing happened within ${limitMs} ms`);
      }
      await this.#runNext();
    }
  }

  /** Runs timers until none is left, or `limitMs` of simulated time have passed. */
  async runUntilIdle(limitMs = 3_600_000): Promise<void> {
    const untilMs = this.#nowMs + limitMs;
    await drain();
    while (this.#timers.length > 0 && this.#timers[0]!.dueMs <= untilMs) await this.#runNext();
  }

  /**
   * Runs time until `promise` settles, and gives what it gives.
   * @throws what the promise rejects with, or Error when it can't settle any more
   */
  async settle<T>(promise: Promise<T>, limitMs = 3_600_000): Promise<T> {
    let done = false;
    const end = (): void => {
      done = true;
    };
    promise.then(end, end);
    await this.runUntil(() => done, limitMs);
    return await promise;
  }

  #set(owner: object, delayMs: number, callback: () => void): Timer {
    const timer: SimTimer = { dueMs: this.#nowMs + Math.max(0, delayMs), sequence: this.#sequence++, owner, callback };
    this.#push(timer);
    return {
      cancel: () => {
        timer.callback = undefined;
      },
    };
  }

  async #runNext(): Promise<void> {
    const timer = this.#pop();
    if (timer.callback === undefined) return;
    this.#nowMs = Math.max(this.#nowMs, timer.dueMs);
    timer.callback();
    await drain();
  }

  #push(timer: SimTimer): void {
    const heap = this.#timers;
    let at = heap.length;
    heap.push(timer);
    while (at > 0) {
      const above = (at - 1) >>> 1;
      if (!isBefore(timer, heap[above]!)) break;
      heap[at] = heap[above]!;
      at = above;
    }
    heap[at] = timer;
  }

  #pop(): SimTimer {
    const heap = this.#timers;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && isBefore(heap[below + 1]!, heap[below]!)) below++;
      if (!isBefore(heap[below]!, last)) break;
      heap[at] = heap[below]!;
      at = below;
    }
    heap[at] = last;
    return first;
  }
}

/** The clock of one simulated process. */
export interface SimProcessClock extends Clock {
  /** Takes back all timers of the process. */
  stop(): void;
}

function isBefore(one: SimTimer, other: SimTimer): boolean {
  return one.dueMs < other.dueMs || (one.dueMs === other.dueMs && one.sequence < other.sequence);
}

/** Lets all promises run on: a turn of the event loop begins only when no microtask is left. */
function drain(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
