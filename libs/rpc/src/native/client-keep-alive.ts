import type { Clock, Timer } from '@orbitmq/base';

const ANSWER_MS_MAX = 10_000;

export interface KeepAliveOptions {
  readonly clock: Clock;
  /** Silence after which a sign of life is asked for. */
  readonly intervalMs: number;
  /** Asks for one. */
  readonly ask: () => void;
  /** None has come. Called once. */
  readonly onDead: () => void;
}

/** Asks a server that is silent for a sign of life, and tells when none comes. */
export class KeepAlive {
  readonly #options: KeepAliveOptions;
  #isHeard = false;
  #timer: Timer;

  constructor(options: KeepAliveOptions) {
    this.#options = options;
    this.#timer = this.#watch();
  }

  /** Something has come. */
  heard(): void {
    this.#isHeard = true;
  }

  stop(): void {
    this.#timer.cancel();
  }

  #watch(): Timer {
    const { clock, intervalMs, ask, onDead } = this.#options;
    this.#isHeard = false;
    return clock.setTimer(intervalMs, () => {
      if (this.#isHeard) {
        this.#timer = this.#watch();
        return;
      }
      ask();
      this.#timer = clock.setTimer(ANSWER_MS_MAX, () => {
        if (this.#isHeard) this.#timer = this.#watch();
        else onDead();
      });
    });
  }
}
