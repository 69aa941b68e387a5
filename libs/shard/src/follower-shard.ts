import type { LeadOptions, LogChunk, LogStatistics, RecoveryReport, ReplicatedLog } from '@orbitmq/storage';
import type { Metadata } from '@orbitmq/views';
import type { ComparedChecksum, StateChecksum } from './attestation.ts';
import type { OpenedShard } from './log-shard.ts';
import type { ViewsReport } from './recovery.ts';

/**
 * A copy of a shard that takes what its leader has. Bytes are stored as they come; the state is only changed by what is
 * confirmed, so a tail that is cut back was never seen by anybody.
 */
export interface FollowerShard {
  /** The log for the stream: offsets, epochs, `onStored`. */
  readonly replica: ReplicatedLog;
  /** What was found in the log at the start. */
  readonly recovery: RecoveryReport;
  /** Where the views came from at the start. */
  readonly viewsRecovery: ViewsReport;
  /** Topics and groups as of `appliedOffset`. */
  readonly metadata: Metadata;
  /** Calls `listener` after topics or groups have changed. Returns the way to stop that. */
  onMetadataChange(listener: () => void): () => void;
  /** Everything before this byte is in the state; confirmed, and never falls. */
  readonly appliedOffset: number;
  /**
   * False until a copy that begins within the log has got the state that it begins with: until then `metadata` is empty and
   * it can't be promoted.
   */
  readonly hasBase: boolean;

  /**
   * Checks a chunk and adds it to the log's end; what is stored of it, `replica.onStored` says.
   * @throws ChunkError when it does not continue the log or is damaged: nothing of it is stored;
   *         MqError TOO_MANY_REQUESTS when too much waits for the disk: again after `replica.onStored`
   */
  receive(chunk: LogChunk): void;
  /** The leader says that everything before `limit` is confirmed; it is applied as far as it is stored, a slice at a time. */
  confirm(limit: number): void;
  /** The leader's log begins at `startOffset`: older segments go here, too, as soon as they may. */
  trim(startOffset: number): void;
  /** Resolves when everything before `position` is in the state; rejects when the shard is closed or fails before. */
  applied(position: number): Promise<void>;

  checksum(): StateChecksum;
  /** The newest comparison with the leader's state (`OpenedShard.attest`); undefined when there was none. */
  readonly attested: ComparedChecksum | undefined;
  /** Running totals of the log. */
  readonly statistics: LogStatistics;
  /** Stores a snapshot of the views, now. */
  snapshot(): Promise<void>;
  /**
   * Makes it the leader: applies all that the log has, begins the epoch, and starts what a leader does. This object is of
   * no use afterwards; it may not be called again, nor `close`.
   * @throws MqError BAD_REQUEST when the epoch is not higher than all of the log, or there is no base state (`hasBase`)
   */
  promote(options: LeadOptions): Promise<OpenedShard>;
  /** Stores what is there and closes the files. Idempotent. */
  close(): Promise<void>;
}
