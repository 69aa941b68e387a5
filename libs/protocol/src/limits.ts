import { HOUR_MS, KIB, MIB } from '@orbitmq/base';

/** Bounds of a message that a producer sends; a broker's configuration may move them. */
export interface MessageLimits {
  /** Largest body, bytes as received (inclusive). */
  readonly bodyBytesMax: number;
  /** Whether a message without a body is refused. */
  readonly bodyRequired: boolean;
  /** Most user properties. */
  readonly propertyCountMax: number;
  /** UTF-8 bytes of all user property keys and values, the tag and the keys together (inclusive). */
  readonly propertyBytesMax: number;
  /** UTF-8 bytes of a message group (inclusive). */
  readonly messageGroupBytesMax: number;
  /** Characters of a lite topic's name (inclusive). */
  readonly liteTopicLengthMax: number;
  /** How far ahead a delivery time may be, milliseconds; infinite = as far as the protocol can say it. */
  readonly deliveryDelayMsMax: number;
  /** Longest time before an undecided half message is asked about, milliseconds. */
  readonly recoveryDelayMsMax: number;
}

/** RocketMQ's own bounds, but for delivery times, which may lie as far ahead as anybody wants. */
export const DEFAULT_MESSAGE_LIMITS: MessageLimits = Object.freeze({
  bodyBytesMax: 4 * MIB,
  bodyRequired: true,
  propertyCountMax: 128,
  propertyBytesMax: 16 * KIB,
  // the original's 64 is exclusive
  messageGroupBytesMax: 63,
  liteTopicLengthMax: 64,
  deliveryDelayMsMax: Number.POSITIVE_INFINITY,
  recoveryDelayMsMax: HOUR_MS,
});

/** Longest topic name, characters. */
export const TOPIC_LENGTH_MAX = 127;
/** Longest name of a retry or dead-letter topic, which is made from a group's name; characters. */
export const DERIVED_TOPIC_LENGTH_MAX = 255;
/** Longest consumer group name, characters. */
export const GROUP_LENGTH_MAX = 120;
/** Longest lite topic name where nothing else is configured, characters. */
export const LITE_TOPIC_LENGTH_MAX = 64;
/** Most messages of one receive; more are never given. */
export const RECEIVE_BATCH_SIZE_MAX = 32;
/** Shortest invisible duration of a receive without auto-renewal, milliseconds (inclusive). */
export const INVISIBLE_MS_MIN = 10_000;
/** Longest invisible duration, milliseconds (inclusive). */
export const INVISIBLE_MS_MAX = 12 * HOUR_MS;
/** Shortest long poll, milliseconds (inclusive). */
export const POLLING_MS_MIN = 5_000;
/** Longest long poll, milliseconds (inclusive). */
export const POLLING_MS_MAX = 20_000;
