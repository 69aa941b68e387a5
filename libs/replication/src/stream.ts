import type { FollowerMessage, LeaderMessage } from '@orbitmq/protocol/orbitmq.replication.v1';

/** One side of an open stream, whatever carries it. */
export interface ReplicationStream<Incoming, Outgoing> {
  /**
   * Sends a message, in order. Does nothing once the stream has ended.
   * @returns undefined when more may follow at once, else a promise that settles when there is room again or the stream has ended
   */
  write(message: Outgoing): Promise<void> | undefined;
  /** Ends the stream, at once and for both sides. Idempotent. */
  close(): void;
  /** Read once. Ends with the stream; throws when it ended badly. */
  readonly incoming: AsyncIterable<Incoming>;
}

/** A stream as the leader sees it. */
export type LeaderStream = ReplicationStream<FollowerMessage, LeaderMessage>;

/** A stream as the follower sees it. */
export type FollowerStream = ReplicationStream<LeaderMessage, FollowerMessage>;
