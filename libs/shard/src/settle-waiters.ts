/** Waits until what was appended is stored; exactly one of its methods is called, once, and neither may throw. */
export interface SettleWaiter {
  /** What `Shard.settled` resolves for has happened. */
  settled(): void;
  /** Nobody knows whether it is stored. @param error what `Shard.settled` would have rejected with */
  unsettled(error: unknown): void;
}

/** Those who wait for one batch of the log stand in one line behind one promise, so that each costs a place in an array. */
export class SettleWaiters {
  #settling: Promise<void> | undefined;
  #waiters: SettleWaiter[] = [];

  /** @param settling the same for all who wait for one batch */
  add(settling: Promise<void>, waiter: SettleWaiter): void {
    if (settling === this.#settling) this.#waiters.push(waiter);
    else this.#await(settling, [waiter]);
  }

  #await(settling: Promise<void>, waiters: SettleWaiter[]): void {
    this.#settling = settling;
    this.#waiters = waiters;
    settling.then(
      () => {
        this.#leave(settling);
        for (const waiter of waiters) waiter.settled();
      },
      (error: unknown) => {
        this.#leave(settling);
        for (const waiter of waiters) waiter.unsettled(error);
      },
    );
  }

  /** A promise that has settled is given again while nothing is appended: who comes then stands in a new line. */
  #leave(settling: Promise<void>): void {
    if (this.#settling === settling) this.#settling = undefined;
  }
}
