import type { MqError } from '@orbitmq/base';

/** Who may add to a log: its leader appends, a follower only takes what the leader has. A follower can become leader, never back. */
export type LogRole = 'leader' | 'follower';

/** Where an epoch of a log begins. */
export interface EpochStart {
  readonly epoch: number;
  /** First byte of the epoch that the log holds: that of its first record, or the log's start when that has been removed. */
  readonly startOffset: number;
}

/**
 * A run of whole records as they lie in the log. Of a blank only the header is carried, so the bytes may be fewer than
 * the offsets say.
 */
export interface LogChunk {
  /** Physical offset of the first record. */
  readonly startOffset: number;
  /** Physical offset behind the last record; equals `startOffset` when there is nothing. */
  readonly endOffset: number;
  /** A copy: whoever has read the chunk may keep it. */
  readonly bytes: Uint8Array;
  /** So many bytes before `bytes` in the same memory are his, too. Default 0. */
  readonly headroomBytes?: number;
}

/** Why another copy is asked: this one has lost what was there, or its disk is to be spared. */
export type CopyReason = 'lost' | 'far';

/** Copies of a leader's log on other nodes, asked for what this node's disk has lost, or is to be spared. */
export interface LogCopies {
  /** One is there, or may soon be: what the disk has lost may still be had. */
  readonly areExpected: boolean;
  /**
   * Whole records from `from` on, all of them confirmed. Never rejects, and waits no longer than a bound of its own.
   * @param from begin of a record
   * @param bytesMax most bytes; one record is given even when it is larger
   * @param why what has been lost here any copy may give that has it; only copies in sync are to spare this one's disk
   * @returns undefined when no copy gives it in time
   */
  read(from: number, bytesMax: number, why: CopyReason): Promise<LogChunk | undefined>;
}

/** How a leader leads. */
export interface LeadOptions {
  /** Higher than every epoch of the log; default: the highest and one. */
  readonly epoch?: number;
  /** Where `epoch` is left open: it is higher than this one, too. */
  readonly epochAbove?: number;
  /** What `settled()` waits for: stored here, or confirmed by all members of the in-sync set. Default `stored`. */
  readonly acknowledge?: 'stored' | 'confirmed';
  /**
   * Asked once at each settling of a batch, before anything of it is acknowledged or shown: false = this node may not be the leader any
   * more, and the log fences itself.
   */
  readonly guard?: () => boolean;
}

/**
 * A log as replication sees it. start ≤ confirmed ≤ stored ≤ end; of a leader settled is stored or confirmed, as
 * `acknowledge` says.
 */
export interface ReplicatedLog {
  readonly role: LogRole;
  /** Id of the log in hexadecimal digits, made with its first record; undefined while it is empty. All copies have the same. */
  readonly logId: string | undefined;
  /** The epoch that a leader writes; of a follower that of the last record, 0 when there is none. */
  readonly epoch: number;
  /** First byte still held. */
  readonly startOffset: number;
  /** Byte behind the last record. */
  readonly endOffset: number;
  /** Everything before this byte is what the flush mode calls stored: written (ASYNC_FLUSH) or fsynced (SYNC_FLUSH). */
  readonly storedOffset: number;
  /** Everything before this byte is stored here and within the limit of `confirm`. It never falls. */
  readonly confirmedOffset: number;

  /** Where each epoch begins, the oldest first. A leader's own is the last one, also before its first record. */
  epochs(): readonly EpochStart[];
  /**
   * Reads records for a follower: from memory where the tail is still held there, else in one large read from the disk, checked.
   * Up to the end for a leader (also what is not written yet), up to what is stored for a follower.
   * @param from begin of a record, or the end of the log, which gives an empty chunk
   * @param bytesMax most bytes of the chunk; one record is given even when it is larger
   * @throws MqError OFFSET_NOT_FOUND when `from` is not held; CorruptionError when the bytes on disk are damaged, or no record begins there
   */
  readChunk(from: number, bytesMax: number): LogChunk | Promise<LogChunk>;
  /** Calls `listener` when a batch is taken for writing, with its end: its bytes can be sent meanwhile. Returns the way to stop that. */
  onTaken(listener: (takenOffset: number) => void): () => void;
  /** Calls `listener` each time that `storedOffset` has risen. Returns the way to stop that. */
  onStored(listener: (storedOffset: number) => void): () => void;
  /** Calls `listener` each time that `confirmedOffset` has risen. Returns the way to stop that. */
  onConfirmed(listener: (confirmedOffset: number) => void): () => void;

  /**
   * Says that all members of the in-sync set have stored everything before `limit`. Unlimited (Infinity) for a leader unless
   * said otherwise: what is stored here is confirmed. Of a follower it begins at 0. May be set lower: what is confirmed stays so.
   */
  confirm(limit: number): void;
  /** Settles when everything up to `physicalOffset` (exclusive) is fsynced; forces an fsync under ASYNC_FLUSH. */
  flush(physicalOffset?: number): Promise<void>;
  /**
   * Acknowledges nothing any more: who appends from now on gets `error`, which should be a retryable one; those who wait get
   * MASTER_PERSISTENCE_TIMEOUT, as nobody knows what becomes of what they have appended. Nothing new is confirmed. Reading goes on; what remains to be done is to close the log. Only the first call counts.
   */
  fence(error: MqError): void;
  /** What the log was fenced with. */
  readonly fenced: MqError | undefined;
  /** Calls `listener` when the log is fenced, by a call or by its guard. Returns the way to stop that. */
  onFenced(listener: (error: MqError) => void): () => void;
}

/** Bytes that do not continue the log, or are damaged. Nothing of the chunk is stored: the stream is to be begun again. */
export class ChunkError extends Error {
  /** Where the record begins that was not taken. */
  readonly physicalOffset: number;

  constructor(physicalOffset: number, message: string) {
    super(message);
    this.name = 'ChunkError';
    this.physicalOffset = physicalOffset;
  }
}
