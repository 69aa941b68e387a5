import type { Clock } from '@orbitmq/base';
import type { Route } from './route.ts';
import type { RouteTable } from './route-table.ts';

/**
 * Routes as they are asked for. A name server that has just started knows nothing, which is not the same as "there is no
 * such topic": until the brokers have had time to register, a question for what is not known yet waits for them.
 */
export class RouteLookup {
  readonly #table: RouteTable;
  readonly #clock: Clock;
  readonly #warmUpEndMs: number;

  /** @param warmUpMs time for brokers to register, from now */
  constructor(table: RouteTable, clock: Clock, warmUpMs: number) {
    this.#table = table;
    this.#clock = clock;
    this.#warmUpEndMs = clock.monotonicMs() + warmUpMs;
  }

  /** Milliseconds until questions no longer wait. */
  get warmUpLeftMs(): number {
    return Math.max(0, this.#warmUpEndMs - this.#clock.monotonicMs());
  }

  /** The route of a topic, at once unless it is unknown and brokers may still be about to register. */
  routeOf(topicName: string): Route | Promise<Route> {
    const route = this.#table.routeOf(topicName);
    return route.exists || this.warmUpLeftMs === 0 ? route : this.#waitFor(topicName);
  }

  #waitFor(topicName: string): Promise<Route> {
    return new Promise((resolve) => {
      const answer = (): void => {
        stopListening();
        timer.cancel();
        resolve(this.#table.routeOf(topicName));
      };
      const timer = this.#clock.setTimer(this.warmUpLeftMs, answer);
      const stopListening = this.#table.onChange(() => {
        if (this.#table.routeOf(topicName).exists) answer();
      });
    });
  }
}
