import { type Clock, SECOND_MS, type Timer } from '@orbitmq/base';

/** Totals that only grow. */
export interface Totals {
  readonly sent: number;
  readonly delivered: number;
}

const INTERVAL_MS = 5 * SECOND_MS;
/** Samples kept: a minute. */
const SAMPLES_MAX = 13;

/** How much comes in and goes out, a second, over the last 10 seconds and the last minute. */
export class Rates {
  readonly #clock: Clock;
  readonly #totals: () => Totals;
  readonly #samples: { readonly atMs: number; readonly totals: Totals }[] = [];
  #timer: Timer | undefined;

  constructor(clock: Clock, totals: () => Totals) {
    this.#clock = clock;
    this.#totals = totals;
  }

  start(): void {
    this.#samples.push({ atMs: this.#clock.monotonicMs(), totals: this.#totals() });
    if (this.#samples.length > SAMPLES_MAX) this.#samples.shift();
    this.#timer = this.#clock.setTimer(INTERVAL_MS, () => this.start());
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** Messages a second in and out over the newest `windowMs`, or over as much as there is. */
  over(windowMs: number): Totals {
    const newest = this.#samples.at(-1);
    const oldest = this.#samples.find(({ atMs }) => newest !== undefined && newest.atMs - atMs <= windowMs);
    if (newest === undefined || oldest === undefined || newest === oldest) return { sent: 0, delivered: 0 };
    const seconds = (newest.atMs - oldest.atMs) / SECOND_MS;
    // A deleted topic takes its counts with it.
    const rate = (kind: keyof Totals): number => Math.max(0, (newest.totals[kind] - oldest.totals[kind]) / seconds);
    return { sent: rate('sent'), delivered: rate('delivered') };
  }
}
