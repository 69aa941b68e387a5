/** How the stream is kept. All in milliseconds or bytes. */
export interface ReplicationSettings {
  /** A leader that has said nothing for so long sends a heartbeat; RocketMQ's `haSendHeartbeatInterval`. */
  readonly heartbeatIntervalMs: number;
  /** A stream on which nothing came for so long is closed; RocketMQ's `haHousekeepingInterval`. */
  readonly silenceMs: number;
  /** Between two attempts to follow. */
  readonly reconnectMs: number;
  /** A follower that has been behind for so long leaves the in-sync set; RocketMQ's `haMaxTimeSlaveNotCatchup`. */
  readonly notCaughtUpMs: number;
  /** A follower whose stream ended leaves the in-sync set when it is not back by then. */
  readonly graceMs: number;
  /** Records of one message; a single larger record goes alone. Bytes; RocketMQ's `haTransferBatchSize`. */
  readonly chunkBytes: number;
  /**
   * Bytes on their way to one follower that it has not stored yet: less than a log keeps in memory, so that a follower whose disk
   * has stood still still has what it is to apply.
   */
  readonly windowBytes: number;
  /** A larger record no follower reads for its leader, which would not take the answer. Bytes. */
  readonly readBytesMax: number;
}

export const REPLICATION_DEFAULTS: ReplicationSettings = {
  heartbeatIntervalMs: 250,
  silenceMs: 3000,
  reconnectMs: 200,
  notCaughtUpMs: 3000,
  graceMs: 500,
  chunkBytes: 512 * 1024,
  windowBytes: 8 * 1024 * 1024,
  readBytesMax: 512 * 1024,
};
