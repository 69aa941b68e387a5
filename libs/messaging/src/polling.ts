import { type Clock, MqError } from '@orbitmq/base';
import { POLLING_MS_MAX, POLLING_MS_MIN } from '@orbitmq/protocol';
import type { Call } from '@orbitmq/rpc';
import type { Waiter } from '@orbitmq/shard';
import type { MessagingLimits } from './config.ts';
import type { MessagingEvents } from './events.ts';
import type { Session } from './session.ts';

/** Request timeout of clients that have not told theirs. Milliseconds. */
const REQUEST_TIMEOUT_MS = 3_000;

/** What decides how long a receive may wait. All milliseconds. */
export interface PollingWish {
  /** `long_polling_timeout`; undefined for very old clients. */
  readonly requestedMs: number | undefined;
  /** `request_timeout` of the client's settings. */
  readonly requestTimeoutMs: number | undefined;
  /** Left until the client's deadline; Infinity when it has none. */
  readonly remainingMs: number;
  /** The answer comes so long before the deadline. */
  readonly deadlineMarginMs: number;
}

/**
 * How long a receive waits: what the client asks for, 5…20 s, and no longer than its deadline allows.
 * @returns milliseconds
 * @throws MqError ILLEGAL_POLLING_TIME when the deadline leaves less than 5 s
 */
export function pollingMs(wish: PollingWish): number {
  const { remainingMs, deadlineMarginMs } = wish;
  const wishedMs = wish.requestedMs ?? remainingMs - (wish.requestTimeoutMs ?? REQUEST_TIMEOUT_MS) / 2;
  const clampedMs = Math.min(Math.max(wishedMs, POLLING_MS_MIN), POLLING_MS_MAX);
  // a deadline of exactly 5 s has lost some milliseconds on its way here
  if (remainingMs < POLLING_MS_MIN - deadlineMarginMs) {
    throw new MqError(
      'ILLEGAL_POLLING_TIME',
      `a receive has at least ${POLLING_MS_MIN} ms until its deadline; found ${Math.floor(remainingMs)} ms; give it a longer deadline`,
    );
  }
  return Math.min(clampedMs, remainingMs - deadlineMarginMs);
}

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
