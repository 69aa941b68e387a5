import type { EpochStart } from '@orbitmq/storage';

/** What a copy of the log holds. */
export interface LogSpan {
  readonly startOffset: number;
  readonly endOffset: number;
  /** Oldest first; empty when the log has no record. */
  readonly epochs: readonly EpochStart[];
}

/** Where a follower goes on. */
export interface Continuation {
  /** Everything from here on comes from the leader. */
  readonly cutOffset: number;
  /** The follower drops all that it has: nothing of it goes on in the leader's log. */
  readonly startAnew: boolean;
}

/**
 * Finds where the log of a follower leaves that of its leader. Within an epoch all copies have the same bytes, as only one
 * member ever writes in it: the same is one of the same number and begin. So they agree up to the end of the newest epoch that both have, as far as both have it.
 */
export function continuationOf(leader: LogSpan, follower: LogSpan): Continuation {
  const common = commonEnd(leader, follower);
  if (common === undefined || common < leader.startOffset || common > leader.endOffset) {
    return { cutOffset: leader.startOffset, startAnew: follower.endOffset !== leader.startOffset };
  }
  return { cutOffset: common, startAnew: false };
}

/** Behind the last byte that both have in common; undefined when there is none. */
export function commonEnd(leader: LogSpan, follower: LogSpan): number | undefined {
  const places = new Map(leader.epochs.map(({ epoch }, at) => [epoch, at]));
  for (let index = follower.epochs.length - 1; index >= 0; index--) {
    const { epoch } = follower.epochs[index]!;
    const at = places.get(epoch);
    if (at === undefined || !isSameEpoch(leader, at, follower, index)) continue;
    return Math.min(endOf(leader, at), endOf(follower, index));
  }
  return undefined;
}

/**
 * Static masters count their epochs by themselves, so two of them may use one number; but not from the same byte on. Of the first
 * epoch of a log the begin may have been removed.
 */
function isSameEpoch(leader: LogSpan, at: number, follower: LogSpan, index: number): boolean {
  const [ours, theirs] = [leader.epochs[at]!.startOffset, follower.epochs[index]!.startOffset];
  if (ours === theirs) return true;
  return ours > theirs ? at === 0 : index === 0;
}

function endOf(span: LogSpan, index: number): number {
  return span.epochs[index + 1]?.startOffset ?? span.endOffset;
}
