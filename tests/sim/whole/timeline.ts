import type { SimClock } from '@orbitmq/testkit';

/** A promise that was broken; the history's seed repeats it. */
export class Violation extends Error {
  constructor(promise: string, facts: Record<string, unknown>) {
    super(`${promise}: ${JSON.stringify(facts)}`);
    this.name = 'Violation';
  }
}

/** Whether something has happened, as far as clients can know. */
export type Certainty = 'no' | 'maybe' | 'yes';

/** In which order calls and answers happened: what was answered before another call began came before it. */
export class Timeline {
  readonly #clock: SimClock;
  #sequence = 0;
  /** Latest that the wall clock has ever said: what was due then may have come, though the clock has gone back. */
  #wallHighestMs = 0;

  constructor(clock: SimClock) {
    this.#clock = clock;
  }

  /** Number of a call or an answer that happens now. */
  next(): number {
    return ++this.#sequence;
  }

  get nowMs(): number {
    return this.#clock.monotonicMs();
  }

  get wallMs(): number {
    return this.#clock.wallMs();
  }

  get wallHighestMs(): number {
    this.lookAtWall();
    return this.#wallHighestMs;
  }

  /** To be called at least before each jump of the wall clock. */
  lookAtWall(): void {
    this.#wallHighestMs = Math.max(this.#wallHighestMs, this.#clock.wallMs());
  }
}
