import type { SegmentInfo } from './log.ts';

/** How much is kept. The names in parentheses are RocketMQ's. */
export interface RetentionLimits {
  /** Age at which records may go (`fileReservedTime`, there in hours). Milliseconds. */
  readonly reservedMs: number;
  /** Most bytes of segments; the one being written counts. Default unlimited. */
  readonly totalBytesMax?: number;
  /** Part of the disk, 0…1, above which the oldest segments go whatever their age (`diskSpaceCleanForciblyRatio`). Default 0.85. */
  readonly cleanForciblyRatio?: number;
  /** Part of the disk, 0…1, at which nothing new is taken (`diskSpaceWarningLevelRatio`). Default 0.9. */
  readonly readOnlyRatio?: number;
}

/** What a decision is made from. */
export interface RetentionInput {
  /** Oldest first, the last one is being written. */
  readonly segments: readonly SegmentInfo[];
  /** Wall clock, milliseconds since 1970. */
  readonly nowMs: number;
  readonly disk: { readonly totalBytes: number; readonly availableBytes: number };
  /** What the last decision said. */
  readonly isReadOnly: boolean;
}

export interface RetentionDecision {
  /** Goes into `CommitLog.removeBefore`; the log's start when nothing is to be removed. */
  readonly removeBefore: number;
  /** Why the newest of the segments in question goes. */
  readonly reason: 'none' | 'age' | 'size' | 'disk';
  /** Part of the disk that is used, 0…1, before anything is removed. */
  readonly usedRatio: number;
  /** The disk is too full to take anything new. */
  readonly isReadOnly: boolean;
}

const CLEAN_FORCIBLY_RATIO = 0.85;
const READ_ONLY_RATIO = 0.9;
/** Once read-only, so much of the disk must be free again beyond the limit, or it would flicker. */
const HYSTERESIS_RATIO = 0.02;

/**
 * Decides which segments go, whole ones and the oldest first: those whose newest record is older than the limit, those above the
 * total size, and, when the disk is about to be full, as many as it takes. Pure: the caller removes.
 */
export function decideRetention(limits: RetentionLimits, input: RetentionInput): RetentionDecision {
  const { segments, disk } = input;
  const usedRatio = disk.totalBytes > 0 ? 1 - disk.availableBytes / disk.totalBytes : 0;
  const endOffset = segments.at(-1)?.endOffset ?? 0;
  const forcedBytes = (usedRatio - (limits.cleanForciblyRatio ?? CLEAN_FORCIBLY_RATIO)) * disk.totalBytes;
  let removeBefore = segments[0]?.startOffset ?? 0;
  let reason: RetentionDecision['reason'] = 'none';
  let removedBytes = 0;
  for (const segment of segments) {
    if (!segment.sealed) break;
    const cause = causeOf(segment, endOffset - segment.startOffset, removedBytes < forcedBytes, limits, input.nowMs);
    if (cause === undefined) break;
    reason = cause;
    removeBefore = segment.endOffset;
    removedBytes += segment.endOffset - segment.startOffset;
  }
  return { removeBefore, reason, usedRatio, isReadOnly: isReadOnly(limits, usedRatio, input.isReadOnly) };
}

function causeOf(
  segment: SegmentInfo,
  heldBytes: number,
  isForced: boolean,
  limits: RetentionLimits,
  nowMs: number,
): 'age' | 'size' | 'disk' | undefined {
  if (nowMs - segment.newestTimestampMs > limits.reservedMs) return 'age';
  if (heldBytes > (limits.totalBytesMax ?? Number.POSITIVE_INFINITY)) return 'size';
  return isForced ? 'disk' : undefined;
}

function isReadOnly(limits: RetentionLimits, usedRatio: number, wasReadOnly: boolean): boolean {
  const limit = limits.readOnlyRatio ?? READ_ONLY_RATIO;
  return usedRatio >= (wasReadOnly ? limit - HYSTERESIS_RATIO : limit);
}
