/**
 * The commit log as the rest of the engine sees it: an append-only sequence of records, addressed by the physical
 * offset of their first byte. It knows records, not topics.
 */

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
  /** Content. A view of a buffer that the log owns and never changes: copy it to keep a small part for long. */
  readonly payload: Uint8Array;
}

export interface CommitLog {
  /** First byte still held. */
  readonly startOffset: number;
  /** Byte behind the last appended record: where the next one goes. */
  readonly endOffset: number;
  /** Everything before this byte is what the flush mode calls stored: written (ASYNC_FLUSH) or fsynced (SYNC_FLUSH). */
  readonly settledOffset: number;
  /** Everything before this byte has been fsynced. */
  readonly flushedOffset: number;
  /** Incarnation that this process writes; its first record is preceded by an epoch start. */
  readonly epoch: number;
  /** What recovery found when the log was opened. */
  readonly recovery: RecoveryReport;
  /** Running totals since the log was opened. */
  readonly statistics: LogStatistics;
  /** Now, in shard time (see `LogRecord.shardTimeMs`). */
  shardTimeMs(): number;

  /**
   * Adds a record to the open batch (`type` ≥ 5, the kinds below are the log's own). Synchronous and cheap: the bytes are copied, nothing is written before the turn of
   * the event loop ends. The record is not stored before `settled()` says so.
   * @param parts the payload, one part behind the other; the caller keeps them
   * @returns the record as it will lie in the log
   * @throws MqError TOO_MANY_REQUESTS when more than `unsettledBytesMax` wait for the disk;
   *         MESSAGE_BODY_TOO_LARGE when a record is larger than `recordBytesMax`; INTERNAL_SERVER_ERROR after `fail` or `close`
   */
  append(type: number, parts: readonly Uint8Array[]): LogRecord;
  /**
   * Settles when every record appended before this call is stored as the flush mode says; the same promise for all
   * callers of one batch. Rejects when a write or fsync failed: then nothing more is ever acknowledged.
   */
  settled(): Promise<void>;
  /** Calls `listener` after each batch with the new `settledOffset`. Returns the way to stop that. */
  onSettled(listener: (settledOffset: number) => void): () => void;
  /** Settles when everything up to `physicalOffset` (exclusive) is fsynced; forces an fsync under ASYNC_FLUSH. */
  flush(physicalOffset?: number): Promise<void>;

  /**
   * The record at `physicalOffset`, straight from memory where the tail is still held there, else from disk (CRC checked).
   * @param length the record's length when known: saves a read
   * @throws MqError OFFSET_NOT_FOUND outside [startOffset, endOffset); CorruptionError when the bytes are not that record
   */
  read(physicalOffset: number, length?: number): LogRecord | Promise<LogRecord>;
  /**
   * Walks all records that begin in [from, to) in order, from disk; the visitor is called synchronously, reads are
   * large. The log's own records (kinds 1…4) are checked and passed over.
   * @param from begin of a record, or of a segment
   * @returns where the walk ended: the first record boundary ≥ `to`
   * @throws CorruptionError at the first record that is not whole; MqError OFFSET_NOT_FOUND when `from` is not held
   */
  scan(from: number, to: number, visit: (record: LogRecord) => void): Promise<number>;

  /** Segments from the oldest to the one being written. */
  segments(): readonly SegmentInfo[];
  /** Calls `listener` when a segment has been sealed (full and fsynced). */
  onSealed(listener: (segment: SegmentInfo) => void): () => void;
  /**
   * Deletes whole segments that end at or before `physicalOffset`, oldest first; never the one being written, and none
   * before something behind it is fsynced. Returns bytes freed.
   */
  removeBefore(physicalOffset: number): Promise<number>;

  /** Writes and fsyncs what is open, marks the clean end, closes the files. Idempotent. */
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
