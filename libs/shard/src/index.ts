export {
  type ActingShard,
  cutBranch,
  findBranch,
  keepBranch,
  type LeadersPart,
  openActing,
} from './acting-shard.ts';
export type { ComparedChecksum, StateChecksum } from './attestation.ts';
export type { Branch } from './branch-file.ts';
export { type BranchSettlement, SETTLED_ENTRIES_MAX } from './branch-settlements.ts';
export type { Delivery, MessageBytes, QueueProgress, SentMessage, Waiter } from './common-types.ts';
export { type CutShardArguments, truncateShard, wipeShard } from './cut-shard.ts';
export type { FollowerShard } from './follower-shard.ts';
export {
  isLiteQueueId,
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
export { type SetAsideArguments, setTailAside } from './set-aside.ts';
export type { SettleWaiter } from './settle-waiters.ts';
export type {
  EarlierSend,
  FoundMessage,
  FoundPage,
  GroupStanding,
  HalfRequest,
  HeldLease,
  LeaseOutcome,
  LeaseRef,
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
  ReceiveRequest,
  RedriveOutcome,
  RedrivePage,
  RedriveRequest,
  RedriveResult,
  RedriveSelection,
  SendRequest,
  SentHalf,
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
} from './shard.ts';
export type {
  ShardStatistics,
  ShardTotals,
  SubscriptionStatistics,
  TimerStatistics,
  TopicStatistics,
  TransactionStatistics,
} from './statistics.ts';
export { CHECK_INTERVAL_ATTRIBUTE } from './transactions.ts';
