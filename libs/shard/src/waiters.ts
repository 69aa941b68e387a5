import { MqError } from '@orbitmq/base';
import type { Availability } from './availability.ts';
import type { Waiter } from './shard.ts';
import { type Subscription, WaitingReceive } from './subscription.ts';

/** How many receives may wait. */
export interface WaiterLimits {
  readonly waitersMaxPerSubscription: number;
  readonly waitersMax: number;
}

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
  readonly #starved = new Set<Subscription>();
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
  wait(subscription: Subscription): Waiter {
    if (subscription.waiters.size >= this.#limits.waitersMaxPerSubscription || this.#count >= this.#limits.waitersMax) {
      throw new MqError(
        'TOO_MANY_REQUESTS',
        `${subscription.waiters.size} receives of this group wait on this topic and ${this.#count} on the broker; ` +
          `${this.#limits.waitersMaxPerSubscription} and ${this.#limits.waitersMax} may: poll less often or with fewer consumers`,
      );
    }
    const waiter = new WaitingReceive((cancelled) => this.#leave(subscription, cancelled));
    if (this.#availability.hasAny(subscription)) {
      waiter.settle(true);
      return waiter;
    }
    subscription.waiters.add(waiter);
    this.#count++;
    if (this.#availability.isFull()) this.#starved.add(subscription);
    return waiter;
  }

  /** Something has changed: wakes the one that has waited longest, when there is something to have. @returns whether it has */
  wake(subscription: Subscription): boolean {
    if (subscription.waiters.size === 0) return false;
    if (!this.#availability.hasAny(subscription)) {
      if (this.#availability.isFull()) this.#starved.add(subscription);
      return false;
    }
    const waiter = subscription.waiters.values().next().value!;
    this.#remove(subscription, waiter);
    waiter.settle(true);
    return true;
  }

  /** Less may be handed out than before: wakes one of those who had to wait for that. Its receive calls this again. */
  refill(): void {
    if (this.#starved.size === 0 || this.#availability.isFull()) return;
    for (const subscription of this.#starved) {
      this.#starved.delete(subscription);
      if (this.wake(subscription)) return;
    }
  }

  /** The topic or group is gone, or the shard stops: nobody waits any longer. */
  dismiss(subscription: Subscription): void {
    for (const waiter of subscription.waiters) waiter.settle(false);
    this.#count -= subscription.waiters.size;
    subscription.waiters.clear();
    this.#starved.delete(subscription);
  }

  #leave(subscription: Subscription, waiter: WaitingReceive): void {
    this.#remove(subscription, waiter);
    // It may have been woken and have gone without a receive.
    this.wake(subscription);
    this.refill();
  }

  #remove(subscription: Subscription, waiter: WaitingReceive): void {
    if (subscription.waiters.delete(waiter)) this.#count--;
  }
}
