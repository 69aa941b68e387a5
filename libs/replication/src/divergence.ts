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
 * member ever writes in it; so they agree up to the end of the newest epoch that both have, as far as both have it.
 */
export function continuationOf(leader: LogSpan, follower: LogSpan): Continuation {
  const common = newestCommon(leader, follower);
  if (common === undefined || common < leader.startOffset || common > leader.endOffset) {
    return { cutOffset: leader.startOffset, startAnew: follower.endOffset !== leader.startOffset };
  }
  return { cutOffset: common, startAnew: false };
}

function newestCommon(leader: LogSpan, follower: LogSpan): number | undefined {
  const places = new Map(leader.epochs.map(({ epoch }, at) => [epoch, at]));
  for (let index = follower.epochs.length - 1; index >= 0; index--) {
    const { epoch } = follower.epochs[index]!;
    const at = places.get(epoch);
    if (at === undefined) continue;
    return Math.min(endOf(leader, at), endOf(follower, index));
  }
  return undefined;
}

function endOf(span: LogSpan, index: number): number {
  return span.epochs[index + 1]?.startOffset ?? span.endOffset;
}
