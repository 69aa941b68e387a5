/**
 * The commit log as the rest of the engine sees it: an append-only sequence of records, addressed by the physical
 * offset of their first byte. It knows records, not topics.
 */

import type { LeadOptions, LogChunk, LogCopies, ReplicatedLog } from './replica.ts';

/** One record as it lies in the log. */
export interface LogRecord {
  /** Byte in the commit log at which the record begins; a multiple of 8. */
  readonly physicalOffset: number;
  /** Bytes that the record takes in the log, header and padding included; a multiple of 8. */
  readonly length: number;
  /** Incarnation of the log's writer: raised each time that a node begins to write, and never falls along the log. */
  readonly epoch: number;
  /** Kind of record, 1…255. What it means is the state machine's business; kinds below 8 belong to the log itself. */
  readonly type: number;
  /** Wall clock at the append, milliseconds since 1970. */
  readonly storeTimestampMs: number;
  /**
   * Shard time at the append, milliseconds: never falls along the log and moves with the monotonic clock while a
   * process runs; at a start it is set to the wall clock, but not back. Durations in records are measured on it.
   */
  readonly shardTimeMs: number;
  /**
   * Content. A view of a buffer that the log owns and never changes: copy it to keep a small part for long. Of a record that `append`
   * returned or `scanTail` showed, it is asked for in the same step, or not at all.
   */
  readonly payload: Uint8Array;
  /**
   * Memory in which the content lies at present, in [payloadStart, payloadEnd): to be read in the step in which the record was
   * given, without a view for it. For what comes later there is `payload`.
   */
  readonly bytes: Uint8Array;
  readonly payloadStart: number;
  readonly payloadEnd: number;
}

export interface CommitLog extends ReplicatedLog {
  /** Everything before this byte is acknowledged: stored or confirmed, as `LeadOptions.acknowledge` says; of a follower stored. */
  readonly settledOffset: number;
  /** Everything before this byte has been fsynced. */
  readonly flushedOffset: number;
  /** What recovery found when the log was opened. */
  readonly recovery: RecoveryReport;
  /** Running totals since the log was opened. */
  readonly statistics: LogStatistics;
  /** Now, in shard time (see `LogRecord.shardTimeMs`); of a follower that of the last record. */
  shardTimeMs(): number;

  /**
   * Adds a record to the open batch (`type` ≥ 5, the kinds below are the log's own). Synchronous and cheap: the bytes are copied, nothing is written before the turn of
   * the event loop ends. The record is not stored before `settled()` says so.
   * @param parts the payload, one part behind the other; the caller keeps them
   * @returns the record as it will lie in the log
   * @throws MqError TOO_MANY_REQUESTS when more than `unsettledBytesMax` wait for the disk;
   *         MESSAGE_BODY_TOO_LARGE when a record is larger than `recordBytesMax`; INTERNAL_SERVER_ERROR after `fail` or `close`, and of a
   *         follower; what the log was fenced with
   */
  append(type: number, parts: readonly Uint8Array[]): LogRecord;
  /**
   * Appends the epoch start now, if this leader has appended nothing: its followers can then catch up with its epoch before
   * there is anything to send.
   */
  beginEpoch(): void;
  /**
   * Makes a follower the leader, for as long as the log is open: stores what has been received, then begins the epoch.
   * Resolves when the epoch start is appended; what the log holds is then confirmed, until `confirm` sets a limit.
   * @throws MqError BAD_REQUEST when the epoch is not higher than all of the log; the failure when what was received can't be stored
   */
  lead(options: LeadOptions): Promise<void>;
  /**
   * Adds what a leader has sent to the end of a follower's log, and writes it like any batch.
   * @throws ChunkError when it does not continue the log or is damaged: nothing of it is taken;
   *         MqError TOO_MANY_REQUESTS when more than `unsettledBytesMax` wait for the disk; as `append` when the log takes nothing any more
   */
  receive(chunk: LogChunk): void;

  /**
   * Settles when every record appended before this call is acknowledged; the same promise for all callers of one batch.
   * Rejects when a write or fsync failed, or the log is fenced: then nothing more is ever acknowledged.
   */
  settled(): Promise<void>;
  /** Calls `listener` after each batch with the new `settledOffset`. Returns the way to stop that. */
  onSettled(listener: (settledOffset: number) => void): () => void;
  /** Settles when everything up to `physicalOffset` (exclusive; default: the end) is confirmed. Rejects as `settled` does, and by `close`. */
  confirmed(physicalOffset?: number): Promise<void>;
  /**
   * How far the log was fsynced on the disk of whoever wrote it, as the records from `from` on say.
   * @param from begin of a record; nothing is said behind the end
   * @returns 0 when they say nothing @throws as `scan` does
   */
  toldFlushedOffset(from: number): Promise<number>;

  /**
   * The record at `physicalOffset`, straight from memory where the tail is still held there, else from disk (CRC checked).
   * @param length the record's length when known: saves a read
   * @throws MqError OFFSET_NOT_FOUND outside [startOffset, endOffset); CorruptionError when the bytes are not that record
   */
  read(physicalOffset: number, length?: number): LogRecord | Promise<LogRecord>;
  /**
   * Other copies of the log, from now on: what lies `copyBehindBytes` behind the end is read from them as long as one answers.
   * undefined = there are none.
   */
  useCopies(copies: LogCopies | undefined): void;
  /** See `LogCopies.areExpected`. */
  readonly expectsCopies: boolean;
  /**
   * The confirmed record at `physicalOffset` as another copy has it, checked.
   * @param length the record's length when known
   * @returns undefined when no copy gives it in time @throws MqError OFFSET_NOT_FOUND
   */
  readCopy(physicalOffset: number, length?: number): Promise<LogRecord | undefined>;
  /**
   * Whether what lay at an offset while `epoch` was the newest is what lies there now: no later epoch began at or before it, as one
   * does when the end of the log was lost, or was cut because another leader went on without it.
   */
  isKept(epoch: number, physicalOffset: number): boolean;
  /**
   * Walks all records that begin in [from, to) in order, from disk; the visitor is called synchronously, reads are
   * large. The log's own records (kinds 1…4) are checked and passed over.
   * @param from begin of a record, or of a segment
   * @returns where the walk ended: the first record boundary ≥ `to`
   * @throws CorruptionError at the first record that is not whole; MqError OFFSET_NOT_FOUND when `from` is not held
   */
  scan(from: number, to: number, visit: (record: LogRecord) => void): Promise<number>;

  /**
   * Walks records that begin in [from, to) as long as they are held in memory, at once.
   * @returns where the walk ended: `from` when nothing was held. @throws CorruptionError when no record begins at `from`
   */
  scanTail(from: number, to: number, visit: (record: LogRecord) => void): number;

  /** Segments from the oldest to the one being written; none of an empty follower. */
  segments(): readonly SegmentInfo[];
  /** Calls `listener` when a segment has been sealed (full and fsynced). */
  onSealed(listener: (segment: SegmentInfo) => void): () => void;
  /**
   * Deletes whole segments that end at or before `physicalOffset`, oldest first; never the one being written or one that is not
   * confirmed, and none before something behind it is fsynced. Returns bytes freed.
   */
  removeBefore(physicalOffset: number): Promise<number>;

  /** Writes and fsyncs what is open, unless it is fenced; a leader marks the clean end; closes the files. Idempotent. */
  close(): Promise<void>;
}

/** Running totals of a log; plain numbers that only grow, read by the metrics of the node. */
export interface LogStatistics {
  readonly recordCount: number;
  /** Bytes of records, headers and padding included. */
  readonly appendedBytes: number;
  /** Bytes handed to the disk for records; zeros written ahead are not in it. */
  readonly writtenBytes: number;
  /** Bytes of zeros written ahead into the next segment. */
  readonly zeroedBytes: number;
  readonly batchCount: number;
  readonly syncCount: number;
  /** Time spent in fsyncs of segments, milliseconds. */
  readonly syncMs: number;
  /** The longest of them, milliseconds. */
  readonly syncMsMax: number;
  /** Times that a new segment had to wait for room on the disk. */
  readonly stallCount: number;
  /** Records read from disk because the tail in memory did not hold them any more. */
  readonly diskReadCount: number;
  /** Reads that another copy has answered in the place of this node's disk. */
  readonly copyReadCount: number;
}

export interface SegmentInfo {
  /** First byte. */
  readonly startOffset: number;
  /** Byte behind the last one that may be used. */
  readonly endOffset: number;
  /** Wall clock of its newest record, milliseconds since 1970; 0 when it has none. */
  readonly newestTimestampMs: number;
  readonly sealed: boolean;
}

/** What recovery found and did; logged at every start. */
export interface RecoveryReport {
  /** The log ended with a clean close. */
  readonly cleanEnd: boolean;
  readonly segmentCount: number;
  readonly startOffset: number;
  readonly endOffset: number;
  /** Bytes of a torn tail that were cut; 0 when none. None of them had been acknowledged under SYNC_FLUSH. */
  readonly cutBytes: number;
  readonly recordsChecked: number;
  readonly durationMs: number;
}

/**
 * Bytes in the log that are not what was written, where it can't be a torn tail. Says file and offset and what to do;
 * the node refuses to serve as master.
 */
export class CorruptionError extends Error {
  readonly file: string;
  readonly physicalOffset: number;

  constructor(file: string, physicalOffset: number, message: string) {
    super(message);
    this.name = 'CorruptionError';
    this.file = file;
    this.physicalOffset = physicalOffset;
  }
}
