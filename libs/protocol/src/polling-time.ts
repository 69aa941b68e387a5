import { MqError } from '@orbitmq/base';
import { POLLING_MS_MAX, POLLING_MS_MIN } from './limits.ts';

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
