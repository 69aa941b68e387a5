/** A message as the log keeps it: bytes of the wire, never decoded on the way in or out. */
export interface MessageBytes {
  /** Content of `Message.system_properties` (field 3, without tag and length), server-owned fields already normalised. */
  readonly system: Uint8Array;
  /** All other fields of `Message` as they came (topic, user properties, body), tags and lengths included. */
  readonly rest: Uint8Array;
}

export interface SentMessage {
  readonly queueId: number;
  readonly queueOffset: number;
  readonly physicalOffset: number;
  readonly storeTimestampMs: number;
}

/** One message handed out. */
export interface Delivery {
  /** Of a lite topic's message, the lite topic's: see `isLiteQueueId`. */
  readonly queueId: number;
  readonly queueOffset: number;
  readonly physicalOffset: number;
  /** Names the handing-out; goes into the receipt handle. */
  readonly leaseId: number;
  /** 1 for the first delivery. */
  readonly attempt: number;
  readonly storeTimestampMs: number;
  readonly message: MessageBytes;
}

/** Waits for something to receive. */
export interface Waiter {
  /** Settles with true when a receive may find something, with false when cancelled. */
  readonly ready: Promise<boolean>;
  cancel(): void;
}

/** Messages of a group on one queue. */
export interface QueueProgress {
  readonly queueId: number;
  readonly minOffset: number;
  readonly maxOffset: number;
  /** Everything below is settled. */
  readonly floorOffset: number;
  /** First offset not handed out yet. */
  readonly nextOffset: number;
  readonly inflightCount: number;
  /** Handed out before, expired, waiting to be handed out again. */
  readonly readyAgainCount: number;
  /** Something was handed out or passed over here, or its offset was set: `nextOffset` is not only where it would begin. */
  readonly begun: boolean;
}
