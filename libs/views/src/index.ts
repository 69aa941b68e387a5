export type {
  Group,
  GroupConfig,
  Metadata,
  Queue,
  RetryPolicy,
  Topic,
  TopicConfig,
  TopicMessageType,
} from './metadata-types.ts';
