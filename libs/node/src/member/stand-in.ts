import type { SettleRequest_Settlement } from '@orbitmq/protocol/orbitmq.replication.v1';
import type { SettlementPeer } from '@orbitmq/replication';
import type { BranchSettlement } from '@orbitmq/shard';

/** How a member with a static role stands in for its leader: it serves consumers while that is away. */
export interface StandInRules {
  /**
   * The leader has not been heard for so long. Milliseconds; undefined = this member never begins to stand in, and only hands over what
   * it has settled before.
   */
  readonly delayMs: number | undefined;
  /** Nobody who should know sees the leader: clients can't reach it either. */
  isLeaderAway(): Promise<boolean>;
  /** A connection to the replication port at `address`. */
  connect(address: string): SettlementPeer;
}

/** What a branch has settled, as it is told to the leader. */
export async function* settlementsForWire(
  settlements: AsyncIterable<BranchSettlement>,
): AsyncIterableIterator<SettleRequest_Settlement> {
  for await (const { entries, fromOffset, nextOffset, ...settlement } of settlements) {
    yield {
      ...settlement,
      fromOffset: BigInt(fromOffset),
      nextOffset: BigInt(nextOffset),
      entries: entries.map(({ offset, leaseId, remainingMs, attempt, messageGroup }) => ({
        queueOffset: BigInt(offset),
        leaseId: BigInt(leaseId),
        remainingMs: BigInt(remainingMs),
        attempt,
        messageGroup,
      })),
    };
  }
}

/** The same as it has come; numbers beyond what offsets may be are refused when it is taken. */
export function settlementFromWire({ entries, ...settlement }: SettleRequest_Settlement): BranchSettlement {
  return {
    ...settlement,
    fromOffset: Number(settlement.fromOffset),
    nextOffset: Number(settlement.nextOffset),
    entries: entries.map(({ queueOffset, leaseId, remainingMs, attempt, messageGroup }) => ({
      offset: Number(queueOffset),
      leaseId: Number(leaseId),
      remainingMs: Number(remainingMs),
      attempt,
      messageGroup,
    })),
  };
}
