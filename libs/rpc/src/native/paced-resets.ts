import type { Clock, Timer } from '@orbitmq/base';

/** Below what a server of ours takes from a connection: 200 a second, of five seconds at once (`grpcMaxResetsPerSecond`). */
const PER_SECOND = 150;
const BURST = 900;
const TICK_MS = 50;

/** What resets are paced with. */
export interface PacedResetsOptions {
  readonly clock: Clock;
  /** Resets a stream. */
  reset(streamId: number, code: number): void;
  /** Streams have been reset that had to wait. */
  onProgress(): void;
}

/**
 * Resets streams, but no more at a time than servers put up with: one that finds them too many closes the connection, and with it the
 * calls of all others that share it. A stream that waits for its reset goes on counting as open.
 */
export class PacedResets {
  readonly #options: PacedResetsOptions;
  /** Codes by stream, in the order in which they came. */
  readonly #waiting = new Map<number, number>();
  #left = BURST;
  #countedMs: number;
  #timer: Timer | undefined;

  constructor(options: PacedResetsOptions) {
    this.#options = options;
    this.#countedMs = options.clock.monotonicMs();
  }

  /** Streams that are still to be reset. */
  get waitingCount(): number {
    return this.#waiting.size;
  }

  /** Resets a stream now, or as soon as there were not too many. */
  add(streamId: number, code: number): void {
    if (this.#waiting.size === 0 && this.#take()) {
      this.#options.reset(streamId, code);
      return;
    }
    this.#waiting.set(streamId, code);
    this.#timer ??= this.#options.clock.setTimer(TICK_MS, () => this.#onTick());
  }

  /** The server has ended a stream; there is nothing left to reset. @returns whether it waited for that */
  ended(streamId: number): boolean {
    return this.#waiting.size > 0 && this.#waiting.delete(streamId);
  }

  /** The connection ends, and all streams with it. */
  stop(): void {
    this.#waiting.clear();
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #onTick(): void {
    this.#timer = undefined;
    for (const [streamId, code] of this.#waiting) {
      if (!this.#take()) break;
      this.#waiting.delete(streamId);
      this.#options.reset(streamId, code);
    }
    if (this.#waiting.size > 0) this.#timer = this.#options.clock.setTimer(TICK_MS, () => this.#onTick());
    this.#options.onProgress();
  }

  #take(): boolean {
    const nowMs = this.#options.clock.monotonicMs();
    this.#left = Math.min(BURST, this.#left + ((nowMs - this.#countedMs) * PER_SECOND) / 1000);
    this.#countedMs = nowMs;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}
