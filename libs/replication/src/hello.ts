import {
  type FollowerMessage_Hello,
  type LeaderMessage_Refusal,
  LeaderMessage_Refusal_Reason as Reason,
} from '@orbitmq/protocol/orbitmq.replication.v1';
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

/** What a copy of this node holds. */
export function spanOfLog(log: ReplicatedLog): LogSpan {
  return { startOffset: log.startOffset, endOffset: log.endOffset, epochs: log.epochs() };
}

/** A stream that begins with something else. */
export const INVALID_HELLO: LeaderMessage_Refusal = {
  reason: Reason.REASON_INVALID,
  message: 'the first message must be a hello',
};

/** Who is asked to take a follower. */
export interface Acceptor {
  readonly cluster: string;
  readonly shard: string;
  readonly member: number;
  /** Id of the log of which the other one must have a copy. */
  readonly logId: string | undefined;
}

/** Why somebody is no follower of this shard at all. */
export function foreignRefusal(
  hello: FollowerMessage_Hello,
  { cluster, shard, member, logId }: Acceptor,
): LeaderMessage_Refusal | undefined {
  if (hello.cluster !== cluster || hello.shard !== shard) {
    return { reason: Reason.REASON_FOREIGN, message: `this is shard ${shard} of cluster ${cluster}` };
  }
  if (hello.logId !== '' && hello.logId !== logId) {
    return {
      reason: Reason.REASON_FOREIGN,
      message: `the follower's log ${hello.logId} is not a copy of ${logId}: it holds another shard, or this one from another life`,
    };
  }
  if (hello.member === member) {
    return { reason: Reason.REASON_DUPLICATE, message: `brokerId ${member} is the leader's own` };
  }
  return undefined;
}
