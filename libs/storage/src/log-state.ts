import type { Segment } from './segment.ts';

/** How far a log has come; its parts share one. start ≤ flushed ≤ written ≤ end, all at record boundaries. */
export interface LogState {
  /** Oldest first; the last one is being written. The newest may not be on disk yet. */
  segments: Segment[];
  /** Behind the last appended record. */
  endOffset: number;
  /** Handed to the kernel up to here. */
  writtenOffset: number;
  /** Fsynced up to here. */
  flushedOffset: number;
  /** Stored up to here, as the flush mode calls it. */
  settledOffset: number;
  /** Type of the last record, 0 when there is none. */
  lastType: number;
  /** The first failed write or fsync: nothing is written, fsynced or acknowledged afterwards. */
  failure: Error | undefined;
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
}
