import type { Clock, Random } from '@orbitmq/base';
import type { Logger } from '@orbitmq/runtime';
import type { LeadOptions } from '@orbitmq/storage';
import type { Vfs } from '@orbitmq/vfs';
import type { ShardOptions } from './options.ts';

/** What a shard needs from outside. */
export interface OpenShardArguments {
  readonly vfs: Vfs;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** All files of the shard are below it; it belongs to this process until `close`. */
  readonly directory: string;
  readonly options: ShardOptions;
  /** See `CommitLogArguments.defer`; a live process hands in `setImmediate`. */
  readonly defer?: (callback: () => void) => void;
  /**
   * Called once when the shard can't go on: a write or fsync of the log failed, or something happened that nobody
   * expects. Nothing is acknowledged afterwards; the process should end.
   */
  readonly onFailure?: (error: Error) => void;
}

/** What a shard needs that is opened as leader. */
export interface LeaderArguments extends OpenShardArguments {
  /**
   * How it leads, where it has followers; its epoch then begins at once. Without it the shard answers for itself alone, and begins its
   * epoch with its first record.
   */
  readonly lead?: LeadOptions;
  /**
   * Messages whose attempts are used up become dead letters only when `OpenedShard.releaseDeadLetters` is called: a copy that stood in
   * for this leader may have settled them. Default false.
   */
  readonly holdsDeadLetters?: boolean;
}
