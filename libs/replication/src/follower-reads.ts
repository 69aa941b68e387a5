import { type Clock, SECOND_MS } from '@orbitmq/base';
import type { CopyReason, LogChunk, LogCopies } from '@orbitmq/storage';
import type { SessionReads } from './session-reads.ts';

/** A follower that may be asked. */
export interface ReadingFollower {
  readonly member: number;
  readonly reads: SessionReads;
  /** What it is known to have. */
  readonly storedOffset: number;
}

/** What the reads at followers work with. */
export interface FollowerReadsOptions {
  readonly clock: Clock;
  /** Those that are connected. */
  followers(): readonly ReadingFollower[];
  isInSync(follower: ReadingFollower): boolean;
}

/** Followers that are asked for one read, one after the other. */
const TRIES_MAX = 2;
/** A follower that was there so lately, or a leader that leads for no longer: one may be back soon. */
const EXPECTED_MS = 30 * SECOND_MS;

/** The copies of a leader's log: those of its followers. */
export class FollowerReads implements LogCopies {
  readonly #options: FollowerReadsOptions;
  #lastFollowedMs: number;

  constructor(options: FollowerReadsOptions) {
    this.#options = options;
    this.#lastFollowedMs = options.clock.monotonicMs();
  }

  get areExpected(): boolean {
    const { clock, followers } = this.#options;
    return followers().length > 0 || clock.monotonicMs() - this.#lastFollowedMs < EXPECTED_MS;
  }

  /** A follower's stream has ended. */
  lost(): void {
    this.#lastFollowedMs = this.#options.clock.monotonicMs();
  }

  async read(from: number, bytesMax: number, why: CopyReason): Promise<LogChunk | undefined> {
    for (const { reads } of this.#askable(from, why).slice(0, TRIES_MAX)) {
      const chunk = await reads.read(from, bytesMax);
      if (chunk !== undefined) return chunk;
    }
    return undefined;
  }

  /** Those in sync first: others have to catch up, and are only asked for what is lost. */
  #askable(from: number, why: CopyReason): ReadingFollower[] {
    const { followers, isInSync } = this.#options;
    const ready = followers().filter(({ reads }) => reads.isReady);
    ready.sort((one, other) => one.reads.waitingCount - other.reads.waitingCount);
    const inSync = ready.filter(isInSync);
    if (why === 'far') return inSync;
    return [...inSync, ...ready.filter((follower) => !isInSync(follower) && follower.storedOffset > from)];
  }
}
