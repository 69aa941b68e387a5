import type { Acknowledgement, Lease, Member } from './lease.ts';

/** How quickly a leader is replaced, and how far clocks are trusted. All in milliseconds. */
export interface ElectionTimes {
  /** A leader that has not renewed the Lease for so long may be replaced. */
  readonly durationMs: number;
  /** A leader from which nothing was heard for so long may be replaced, where its answers need its replacer. */
  readonly suspicionMs: number;
  /** A leader stops so much before it may be replaced: what an answer needs from the guard to the socket. */
  readonly marginMs: number;
}

/** What a member knows when it asks whether it may lead. Times are of its own monotonic clock. */
export interface TakeOverFacts {
  readonly member: Member;
  readonly lease: Lease;
  /** When this member first saw the Lease as it is. */
  readonly seenMs: number;
  /** When it last heard from the holder over the stream of this epoch; undefined = never. */
  readonly heardMs: number | undefined;
  /** Its log may lack what it once said to have: a machine that went down may have lost what was not fsynced. */
  readonly mayLackStored: boolean;
  readonly nowMs: number;
}

/**
 * Durations of a Lease for which a member that may lack something waits for one that lacks nothing. When all machines of the
 * in-sync set went down at once there is none, and what only their memory had is gone.
 */
const FORSAKEN = 10;

/** Why a member must not take the Lease; undefined = it may. */
export function refusalToLead(facts: TakeOverFacts, times: ElectionTimes): string | undefined {
  const { member, lease, nowMs } = facts;
  if (!lease.inSync.includes(member)) return 'it is not in the in-sync set, so it may lack what was acknowledged';
  const isOnlyCopy = lease.inSync.length === 1;
  const isForsaken = nowMs - facts.seenMs >= lease.durationMs * FORSAKEN;
  if (facts.mayLackStored && !isOnlyCopy && !isForsaken) {
    return 'it went down and may lack what it had stored, others may have it';
  }
  // Its own Lease of an earlier life: nobody else acknowledges anything under it.
  if (lease.holder === member) return undefined;
  const isExpired = nowMs - facts.seenMs >= lease.durationMs;
  if (lease.holder === undefined) {
    return lease.heir === undefined || lease.heir === member || isExpired
      ? undefined
      : `it was handed over to member ${lease.heir}`;
  }
  const isSilent = facts.heardMs === undefined || nowMs - facts.heardMs >= times.suspicionMs;
  if (!isSilent) return `leader ${lease.holder} is heard`;
  if (lease.acknowledge === 'confirmed' && facts.heardMs !== undefined) return undefined;
  return isExpired ? undefined : `the lease of leader ${lease.holder} has not run out`;
}

/** What a leader knows when it asks whether it may acknowledge. Times are of its own monotonic clock. */
export interface GuardFacts {
  readonly acknowledge: Acknowledgement;
  /** In-sync members beside the leader. */
  readonly othersInSync: number;
  /** When the last renewal that succeeded was begun. */
  readonly renewedMs: number;
  /** When the oldest of the heartbeats was sent that the others answered last, one each; undefined = not all have answered. */
  readonly answeredMs: number | undefined;
  readonly nowMs: number;
}

/** A leader may acknowledge: nobody can have taken over, or nobody who did could let anything be confirmed here. */
export function mayAcknowledge(facts: GuardFacts, durationMs: number, times: ElectionTimes): boolean {
  if (facts.acknowledge === 'confirmed' && facts.othersInSync > 0) return true;
  if (facts.nowMs < facts.renewedMs + durationMs - times.marginMs) return true;
  if (facts.othersInSync === 0 || facts.answeredMs === undefined) return false;
  return facts.nowMs < facts.answeredMs + times.suspicionMs - times.marginMs;
}
