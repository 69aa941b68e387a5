import { type Clock, SECOND_MS } from '@orbitmq/base';
import type { LogChunk, LogCopies } from '@orbitmq/storage';
import type { SessionReads } from './session-reads.ts';

/** What the reads at followers work with. */
export interface FollowerReadsOptions {
  readonly clock: Clock;
  /** A follower is connected. */
  isFollowed(): boolean;
  /** Those that have all that is confirmed. */
  inSync(): readonly SessionReads[];
}

/** Followers that are asked for one read, one after the other. */
const TRIES_MAX = 2;
/** A follower that was there so lately, or a leader that leads for no longer: one may be back soon. */
const EXPECTED_MS = 30 * SECOND_MS;

/** The copies of a leader's log: those of its followers in sync. */
export class FollowerReads implements LogCopies {
  readonly #options: FollowerReadsOptions;
  #lastFollowedMs: number;

  constructor(options: FollowerReadsOptions) {
    this.#options = options;
    this.#lastFollowedMs = options.clock.monotonicMs();
  }

  get areExpected(): boolean {
    const { clock, isFollowed } = this.#options;
    return isFollowed() || clock.monotonicMs() - this.#lastFollowedMs < EXPECTED_MS;
  }

  /** A follower's stream has ended. */
  lost(): void {
    this.#lastFollowedMs = this.#options.clock.monotonicMs();
  }

  async read(from: number, bytesMax: number): Promise<LogChunk | undefined> {
    const ready = this.#options.inSync().filter(({ isReady }) => isReady);
    ready.sort((one, other) => one.waitingCount - other.waitingCount);
    for (const reads of ready.slice(0, TRIES_MAX)) {
      const chunk = await reads.read(from, bytesMax);
      if (chunk !== undefined) return chunk;
    }
    return undefined;
  }
}
