import { type Clock, MqError } from '@orbitmq/base';
import type { Call } from '@orbitmq/rpc';
import type { Waiter } from '@orbitmq/shard';
import type { MessagingLimits } from './config.ts';
import type { MessagingEvents } from './events.ts';
import type { Session } from './session.ts';

/** The receives that wait for messages. */
export class Polls {
  private readonly clock: Clock;
  private readonly limits: MessagingLimits;
  private readonly events: MessagingEvents;
  private total = 0;

  constructor(clock: Clock, limits: MessagingLimits, events: MessagingEvents) {
    this.clock = clock;
    this.limits = limits;
    this.events = events;
  }

  /** Receives that wait. */
  get count(): number {
    return this.total;
  }

  /**
   * Waits until there may be messages, until `endMs` (monotonic), or until nobody wants them any more.
   * @returns whether there may be messages
   * @throws MqError TOO_MANY_REQUESTS when too many wait
   */
  async wait(waiter: Waiter, endMs: number, call: Call, session: Session): Promise<boolean> {
    const cancel = (): void => waiter.cancel();
    if (this.total >= this.limits.pollsMax || session.waitingPolls >= this.limits.pollsPerClientMax) {
      cancel();
      this.events.pollRefused();
      throw this.full(session);
    }
    this.total++;
    session.waitingPolls++;
    const timer = this.clock.setTimer(Math.max(0, endMs - this.clock.monotonicMs()), cancel);
    const forget = [call.onCancel(cancel), call.onDrain(cancel), session.onEnd(cancel)];
    try {
      return await waiter.ready;
    } finally {
      this.total--;
      session.waitingPolls--;
      timer.cancel();
      for (const stop of forget) stop();
    }
  }

  private full(session: Session): MqError {
    const { pollsMax, pollsPerClientMax } = this.limits;
    return new MqError(
      'TOO_MANY_REQUESTS',
      `polling full: a client has at most ${pollsPerClientMax} waiting receives, all clients together ${pollsMax}; found ${session.waitingPolls} and ${this.total}; wait for answers before receiving more`,
    );
  }
}
