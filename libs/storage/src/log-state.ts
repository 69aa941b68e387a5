import type { MqError } from '@orbitmq/base';
import type { LogRole } from './replica.ts';
import type { Segment } from './segment.ts';

/** How far a log has come; its parts share one. start ≤ flushed ≤ written ≤ end, all at record boundaries. */
export interface LogState {
  role: LogRole;
  /** Oldest first; the last one is being written. The newest may not be on disk yet. */
  segments: Segment[];
  /** Behind the last appended record. */
  endOffset: number;
  /** Handed to the kernel up to here. */
  writtenOffset: number;
  /** Fsynced up to here. */
  flushedOffset: number;
  /** Stored up to here, as the flush mode calls it. */
  storedOffset: number;
  /** All members of the in-sync set have stored everything up to here, for all that replication says. */
  confirmLimit: number;
  /** Stored here, and within the limit at some time. Never falls. */
  confirmedOffset: number;
  /** Acknowledged up to here: stored or confirmed. */
  settledOffset: number;
  /** Epoch of the last record, 0 when there is none. */
  epoch: number;
  /** Shard time of the last record, 0 when there is none. */
  shardTimeMs: number;
  /** Type of the last record, 0 when there is none. */
  lastType: number;
  /** The first failed write or fsync: nothing is written, fsynced or acknowledged afterwards. */
  failure: Error | undefined;
  /** This node leads no more: nothing is appended, confirmed or acknowledged afterwards. */
  fence: MqError | undefined;
  /** `close` has been called. */
  closing: boolean;
}

/** The totals behind `LogStatistics`. */
export class LogTotals {
  recordCount = 0;
  appendedBytes = 0;
  writtenBytes = 0;
  zeroedBytes = 0;
  batchCount = 0;
  syncCount = 0;
  syncMs = 0;
  syncMsMax = 0;
  stallCount = 0;
  diskReadCount = 0;
  copyReadCount = 0;
}
