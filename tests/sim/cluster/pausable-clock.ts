import type { Clock, Timer } from '@orbitmq/base';
import type { SimClock, SimProcessClock } from '@orbitmq/testkit';

/** Where what a process hears of comes from; of one origin it keeps the order. */
export type Origin = 'timers' | 'disk' | 'network' | 'coordinator';

/** Something that waits until the process runs. */
interface Held {
  readonly origin: Origin;
  readonly run: () => void;
}

/**
 * Time as one process sees it. The process can be paused, as by SIGSTOP or a machine that is short of everything: time goes on, and
 * what comes meanwhile is heard of when it wakes, in any order that keeps that of each origin. Its end takes back all timers,
 * and nothing is heard any more.
 */
export class PausableClock implements Clock {
  readonly #sim: SimClock;
  readonly #process: SimProcessClock;
  readonly #originMs: number;
  readonly #pick: (limit: number) => number;
  #held: Held[] | undefined;
  #isOver = false;

  /**
   * @param originMs where the monotonic clock began
   * @param pick says what is heard first after a pause
   */
  constructor(sim: SimClock, originMs: number, pick: (limit: number) => number) {
    this.#sim = sim;
    this.#process = sim.process();
    this.#originMs = originMs;
    this.#pick = pick;
  }

  get isPaused(): boolean {
    return this.#held !== undefined;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  wallMs(): number {
    return this.#sim.wallMs();
  }

  monotonicMs(): number {
    return this.#sim.monotonicMs() + this.#originMs;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    return this.#set('timers', delayMs, callback);
  }

  /** The same clock for something beside the process whose ends it hears of. */
  of(origin: Origin): Clock {
    return {
      wallMs: () => this.wallMs(),
      monotonicMs: () => this.monotonicMs(),
      setTimer: (delayMs, callback) => this.#set(origin, delayMs, callback),
    };
  }

  /** Resolves when the process runs: undefined when it does now. Never, once it has ended. */
  awake(origin: Origin): Promise<void> | undefined {
    if (this.#isOver) return new Promise(() => {});
    if (this.#held === undefined) return undefined;
    return new Promise((resolve) => this.#held!.push({ origin, run: resolve }));
  }

  pause(): void {
    this.#held ??= [];
  }

  /** Lets it hear of what has come meanwhile. */
  resume(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    while (held.length > 0) {
      const { origin } = held[this.#pick(held.length)]!;
      const at = held.findIndex((other) => other.origin === origin);
      const [{ run }] = held.splice(at, 1) as [Held];
      this.#process.setTimer(0, run);
    }
  }

  stop(): void {
    this.#isOver = true;
    this.#process.stop();
  }

  #set(origin: Origin, delayMs: number, callback: () => void): Timer {
    if (this.#isOver) return { cancel: () => {} };
    let isCancelled = false;
    const run = (): void => {
      if (!isCancelled) callback();
    };
    const timer = this.#process.setTimer(delayMs, () => {
      if (this.#held === undefined) run();
      else this.#held.push({ origin, run });
    });
    return {
      cancel: () => {
        isCancelled = true;
        timer.cancel();
      },
    };
  }
}
