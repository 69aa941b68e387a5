export { ByteReader, ByteWriter, UINT48_MAX } from './bytes.ts';
export { KeyIndex, type KeyPlaces, type KeySearch } from './key-index/view.ts';
export { LITE_QUEUE_ID_MIN, LiteTopic } from './lite-topics/lite-topic.ts';
export { LiteTopicsView } from './lite-topics/view.ts';
export { decodeGroupConfig, decodeTopicConfig, encodeGroupConfig, encodeTopicConfig } from './metadata/codec.ts';
export { type Drain, decodeStanding, encodeStanding, type ShardStanding, type TopicCopy } from './metadata/standing.ts';
export type {
  Group,
  GroupConfig,
  Metadata,
  Queue,
  RetryPolicy,
  Topic,
  TopicConfig,
  TopicMessageType,
} from './metadata/types.ts';
export { MetadataView } from './metadata/view.ts';
export { type Pin, PinsView } from './pins/view.ts';
export { NONE } from './progress/entry-slab.ts';
export type { GroupQueue } from './progress/group-queue.ts';
export { ProgressView, type QueueSettlement, type SettledEntry, type SpentRule } from './progress/view.ts';
export { type QueueChange, QueueChangesView } from './queue-changes/view.ts';
export type { SegmentQueue } from './queue-index/index-file.ts';
export type { IndexedQueue } from './queue-index/indexed-queue.ts';
export type { IndexEntry } from './queue-index/memory-part.ts';
export { type IndexedMessage, QueueIndex, type QueueIndexOptions, type SegmentRange } from './queue-index/view.ts';
export { RedrivenView } from './redriven/view.ts';
export { KeyHash } from './sent-keys/key-hash.ts';
export { type SentKeysOptions, SentKeysView } from './sent-keys/view.ts';
export {
  decodeSnapshot,
  encodeSnapshot,
  findSnapshot,
  type Snapshot,
  SnapshotDamage,
  type SnapshotSearch,
  type SnapshotSection,
  type WritableSection,
  writeSnapshot,
} from './snapshot/file.ts';
export { FrozenBytes } from './snapshot/frozen-bytes.ts';
export { type PendingTimer, type TimerPage, TimersView } from './timers/view.ts';
export { TRANSACTION_END, type TransactionEnd } from './transactions/ended.ts';
export { type HalfMessage, type HalfRef, TransactionsView } from './transactions/view.ts';
