import { GIB, KIB, MIB, MqError } from '@orbitmq/base';
import { HEAD_BYTES } from './head.ts';
import { HEADER_BYTES, RECORD_BYTES_LIMIT } from './record.ts';

/** How a commit log is kept. Only `flushDiskType` has no default. */
export interface CommitLogOptions {
  /** When a record counts as stored: after `write` (ASYNC_FLUSH), or after an fsync that began later (SYNC_FLUSH). */
  readonly flushDiskType: 'SYNC_FLUSH' | 'ASYNC_FLUSH';
  /** Size of a new segment's file, a multiple of 4096; RocketMQ's `mappedFileSizeCommitLog`. Default 256 MiB. */
  readonly segmentSizeBytes?: number;
  /** Largest record, header included; at most half a segment. Default 8 MiB. */
  readonly recordBytesMax?: number;
  /** Bytes that may wait for the disk before an append is refused. Default 64 MiB. */
  readonly unsettledBytesMax?: number;
  /** Newest bytes kept in memory for readers. Default 16 MiB. */
  readonly tailCacheBytes?: number;
  /** What was read from the disk lately and is kept for readers that work off a backlog; 0 keeps nothing. Default 16 MiB. */
  readonly readCacheBytes?: number;
  /** What lies further than this behind the end is read from another copy where there is one (`useCopies`). Bytes, default Infinity: nothing is. */
  readonly copyBehindBytes?: number;
  /** Most time between two fsyncs under ASYNC_FLUSH; RocketMQ's `flushIntervalCommitLog`. Milliseconds, default 500. */
  readonly flushIntervalMs?: number;
  /** Quiet time after an fsync until a flush mark is written. Milliseconds, default 100. */
  readonly flushMarkDelayMs?: number;
  /**
   * Fill the next segment with zeros ahead of use: its room on the disk is then certain, and small fsyncs are up to a quarter quicker;
   * it doubles the bytes written, and under full load halves the rate. Default false.
   */
  readonly zeroFill?: boolean;
}

export type CommitLogSettings = Required<CommitLogOptions>;

/** Segments are a multiple of this. */
export const SEGMENT_BYTES_UNIT = 4096;
/** No segment is larger. */
export const SEGMENT_BYTES_MAX = 2 * GIB;

/**
 * Fills in the defaults and checks the whole.
 * @throws MqError BAD_REQUEST naming the value that is wrong
 */
export function commitLogSettings(options: CommitLogOptions): CommitLogSettings {
  const segmentSizeBytes = options.segmentSizeBytes ?? 256 * MIB;
  const settings: CommitLogSettings = {
    flushDiskType: options.flushDiskType,
    segmentSizeBytes,
    recordBytesMax: options.recordBytesMax ?? Math.min(8 * MIB, Math.floor(segmentSizeBytes / 16) * 8),
    unsettledBytesMax: options.unsettledBytesMax ?? 64 * MIB,
    tailCacheBytes: options.tailCacheBytes ?? 16 * MIB,
    readCacheBytes: options.readCacheBytes ?? 16 * MIB,
    copyBehindBytes: options.copyBehindBytes ?? Number.POSITIVE_INFINITY,
    flushIntervalMs: options.flushIntervalMs ?? 500,
    flushMarkDelayMs: options.flushMarkDelayMs ?? 100,
    zeroFill: options.zeroFill ?? false,
  };
  within('segmentSizeBytes', segmentSizeBytes, SEGMENT_BYTES_UNIT, SEGMENT_BYTES_MAX);
  if (segmentSizeBytes % SEGMENT_BYTES_UNIT !== 0) {
    refuse('segmentSizeBytes', segmentSizeBytes, `a multiple of ${SEGMENT_BYTES_UNIT}`);
  }
  within('recordBytesMax', settings.recordBytesMax, HEAD_BYTES + HEADER_BYTES, RECORD_BYTES_LIMIT);
  if (settings.recordBytesMax > segmentSizeBytes / 2) {
    refuse('recordBytesMax', settings.recordBytesMax, `at most half of segmentSizeBytes (${segmentSizeBytes})`);
  }
  within('unsettledBytesMax', settings.unsettledBytesMax, settings.recordBytesMax, 4 * GIB);
  within('tailCacheBytes', settings.tailCacheBytes, 64 * KIB, 4 * GIB);
  within('readCacheBytes', settings.readCacheBytes, 0, 4 * GIB);
  if (!(settings.copyBehindBytes >= 0)) refuse('copyBehindBytes', settings.copyBehindBytes, 'at least 0');
  within('flushIntervalMs', settings.flushIntervalMs, 1, 3_600_000);
  within('flushMarkDelayMs', settings.flushMarkDelayMs, 1, 3_600_000);
  return settings;
}

function within(name: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most)
    refuse(name, value, `a whole number from ${least} to ${most}`);
}

function refuse(name: string, value: number, wanted: string): never {
  throw new MqError('BAD_REQUEST', `${name} must be ${wanted}, but is ${value}`);
}
