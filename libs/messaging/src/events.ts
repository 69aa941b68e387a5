import type { Group, Topic, TopicMessageType, TransactionEnd } from '@orbitmq/views';

/** What happens to transactions. */
export interface TransactionEvents {
  /** A transaction has ended `ageMs` after its half message was stored. */
  transactionEnded(topic: Topic, end: TransactionEnd, ageMs: number): void;
  /** A producer was asked about a transaction. */
  transactionChecked(topic: Topic): void;
}

/**
 * What happens in the messaging service, for metrics. Called on hot paths: implementations only count. Labels are
 * bounded: topics and groups exist, nothing else comes from outside.
 */
export interface MessagingEvents extends TransactionEvents {
  /** A message has been stored. `sizeBytes`: as the wire gave it. */
  messageIn(topic: Topic, messageType: TopicMessageType, sizeBytes: number): void;
  /** Messages have been written to a consumer; `retryCount` of them are not delivered for the first time. */
  messagesOut(topic: Topic, group: Group, count: number, sizeBytes: number, retryCount: number): void;
  /** A message was sent again that had been stored before, and was not stored again. */
  sendRepeated(topic: Topic): void;
  /** A SendMessage call was answered `durationMs` after it came. */
  sendAnswered(durationMs: number): void;
  /** Messages have been settled by a consumer. */
  messagesAcknowledged(topic: Topic, group: Group, count: number): void;
  /** A call was answered with an error status; `code` is a name of the status table. */
  callRefused(method: string, code: string): void;
  /** A receive had to be turned away because too many wait. */
  pollRefused(): void;
  /** Lite topics were taken from clients of an exclusive group by others of it. */
  liteSubscriptionsTaken(count: number): void;
  /** Messages received with auto_renew were renewed, or made visible because their client is gone. */
  leasesRenewed(count: number): void;
  leasesReleased(count: number): void;
}

const nothing = (): void => undefined;

/** Events nobody counts. */
export const NO_MESSAGING_EVENTS: MessagingEvents = {
  transactionEnded: nothing,
  transactionChecked: nothing,
  messageIn: nothing,
  messagesOut: nothing,
  sendRepeated: nothing,
  sendAnswered: nothing,
  messagesAcknowledged: nothing,
  callRefused: nothing,
  pollRefused: nothing,
  liteSubscriptionsTaken: nothing,
  leasesRenewed: nothing,
  leasesReleased: nothing,
};
