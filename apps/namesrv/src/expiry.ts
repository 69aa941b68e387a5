import type { Clock, Timer } from '@orbitmq/base';
import type { RouteTable } from '@orbitmq/routing';
import type { Component, Logger } from '@orbitmq/runtime';

const INTERVAL_MS = 250;

/** Takes brokers out of the route table when they have been silent for too long. */
export class Expiry implements Component {
  readonly name = 'expiry';
  readonly #table: RouteTable;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #timer: Timer | undefined;

  constructor(table: RouteTable, clock: Clock, logger: Logger) {
    this.#table = table;
    this.#clock = clock;
    this.#logger = logger;
  }

  async start(): Promise<void> {
    this.#wait();
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
  }

  #wait(): void {
    this.#timer = this.#clock.setTimer(INTERVAL_MS, () => {
      for (const { identity, owner } of this.#table.expire(this.#clock.monotonicMs())) {
        const cause = owner === undefined ? 'its connection ended' : 'it has been silent';
        this.#logger.warn(
          { broker: identity.brokerName, id: identity.brokerId, cause },
          'broker taken out of the routes',
        );
      }
      this.#wait();
    });
  }
}
