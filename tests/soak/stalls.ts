const TICK_MS = 1_000;
/** A timer that fires so much too late says that the machine, or this process, stood still. */
const LATE_MS = 10_000;
/** A call whose deadline has passed may have begun so long ago. */
const AFTERWARDS_MS = 90_000;

/** Knows when the machine stood still for so long that calls run out of time through nobody's fault. */
export class Stalls {
  /** What happened, for people. */
  readonly told: string[] = [];
  readonly #beginMs = performance.now();
  readonly #timer: NodeJS.Timeout;
  #lastTickMs = performance.now();
  #lastStallMs = Number.NEGATIVE_INFINITY;

  constructor() {
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** Whether what has just failed may have failed because of that. */
  get isRecent(): boolean {
    this.#tick();
    return performance.now() - this.#lastStallMs < AFTERWARDS_MS;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    const nowMs = performance.now();
    const lateMs = nowMs - this.#lastTickMs - TICK_MS;
    this.#lastTickMs = nowMs;
    if (lateMs < LATE_MS) return;
    this.#lastStallMs = nowMs;
    const seconds = (lateMs / 1_000).toFixed(0);
    this.told.push(`for ${seconds} s before minute ${((nowMs - this.#beginMs) / 60_000).toFixed(1)}`);
  }
}
