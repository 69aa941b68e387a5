import type { SettleRequest_Settlement } from '@orbitmq/protocol/orbitmq.replication.v1';

/** Settlements in one request. */
export const SETTLEMENTS_MAX = 64;

/** Where a leader puts what members have settled that stood in for it. */
export interface SettlementSink {
  /**
   * Makes it the leader's own; what it has already changes nothing.
   * @param ownFrom what was done at this leader from this byte of its log on, was done without knowing of the member's
   * @throws MqError
   */
  take(settlement: SettleRequest_Settlement, ownFrom: number): void;
  /** Resolves when all that was taken is settled. */
  settled(): Promise<void>;
  /** A member that has stood in is about to hand over, goes on with it, or is done with it. */
  onStandIn(member: number, isComplete: boolean): void;
}
