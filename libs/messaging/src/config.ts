import { HOUR_MS, KIB, MIB, MINUTE_MS, SECOND_MS } from '@orbitmq/base';
import { DEFAULT_MESSAGE_LIMITS, type MessageLimits } from '@orbitmq/protocol';

/** Bounds on what clients may hold; beyond them calls are answered with TOO_MANY_REQUESTS and harm nobody else. */
export interface MessagingLimits {
  /** Clients known at one time. */
  readonly sessionsMax: number;
  /** Encoded settings of all clients together. Bytes. */
  readonly settingsTotalBytesMax: number;
  /** Encoded settings of one client. Bytes. */
  readonly settingsBytesMax: number;
  readonly telemetryStreamsMax: number;
  readonly telemetryStreamsPerClientMax: number;
  /** Receives that wait for messages; each takes some 20 KB, most of it in the transport. */
  readonly pollsMax: number;
  readonly pollsPerClientMax: number;
  /** Receive errors whose answer is held back; beyond it they are answered at once. */
  readonly heldErrorsMax: number;
  /** Messages handed out with auto_renew and not settled yet. */
  readonly renewedMax: number;
  readonly renewedPerClientMax: number;
  /** Lite topics that all clients together subscribe to. */
  readonly liteSubscriptionsMax: number;
  /** Messages of lite topics that one client may hold with auto_renew before it is refused more. */
  readonly liteRenewedPerClientMax: number;
  /** Entries of one AckMessage request. */
  readonly ackEntriesMax: number;
  /** Messages of one SendMessage request. */
  readonly sendBatchMax: number;
  /** Topics that first sends may make. */
  readonly autoCreatedTopicsMax: number;
  /** Consumer groups that first appearances may make. */
  readonly autoCreatedGroupsMax: number;
}

/** Durations of the messaging service, all in milliseconds. */
export interface MessagingTimes {
  /** A receive ends so long before the deadline of its client (Rust's deadline is its polling time). */
  readonly deadlineMarginMs: number;
  /** A receive that fails is answered no sooner: Rust repeats after 1 ms, Go after 20 ms. */
  readonly errorHoldMs: number;
  /** First lease of messages received with auto_renew. */
  readonly renewedLeaseMs: number;
  /** A renewed lease is extended when no more than this is left of it. */
  readonly renewAheadMs: number;
  /** Renewal ends so long after the receive. */
  readonly renewTotalMs: number;
  /** What a vanished client held is visible again after this. */
  readonly releaseMs: number;
  /** A client with a telemetry stream or an open call that is silent for so long counts as gone. */
  readonly silenceMs: number;
  /** A client whose telemetry streams have all ended is gone after so long without a sign of life (two heartbeats). */
  readonly disconnectedMs: number;
  /** A telemetry stream must bring its settings by then. */
  readonly settingsDeadlineMs: number;
  /** Clients that may not have heard the answer to their settings get it again so long after it. */
  readonly settingsRepeatMs: readonly number[];
  /** Subscriptions to lite topics that were not said again for so long are dropped… */
  readonly liteSubscriptionTimeoutMs: number;
  /** …which is looked at this often. */
  readonly liteSubscriptionCheckMs: number;
  /** A consumer that takes nothing of its answer for so long is cut. */
  readonly stalledWriteMs: number;
}

/** How transactions are looked after. */
export interface TransactionRules {
  /** Half messages are refused. */
  readonly reject: boolean;
  /** A half message is this old before its producer is asked, where it sets no longer time itself. Milliseconds. */
  readonly timeOutMs: number;
  /** Pause between two checks of a transaction. Milliseconds. */
  readonly checkIntervalMs: number;
  /** A transaction that was checked so often is discarded when it would be checked again. */
  readonly checkMax: number;
  /** A transaction that is open for longer is discarded, whether anybody could be asked or not. Milliseconds. */
  readonly ageMaxMs: number;
}

export interface MessagingConfig {
  /** RocketMQ key `brokerName`. */
  readonly brokerName: string;
  /** `ip:port` of this broker, as delivered messages carry it. */
  readonly storeHost: string;
  /** What clients may do here: 2 write, 4 read, 6 both; RocketMQ key of this name. */
  readonly brokerPermission: number;
  /** A first send to an unknown topic makes it. */
  readonly autoCreateTopicEnable: boolean;
  /** A group is made when its first client appears. */
  readonly autoCreateSubscriptionGroup: boolean;
  /** Consumers may subscribe with SQL expressions. */
  readonly enablePropertyFilter: boolean;
  /** A client whose expression for a topic differs from that of its group's living clients is refused. */
  readonly refuseDifferentSubscriptions: boolean;
  /** Producers may cancel timed messages that have not come yet. */
  readonly recallMessageEnable: boolean;
  /** Queues of a topic that a first send makes, 1…1024. */
  readonly defaultTopicQueueNums: number;
  readonly messageLimits: MessageLimits;
  /** Deliveries of a group that nobody configured, after the first one. */
  readonly retryMaxTimes: number;
  /** One receive hands out no more than this (but at least one message). Bytes. */
  readonly receiveBatchBytesMax: number;
  readonly transactions: TransactionRules;
  readonly limits: MessagingLimits;
  readonly times: MessagingTimes;
}

/** Defaults of RocketMQ where it has them, but for SQL filters and recalls, which are on; only the names of the broker are missing. */
export const MESSAGING_DEFAULTS: Omit<MessagingConfig, 'brokerName' | 'storeHost'> = {
  brokerPermission: 6,
  autoCreateTopicEnable: true,
  autoCreateSubscriptionGroup: true,
  enablePropertyFilter: true,
  refuseDifferentSubscriptions: true,
  recallMessageEnable: true,
  defaultTopicQueueNums: 8,
  messageLimits: DEFAULT_MESSAGE_LIMITS,
  retryMaxTimes: 16,
  receiveBatchBytesMax: 4 * MIB,
  transactions: {
    reject: false,
    timeOutMs: 6 * SECOND_MS,
    checkIntervalMs: 30 * SECOND_MS,
    checkMax: 15,
    ageMaxMs: 720 * HOUR_MS,
  },
  limits: {
    sessionsMax: 50_000,
    settingsTotalBytesMax: 64 * MIB,
    settingsBytesMax: 128 * KIB,
    telemetryStreamsMax: 100_000,
    telemetryStreamsPerClientMax: 16,
    pollsMax: 16_384,
    pollsPerClientMax: 1_024,
    heldErrorsMax: 2_048,
    renewedMax: 1_000_000,
    renewedPerClientMax: 65_536,
    liteSubscriptionsMax: 100_000,
    liteRenewedPerClientMax: 100,
    ackEntriesMax: 4_096,
    sendBatchMax: 1_024,
    autoCreatedTopicsMax: 20_000,
    autoCreatedGroupsMax: 20_000,
  },
  times: {
    deadlineMarginMs: 500,
    errorHoldMs: SECOND_MS,
    renewedLeaseMs: MINUTE_MS,
    renewAheadMs: 10 * SECOND_MS,
    renewTotalMs: 3 * HOUR_MS,
    releaseMs: SECOND_MS,
    silenceMs: 2 * MINUTE_MS,
    disconnectedMs: 20 * SECOND_MS,
    settingsDeadlineMs: MINUTE_MS,
    settingsRepeatMs: [1_000, 4_000, 12_000],
    liteSubscriptionTimeoutMs: 3 * MINUTE_MS,
    liteSubscriptionCheckMs: 2 * MINUTE_MS,
    stalledWriteMs: MINUTE_MS,
  },
};
