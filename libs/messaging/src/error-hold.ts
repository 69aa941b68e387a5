import type { Clock } from '@orbitmq/base';
import type { Call } from '@orbitmq/rpc';
import type { MessagingConfig } from './config.ts';

/** An answer must have left before the deadline. Milliseconds. */
const DEADLINE_MARGIN_MS = 200;

/**
 * Holds the answers of failed receives for a second: clients repeat a receive that failed at once (Rust after 1 ms, Go
 * after 20 ms), and would keep the broker busy with nothing else.
 */
export class ErrorHold {
  private readonly clock: Clock;
  private readonly holdMs: number;
  private readonly countMax: number;
  private count = 0;

  constructor(clock: Clock, config: MessagingConfig) {
    this.clock = clock;
    this.holdMs = config.times.errorHoldMs;
    this.countMax = config.limits.heldErrorsMax;
  }

  /** Settles when a call that came at `startedMs` may be told that it failed, or when it is cancelled. */
  async until(startedMs: number, call: Call): Promise<void> {
    const dueMs = startedMs + this.holdMs - this.clock.monotonicMs();
    const leftMs = Math.min(dueMs, call.remainingMs() - DEADLINE_MARGIN_MS);
    if (leftMs <= 0 || this.count >= this.countMax) return;
    this.count++;
    await new Promise<void>((resolve) => {
      const timer = this.clock.setTimer(leftMs, resolve);
      const stop = (): void => {
        timer.cancel();
        resolve();
      };
      call.onCancel(stop);
      call.onDrain(stop);
    });
    this.count--;
  }
}
