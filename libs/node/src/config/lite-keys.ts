import { wholeNumber } from '@orbitmq/runtime';

/** Lite topics: how many there may be, and who may read how many of them. */
export const liteKeys = {
  liteTopicMax: wholeNumber({
    default: 500_000,
    min: 1,
    max: 50_000_000,
    description:
      'Lite topics that there may be, about 1 kB of memory each; a message that would make more is refused with LITE_TOPIC_QUOTA_EXCEEDED.',
  }),
  minLiteTTl: wholeNumber({
    default: 900_000,
    min: 1_000,
    max: 86_400_000,
    unit: 'ms',
    description:
      'No lite topic expires sooner after its last message, or after the start of the broker, whatever `lite.topic.expiration` of its parent says.',
  }),
  liteTtlCheckInterval: wholeNumber({
    default: 120_000,
    min: 1_000,
    max: 3_600_000,
    unit: 'ms',
    description: 'How often expired lite topics are looked for.',
  }),
  maxLiteTopicSize: wholeNumber({
    default: 64,
    min: 1,
    max: 255,
    unit: 'B',
    description: "Longest name of a lite topic; consumers are told. The original's proxy has this key.",
  }),
  maxLiteSubscriptionCount: wholeNumber({
    default: 100_000,
    min: 0,
    max: 10_000_000,
    description:
      'Lite topics that all clients together subscribe to; more are refused with LITE_SUBSCRIPTION_QUOTA_EXCEEDED. A client has the quota of its group, `lite.sub.client.quota`.',
  }),
  liteSubscriptionCheckTimeoutMills: wholeNumber({
    default: 180_000,
    min: 30_000,
    max: 3_600_000,
    unit: 'ms',
    description:
      'Subscriptions to lite topics that their client does not say again within this are dropped; clients do so every 30 s.',
  }),
  liteSubscriptionCheckInterval: wholeNumber({
    default: 120_000,
    min: 1_000,
    max: 3_600_000,
    unit: 'ms',
    description: 'How often subscriptions are looked for that were not said again.',
  }),
  maxLiteRenewNumPerChannel: wholeNumber({
    default: 100,
    min: 1,
    max: 65_536,
    description:
      "A client that holds more messages of lite topics, received with auto_renew and not acknowledged, is refused more with FORBIDDEN. The original's proxy has this key.",
  }),
} as const;
