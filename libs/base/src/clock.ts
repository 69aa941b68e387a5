/** A timer that has been set. */
export interface Timer {
  /** Takes the timer back; nothing happens when it has already fired. */
  cancel(): void;
}

/**
 * Time as the engine sees it. Nothing in the engine reads a clock by itself, so that a simulation can move time.
 * Timers do not keep the process alive by themselves.
 */
export interface Clock {
  /** Milliseconds since 1970 by the wall clock. May jump in both directions. */
  wallMs(): number;
  /** Milliseconds of a clock that never jumps nor goes back; its origin means nothing. Fractions are allowed. */
  monotonicMs(): number;
  /** Runs `callback` once, `delayMs` (≥ 0) from now by the monotonic clock. */
  setTimer(delayMs: number, callback: () => void): Timer;
}

const DELAY_MAX_MS = 2 ** 31 - 1;

/** The machine's clocks. */
export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer(delayMs, callback) {
    const timeout = setTimeout(callback, Math.min(Math.max(0, Math.ceil(delayMs)), DELAY_MAX_MS));
    timeout.unref();
    return { cancel: () => clearTimeout(timeout) };
  },
};

/** Waits for `delayMs` milliseconds of the given clock. */
export function delay(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimer(delayMs, resolve);
  });
}
