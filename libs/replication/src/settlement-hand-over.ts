import {
  type FollowerMessage_Hello,
  type LeaderMessage_Refusal,
  LeaderMessage_Refusal_Reason as Reason,
  type SettleRequest,
  type SettleRequest_Settlement,
  type SettleResponse,
} from '@orbitmq/protocol/orbitmq.replication.v1';
import { SETTLEMENTS_MAX } from './settlement-sink.ts';

/** The leader, as the member sees it that hands over to it. */
export interface SettlementPeer {
  /** @throws RpcError */
  settle(request: SettleRequest): Promise<SettleResponse>;
  close(): void;
}

/** The leader takes nothing from this member. */
export class SettlementRefused extends Error {
  /** Whoever was asked does not lead, or not yet. */
  readonly isNoLeader: boolean;

  constructor({ reason, message }: LeaderMessage_Refusal) {
    super(message);
    this.isNoLeader = reason === Reason.REASON_NOT_LEADER;
  }
}

/** Entries in one request: some 40 bytes each. */
const ENTRIES_MAX = 5000;

/** What a member has handed out and settled in the place of its leader, on the way to it. */
export class SettlementHandOver {
  readonly #peer: SettlementPeer;
  readonly #hello: FollowerMessage_Hello;

  /** @param hello of the member; of its log only what it has from leaders */
  constructor(peer: SettlementPeer, hello: FollowerMessage_Hello) {
    this.#peer = peer;
    this.#hello = hello;
  }

  /**
   * Asks whether the leader is there, and says that there is something to hand over.
   * @returns how far it has this member's log @throws SettlementRefused, RpcError
   */
  async begin(): Promise<{ readonly epoch: number; readonly commonOffset: number }> {
    const { epoch, commonOffset } = await this.#settle([], false);
    return { epoch: Number(epoch), commonOffset: Number(commonOffset) };
  }

  /**
   * Tells all of it. When it resolves the leader has settled it.
   * @returns number of settlements @throws SettlementRefused, RpcError: what was told may be told again
   */
  async tell(settlements: AsyncIterable<SettleRequest_Settlement>): Promise<number> {
    let batch: SettleRequest_Settlement[] = [];
    let count = 0;
    let entryCount = 0;
    for await (const settlement of settlements) {
      if (batch.length === SETTLEMENTS_MAX || entryCount + settlement.entries.length > ENTRIES_MAX) {
        await this.#settle(batch, false);
        batch = [];
        entryCount = 0;
      }
      batch.push(settlement);
      entryCount += settlement.entries.length;
      count++;
    }
    await this.#settle(batch, true);
    return count;
  }

  async #settle(settlements: SettleRequest_Settlement[], complete: boolean): Promise<SettleResponse> {
    const response = await this.#peer.settle({ hello: this.#hello, settlements, complete });
    if (response.refusal !== undefined) throw new SettlementRefused(response.refusal);
    return response;
  }
}
