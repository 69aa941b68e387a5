export { type CommitLogArguments, openCommitLog } from './commit-log.ts';
export {
  type CommitLog,
  CorruptionError,
  type LogRecord,
  type LogStatistics,
  type RecoveryReport,
  type SegmentInfo,
} from './log.ts';
export type { CommitLogOptions } from './options.ts';
export { RECORD_TYPES } from './record.ts';
export {
  ChunkError,
  type CopyReason,
  type EpochStart,
  type LeadOptions,
  type LogChunk,
  type LogCopies,
  type LogRole,
  type ReplicatedLog,
} from './replica.ts';
export { decideRetention, type RetentionDecision, type RetentionInput, type RetentionLimits } from './retention.ts';
export { Scrub, type ScrubArguments, type ScrubStatistics } from './scrub.ts';
export { type TruncateLogArguments, truncateLog, wipeLog } from './truncate.ts';
