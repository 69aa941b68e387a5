import { type Clock, MqError } from '@orbitmq/base';

/**
 * Bounds the wait for what others must store, too. All who wait for one batch share one promise of the log, so they share
 * one bound and one timer.
 */
export class BoundedSettling {
  readonly #clock: Clock;
  readonly #settleMs: number;
  #settling: Promise<void> | undefined;
  #bounded: Promise<void> = Promise.resolve();

  constructor(clock: Clock, settleMs: number) {
    this.#clock = clock;
    this.#settleMs = settleMs;
  }

  /**
   * @param settling what the log gave
   * @returns settles with it, or rejects with MqError SLAVE_PERSISTENCE_TIMEOUT when the time is up
   */
  bound(settling: Promise<void>): Promise<void> {
    if (settling === this.#settling) return this.#bounded;
    this.#settling = settling;
    this.#bounded = new Promise((resolve, reject) => {
      const timer = this.#clock.setTimer(this.#settleMs, () => reject(this.#timeout()));
      settling.then(
        () => {
          timer.cancel();
          resolve();
        },
        (error: unknown) => {
          timer.cancel();
          reject(error);
        },
      );
    });
    // Whoever asked for it hears of it; with nobody there it is no news.
    this.#bounded.catch(() => {});
    return this.#bounded;
  }

  #timeout(): MqError {
    return new MqError(
      'SLAVE_PERSISTENCE_TIMEOUT',
      `the slaves in sync did not confirm within ${this.#settleMs} ms that this is stored; it is stored here, and may be ` +
        'delivered or not: try again',
    );
  }
}
