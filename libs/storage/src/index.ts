export { type CommitLog, CorruptionError, type LogRecord, type RecoveryReport, type SegmentInfo } from './log.ts';
