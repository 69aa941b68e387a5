export type { ComparedChecksum, StateChecksum } from './attestation.ts';
export { type CutShardArguments, truncateShard, wipeShard } from './cut-shard.ts';
export type { FollowerShard } from './follower-shard.ts';
export {
  isLiteQueueId,
  LITE_BIND_ATTRIBUTE,
  LITE_EXPIRATION_ATTRIBUTE,
  LITE_WILDCARD_ATTRIBUTE,
  type LiteGroupLag,
  type LiteLag,
  type LiteOffsetTarget,
  type LiteReceiveRequest,
  type LiteSendRequest,
  type LiteShard,
  type LiteSubscriber,
  type LiteTopicInfo,
  type LiteTopicPage,
} from './lite-shard.ts';
export type { OpenedShard, ReplicationLimits } from './log-shard.ts';
export { BLOCKING_ATTRIBUTE } from './message-groups.ts';
export type { LeaderArguments, OpenShardArguments } from './open-arguments.ts';
export { openFollower, openShard } from './open-shard.ts';
export { type ShardOptions, type ShardSettings, shardSettings } from './options.ts';
export { PRIORITY_FACTOR } from './queue-turns.ts';
export {
  recoverViews,
  type ViewDirectories,
  type ViewRecovery,
  type ViewsReport,
  viewDirectories,
} from './recovery.ts';
export type {
  Delivery,
  EarlierSend,
  FoundMessage,
  FoundPage,
  GroupStanding,
  HalfRequest,
  HeldLease,
  LeaseOutcome,
  LeaseRef,
  MessageBytes,
  MessageFilter,
  MessageQuery,
  MessageStory,
  OffsetChange,
  OffsetRequest,
  OffsetTarget,
  OpenTransaction,
  Pulled,
  PulledMessage,
  PullRequest,
  QueueProgress,
  ReceiveRequest,
  RedriveOutcome,
  RedrivePage,
  RedriveRequest,
  RedriveResult,
  RedriveSelection,
  SendRequest,
  SentHalf,
  SentMessage,
  SentTimer,
  Shard,
  StoredHalf,
  StoryEvent,
  TimedMessage,
  TimedMessagePage,
  TimedRequest,
  TimerPosition,
  TimerRef,
  TransactionOutcome,
  Waiter,
} from './shard.ts';
export type {
  ShardStatistics,
  SubscriptionStatistics,
  TimerStatistics,
  TopicStatistics,
  TransactionStatistics,
} from './statistics.ts';
export { CHECK_INTERVAL_ATTRIBUTE } from './transactions.ts';
