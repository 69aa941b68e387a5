import type { Clock, Timer } from '@orbitmq/base';
import type { ReplicationSettings } from './times.ts';

/** What is needed to notice that nothing comes. */
export interface SilenceOptions {
  readonly clock: Clock;
  readonly settings: Pick<ReplicationSettings, 'silenceMs'>;
}

/** Ends a stream on which nothing has come for too long. */
export class Silence {
  readonly #options: SilenceOptions;
  readonly #onSilence: () => void;
  #heardMs: number;
  #timer: Timer | undefined;

  constructor(options: SilenceOptions, onSilence: () => void) {
    this.#options = options;
    this.#onSilence = onSilence;
    this.#heardMs = options.clock.monotonicMs();
    this.#watch(options.settings.silenceMs);
  }

  broken(): void {
    this.#heardMs = this.#options.clock.monotonicMs();
  }

  end(): void {
    this.#timer?.cancel();
  }

  #watch(delayMs: number): void {
    this.#timer = this.#options.clock.setTimer(delayMs, () => {
      const leftMs = this.#heardMs + this.#options.settings.silenceMs - this.#options.clock.monotonicMs();
      if (leftMs > 0) this.#watch(leftMs);
      else this.#onSilence();
    });
  }
}
