export type {
  Delivery,
  LeaseOutcome,
  LeaseRef,
  MessageBytes,
  MessageFilter,
  QueueProgress,
  ReceiveRequest,
  SendRequest,
  SentMessage,
  Shard,
  Waiter,
} from './shard.ts';
