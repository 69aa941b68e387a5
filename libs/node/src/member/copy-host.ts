import type { FollowerHost } from '@orbitmq/replication';
import type { Logger } from '@orbitmq/runtime';
import type { FollowerShard } from '@orbitmq/shard';
import type { ShardFiles } from './member-options.ts';

/** What a copy may give up. */
export interface HostRules {
  readonly mayLoseConfirmed: boolean;
  /** A leader leads for good, whatever it lacks. */
  readonly isStatic: boolean;
}

/** Whom the host of a copy tells. */
export interface HostEvents {
  readonly logger: Logger;
  onOpened(copy: FollowerShard): void;
  onFatal(error: Error): void;
}

/** The copy of a follower, opened again when the stream says so. */
export class CopyHost implements FollowerHost {
  readonly #files: ShardFiles;
  readonly #events: HostEvents;
  readonly #rules: HostRules;
  shard: FollowerShard;

  constructor(files: ShardFiles, shard: FollowerShard, rules: HostRules, events: HostEvents) {
    this.#files = files;
    this.shard = shard;
    this.#rules = rules;
    this.#events = events;
  }

  get copy(): FollowerShard {
    return this.shard;
  }

  /** @throws Error when the leader lacks what was confirmed here: an operator made a copy lead that was not in sync */
  async cut(offset: number): Promise<void> {
    const { confirmedOffset } = this.shard.replica;
    if (offset < confirmedOffset && !this.#rules.mayLoseConfirmed) {
      throw new Error(
        `the leader has this copy's log only up to ${offset}, but everything before ${confirmedOffset} was confirmed: it ` +
          'leads without regard to the in-sync set; to give up what is only here, empty the data directory',
      );
    }
    if (this.#rules.mayLoseConfirmed) await this.#setAside(offset);
    await this.#reopen(() => this.#files.truncate(offset, Math.min(offset, confirmedOffset)));
  }

  /** Nothing that somebody may have been told of goes without a trace. What was confirmed last a follower may not have heard. */
  async #setAside(from: number): Promise<void> {
    const { confirmedOffset } = this.shard.replica;
    const isKnown = from < confirmedOffset;
    if (!isKnown && !this.#rules.isStatic) return;
    const path = await this.#files.setAside(this.shard, from);
    if (path === undefined) return;
    const facts = { path, from, confirmedOffset };
    const { logger } = this.#events;
    if (isKnown)
      logger.error(facts, 'the master has lost acknowledged messages that this copy had: they are kept in a file');
    else
      logger.warn(facts, 'the master lacks what this copy had, which may have been acknowledged: it is kept in a file');
  }

  startAnew(): Promise<void> {
    return this.#reopen(() => this.#files.wipe());
  }

  async #reopen(change: () => Promise<void>): Promise<void> {
    try {
      await this.shard.close();
      await change();
      this.shard = await this.#files.openFollower();
    } catch (error) {
      this.#events.onFatal(error as Error);
      throw error;
    }
    this.#events.onOpened(this.shard);
  }
}
