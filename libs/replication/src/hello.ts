import type { FollowerMessage_Hello } from '@orbitmq/protocol/orbitmq.replication.v1';
import type { ReplicatedLog } from '@orbitmq/storage';
import type { LogSpan } from './divergence.ts';

/** Epochs that a follower may name; of an older log only the newest matter. */
export const EPOCHS_MAX = 10_000;

/** Who a follower is. */
export interface FollowerIdentity {
  readonly cluster: string;
  readonly shard: string;
  readonly member: number;
  readonly incarnation: string;
  readonly version: string;
}

/** What a follower says of its log. */
export type HelloLog = Pick<ReplicatedLog, 'logId' | 'startOffset' | 'endOffset' | 'epochs'>;

/** @param epochSeen highest epoch that the follower knows of, from its log or elsewhere */
export function helloOf(identity: FollowerIdentity, log: HelloLog, epochSeen: number): FollowerMessage_Hello {
  return {
    ...identity,
    logId: log.logId ?? '',
    epochs: log
      .epochs()
      .slice(-EPOCHS_MAX)
      .map(({ epoch, startOffset }) => ({ epoch: BigInt(epoch), physicalOffset: BigInt(startOffset) })),
    startOffset: BigInt(log.startOffset),
    endOffset: BigInt(log.endOffset),
    epochSeen: BigInt(epochSeen),
  };
}

export function spanOf(hello: FollowerMessage_Hello): LogSpan {
  return {
    startOffset: Number(hello.startOffset),
    endOffset: Number(hello.endOffset),
    epochs: hello.epochs.map(({ epoch, physicalOffset }) => ({
      epoch: Number(epoch),
      startOffset: Number(physicalOffset),
    })),
  };
}
