import { MqError } from '@orbitmq/base';
import type { Availability } from './availability.ts';
import type { Waiter } from './common-types.ts';
import type { LiteReading } from './lite-reading.ts';
import { Subscription, WaitingReceive } from './subscription.ts';

/** How many receives may wait. */
export interface WaiterLimits {
  readonly waitersMaxPerSubscription: number;
  readonly waitersMax: number;
}

/** What receives wait for: a group's reading of a topic, or of lite topics. */
type Waited = Subscription | LiteReading;

/**
 * Receives that found nothing and wait. An event wakes one of them; after its receive, or when it is cancelled instead,
 * the next is woken if there is still something to have. So no message lies while somebody waits for it, and a
 * hundred waiters don't run for one message. Those that have only to wait until less is handed out on the whole broker
 * have their turn in the order in which they were found so.
 */
export class Waiters {
  readonly #availability: Availability;
  readonly #limits: WaiterLimits;
  /** Something to have may be there for them when less is handed out. */
  readonly #starved = new Set<Waited>();
  #count = 0;

  constructor(availability: Availability, limits: WaiterLimits) {
    this.#availability = availability;
    this.#limits = limits;
  }

  /** Receives that wait now. */
  get count(): number {
    return this.#count;
  }

  /** @throws MqError TOO_MANY_REQUESTS when too many wait */
  wait(waited: Waited): Waiter {
    if (waited.waiters.size >= this.#limits.waitersMaxPerSubscription || this.#count >= this.#limits.waitersMax) {
      throw new MqError(
        'TOO_MANY_REQUESTS',
        `${waited.waiters.size} receives of this group wait on this topic and ${this.#count} on the broker; ` +
          `${this.#limits.waitersMaxPerSubscription} and ${this.#limits.waitersMax} may: poll less often or with fewer consumers`,
      );
    }
    const waiter = new WaitingReceive((cancelled) => this.#leave(waited, cancelled));
    if (this.#hasAny(waited)) {
      waiter.settle(true);
      return waiter;
    }
    waited.waiters.add(waiter);
    this.#count++;
    if (this.#availability.isFull()) this.#starved.add(waited);
    return waiter;
  }

  /** Something has changed: wakes the one that has waited longest, when there is something to have. @returns whether it has */
  wake(waited: Waited): boolean {
    if (waited.waiters.size === 0) return false;
    if (!this.#hasAny(waited)) {
      if (this.#availability.isFull()) this.#starved.add(waited);
      return false;
    }
    const waiter = waited.waiters.values().next().value!;
    this.#remove(waited, waiter);
    waiter.settle(true);
    return true;
  }

  /** Less may be handed out than before: wakes one of those who had to wait for that. Its receive calls this again. */
  refill(): void {
    if (this.#starved.size === 0 || this.#availability.isFull()) return;
    for (const waited of this.#starved) {
      this.#starved.delete(waited);
      if (this.wake(waited)) return;
    }
  }

  /** The topic or group is gone, or the shard stops: nobody waits any longer. */
  dismiss(waited: Waited): void {
    for (const waiter of waited.waiters) waiter.settle(false);
    this.#count -= waited.waiters.size;
    waited.waiters.clear();
    this.#starved.delete(waited);
  }

  #hasAny(waited: Waited): boolean {
    return waited instanceof Subscription ? this.#availability.hasAny(waited) : waited.hasAny();
  }

  #leave(waited: Waited, waiter: WaitingReceive): void {
    this.#remove(waited, waiter);
    // It may have been woken and have gone without a receive.
    this.wake(waited);
    this.refill();
  }

  #remove(waited: Waited, waiter: WaitingReceive): void {
    if (waited.waiters.delete(waiter)) this.#count--;
  }
}
