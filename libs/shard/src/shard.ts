import type { MqError } from '@orbitmq/base';
import type {
  Group,
  GroupConfig,
  HalfRef,
  Metadata,
  ShardStanding,
  Topic,
  TopicConfig,
  TransactionEnd,
} from '@orbitmq/views';
import type { Delivery, MessageBytes, QueueProgress, SentMessage, Waiter } from './common-types.ts';
import type { LiteShard } from './lite-shard.ts';
import type { SettleWaiter } from './settle-waiters.ts';

export interface SendRequest {
  readonly topic: Topic;
  /** 0 … writeQueueCount − 1. */
  readonly queueId: number;
  /** `javaStringHash` of the tag; 0 when there is none. */
  readonly tagHash: number;
  readonly message: MessageBytes;
}

/** A message that is to be delivered later. */
export interface TimedRequest extends SendRequest {
  /** Not before this moment of the wall clock; milliseconds since 1970, at most 2^48 − 1. */
  readonly deliveryTimestampMs: number;
}

/** Names a timed message on its shard, for ever. */
export interface TimerRef {
  readonly id: number;
  /** Where the shard finds it. */
  readonly slot: number;
}

export interface SentTimer {
  readonly timer: TimerRef;
  readonly storeTimestampMs: number;
}

/** A message that waits for its time. */
export interface TimedMessage {
  readonly timer: TimerRef;
  readonly queueId: number;
  readonly deliveryTimestampMs: number;
  readonly message: MessageBytes;
}

/** Where a page of timed messages begins: 0 for the first, then what the page before said. */
export type TimerPosition = number;

export interface TimedMessagePage {
  readonly messages: readonly TimedMessage[];
  /** undefined = that was the last page. A page may be empty and not the last. */
  readonly next: TimerPosition | undefined;
}

/** A message whose transaction is open. */
export interface HalfRequest {
  readonly topic: Topic;
  readonly tagHash: number;
  readonly message: MessageBytes;
  /** Its producer is asked about it after so long; milliseconds. */
  readonly immunityMs: number;
}

export interface SentHalf {
  readonly half: HalfRef;
  readonly storeTimestampMs: number;
}

/** The message of an open transaction. */
export interface StoredHalf {
  readonly storeTimestampMs: number;
  readonly message: MessageBytes;
}

/** A transaction that was neither committed nor rolled back. */
export interface OpenTransaction {
  readonly half: HalfRef;
  /** How often a producer was asked. */
  readonly checkCount: number;
  /** Bytes of its record. */
  readonly sizeBytes: number;
  /** Since the half message was stored, milliseconds. */
  readonly ageMs: number;
}

/** What became of an attempt to end a transaction. `unknown`: it never was, or ended long ago. */
export type TransactionOutcome =
  | { readonly kind: 'ended'; readonly ageMs: number }
  | { readonly kind: 'ended before'; readonly end: TransactionEnd }
  | { readonly kind: 'unknown' };

/** What became of a message that was sent before. */
export type EarlierSend =
  | { readonly kind: 'message'; readonly queueOffset: number }
  | { readonly kind: 'timer'; readonly timer: TimerRef }
  | { readonly kind: 'half'; readonly half: HalfRef };

/** Which messages a consumer wants. */
export interface MessageFilter {
  /** Quick look at the tag hash in the queue index: false = surely not wanted. */
  mayMatch(tagHash: number): boolean;
  /** The exact answer, on the message; absent when `mayMatch` decides alone. */
  matches?(message: MessageBytes): boolean;
}

export interface ReceiveRequest {
  readonly group: Group;
  readonly topic: Topic;
  /** undefined = everything. */
  readonly filter: MessageFilter | undefined;
  /** 1…32. */
  readonly countMax: number;
  /** Stops before the batch exceeds this; at least one message is given. Bytes. */
  readonly bytesMax: number;
  /** Milliseconds. */
  readonly invisibleMs: number;
  /** FIFO groups: the same id as the last time gets the same messages again. */
  readonly attemptId: string | undefined;
}

/** What a reader wants of a queue, without a lease. */
export interface PullRequest {
  readonly topic: Topic;
  /** 0 … readQueueCount − 1. */
  readonly queueId: number;
  /** First offset that is looked at. */
  readonly offset: number;
  /** undefined = everything. */
  readonly filter: MessageFilter | undefined;
  /** 1…32. */
  readonly countMax: number;
  /** Stops before the batch exceeds this; at least one message is given. Bytes. */
  readonly bytesMax: number;
}

export interface PulledMessage {
  readonly queueOffset: number;
  readonly physicalOffset: number;
  readonly storeTimestampMs: number;
  readonly message: MessageBytes;
}

/** What one pull found; it may be nothing although there is more to look at. */
export interface Pulled {
  readonly messages: readonly PulledMessage[];
  /** Where the next pull goes on. */
  readonly nextOffset: number;
  /** Behind the last message that may be seen. */
  readonly endOffset: number;
}

/** Which stored messages somebody looks for. */
export interface MessageQuery {
  readonly by: 'messageId' | 'key';
  readonly text: string;
  /** undefined = any. */
  readonly topic: Topic | undefined;
  /** Stored from then on, milliseconds since 1970. */
  readonly beginMs: number;
  /** Stored up to then, inclusive. */
  readonly endMs: number;
  readonly countMax: number;
  /** Stops before the page exceeds this; at least one message is given. Bytes. */
  readonly bytesMax: number;
  /** Where the page before said to go on; undefined = with the newest. */
  readonly before: number | undefined;
}

/** A message as it was found in the log. */
export interface FoundMessage {
  readonly topic: Topic;
  /** undefined while it is in no queue. */
  readonly place: { readonly queueId: number; readonly queueOffset: number } | undefined;
  /** What it waits for: its time, or the end of its transaction (or it was cancelled, rolled back or discarded). */
  readonly pending: 'timed' | 'half' | undefined;
  /** Record that put it where it is. */
  readonly physicalOffset: number;
  /** Record that holds its body. */
  readonly bodyOffset: number;
  /** Bytes of the record that holds its body. */
  readonly sizeBytes: number;
  readonly storeTimestampMs: number;
  readonly message: MessageBytes;
}

/** Some of what was found, the newest first. */
export interface FoundPage {
  readonly messages: readonly FoundMessage[];
  /** `before` of the next page; undefined when that was all. */
  readonly next: number | undefined;
}

/** How a group stands to a message. What a filter passed over or an offset skipped counts as settled, too. */
export interface GroupStanding {
  readonly group: string;
  readonly standing: 'not reached' | 'in flight' | 'to be delivered again' | 'settled';
  /** Times that it was handed out, while it is not settled; else 0. */
  readonly attempt: number;
  /** Until its lease ends; 0 when it has none. Milliseconds. */
  readonly leftMs: number;
}

/** Something that happened to a message. */
export interface StoryEvent {
  readonly kind: 'delivered' | 'settled' | 'handed back' | 'dead letter' | 'redriven' | 'offset set';
  readonly group: string;
  readonly atMs: number;
  readonly leaseId: number;
}

/** What became of a message. */
export interface MessageStory {
  readonly message: FoundMessage;
  /** Groups that have begun on its queue. */
  readonly groups: readonly GroupStanding[];
  /** In the order of the log. */
  readonly events: readonly StoryEvent[];
  /** The log was followed to its end; otherwise later events may be missing. */
  readonly isComplete: boolean;
}

/** What a receipt handle points at. */
export interface LeaseRef {
  readonly group: Group;
  readonly topic: Topic;
  readonly queueId: number;
  readonly queueOffset: number;
  readonly leaseId: number;
}

/** A lease that is renewed for a client. */
export interface HeldLease {
  readonly lease: LeaseRef;
  /** 32 bits that stand for the client. */
  readonly holder: number;
}

/**
 * `done`: this lease was the current one (expired or not); `settled`: the message was settled before;
 * `superseded`: it has been handed out again since; `unknown`: never handed out.
 */
export type LeaseOutcome = 'done' | 'settled' | 'superseded' | 'unknown';

/** Which dead letters of a group; what is left out takes all. */
export interface RedriveSelection {
  /** When they became dead letters: from and to, inclusive; milliseconds since 1970. */
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
  /** Topic that they come from. */
  readonly topicName?: string | undefined;
  readonly key?: string | undefined;
  /** Id that the producer gave. */
  readonly messageId?: string | undefined;
}

export interface RedriveRequest {
  readonly group: Group;
  readonly selection: RedriveSelection;
  /** Offset among the dead letters at which to begin. */
  readonly fromOffset: number;
  /** 1…1000; fewer may come although more are left. */
  readonly countMax: number;
  /** Only say what would be done. */
  readonly isDryRun: boolean;
}

/** `expired`: retention has removed the message from its queue; `topic gone`: its topic was deleted. Such ones stay dead letters. */
export type RedriveOutcome = 'redriven' | 'expired' | 'topic gone';

/** What became of one dead letter. */
export interface RedriveResult {
  /** Offset among the dead letters. */
  readonly queueOffset: number;
  readonly messageId: string;
  /** Topic that it comes from. */
  readonly topicName: string;
  /** When it became a dead letter. */
  readonly storeTimestampMs: number;
  readonly outcome: RedriveOutcome;
}

export interface RedrivePage {
  readonly results: readonly RedriveResult[];
  /** Where to go on. */
  readonly nextOffset: number;
  readonly more: boolean;
}

/** Where a group is to go on. */
export type OffsetTarget =
  | { readonly kind: 'earliest' | 'latest' }
  /** The first message stored at or after this, milliseconds since 1970; behind the last one when there is none. */
  | { readonly kind: 'time'; readonly timestampMs: number }
  /** From the queue's first offset to its end. */
  | { readonly kind: 'offset'; readonly offset: number }
  /** Where another group has settled everything before; queues that it has not begun are left alone. */
  | { readonly kind: 'group'; readonly group: Group };

export interface OffsetRequest {
  readonly group: Group;
  readonly topic: Topic;
  /** undefined = all queues of the topic; of a LITE one, all lite topics that the group has begun or that its clients read. */
  readonly queueId: number | undefined;
  readonly target: OffsetTarget;
}

/** What setting an offset does, or would do, to a group on one queue. */
export interface OffsetChange {
  readonly queueId: number;
  readonly minOffset: number;
  readonly maxOffset: number;
  /** Before: everything below was settled. */
  readonly floorOffset: number;
  /** Before: first offset not handed out. */
  readonly nextOffset: number;
  /** First offset that is handed out after it. */
  readonly newOffset: number;
  /** Messages that were settled and are handed out again. */
  readonly redeliveredCount: number;
  /** Messages that were not settled and are never handed out (again). */
  readonly skippedCount: number;
  /** Messages in flight or to be handed out again: what was given out of them is void. */
  readonly inflightCount: number;
  /** When the message at `newOffset` was stored, milliseconds since 1970; undefined at the end of the queue. */
  readonly newOffsetTimestampMs: number | undefined;
  /** The same of `floorOffset`. */
  readonly floorTimestampMs: number | undefined;
}

/**
 * One shard: a deterministic state machine over one commit log. Methods that change something append to the log in
 * the same synchronous step; nothing may be answered to a client before `settled()` has resolved.
 */
export interface Shard extends LiteShard {
  readonly metadata: Metadata;
  /** Incarnation of the log that this process writes: higher at each start, whatever the clock says. It belongs into every handle. */
  readonly epoch: number;
  /**
   * Whether the lease, timer or half message of a handle that was made in an `epoch` is the one that has its id now. A power loss
   * under ASYNC_FLUSH, or a failover, may cost the end of the log, and ids, which are places in it, are given again.
   */
  isKept(epoch: number, id: number): boolean;
  /** Calls `listener` after each change of topics or groups has settled. */
  onMetadataChange(listener: () => void): () => void;
  /** Creates or alters a topic; resolves when it is stored. Queues are never removed by altering. */
  putTopic(config: TopicConfig): Promise<Topic>;
  /** Resolves with false when there is none. Its messages are gone, and its progress in all groups. */
  deleteTopic(name: string): Promise<boolean>;
  putGroup(config: GroupConfig): Promise<Group>;
  deleteGroup(name: string): Promise<boolean>;
  /** Says how the shard stands as a whole; what `change` leaves out stays. It counts at once; resolves when it is stored. */
  putStanding(change: Partial<ShardStanding>): Promise<void>;
  /** Why a drained shard takes nothing new, now; undefined while it does. */
  readonly drainRefusal: MqError | undefined;

  /**
   * Appends a message.
   * @throws MqError FORBIDDEN when the disk is beyond its watermark or the shard is stopping, TOO_MANY_REQUESTS when the log is behind
   */
  send(request: SendRequest): SentMessage;
  /**
   * Appends a message that nobody sees before its time; then it comes into its queue, exactly once.
   * @throws as `send` does; MqError TOO_MANY_REQUESTS also when too many wait
   */
  sendTimed(request: TimedRequest): SentTimer;
  /** A timed message that waits; undefined when it has come, was cancelled, or is none of this topic. */
  findTimer(topic: Topic, timer: TimerRef): Promise<TimedMessage | undefined>;
  /** Cancels a timed message; false when it does not wait (any more). Await `settled()` before answering. */
  cancelTimer(topic: Topic, timer: TimerRef): boolean;
  /** Timed messages of a topic that wait, in no particular order. @param countMax at least 1 */
  timers(topic: Topic, from: TimerPosition, countMax: number): Promise<TimedMessagePage>;
  /** How many timed messages of a topic wait. */
  timerCount(topic: Topic): number;
  /**
   * Appends a message that nobody sees before its transaction is committed.
   * @throws as `send` does; MqError TOO_MANY_REQUESTS also when too many transactions are open
   */
  sendHalf(request: HalfRequest): SentHalf;
  /**
   * Ends a transaction, unless it has ended; a commit puts its message into a queue in the same step. Await `settled()`
   * before answering.
   * @param queueId of a commit, 0 … writeQueueCount − 1
   * @throws MqError TOO_MANY_REQUESTS when the log is behind, FORBIDDEN when the shard is stopping
   */
  endTransaction(topic: Topic, half: HalfRef, end: TransactionEnd, queueId: number): TransactionOutcome;
  /** How many transactions of a topic are open. */
  transactionCount(topic: Topic): number;
  /** Topics with open transactions. */
  transactionTopics(): Topic[];
  /** Open transactions of a topic whose half has an id above `afterId`, the oldest first. */
  openTransactions(topic: Topic, afterId: number, countMax: number): OpenTransaction[];
  /** Open transactions of a topic about which a producer is to be asked now. */
  dueTransactions(topic: Topic, countMax: number): OpenTransaction[];
  /**
   * The message of an open transaction; undefined when it is not open.
   * @throws MqError INTERNAL_SERVER_ERROR when it can't be read
   */
  readHalf(half: HalfRef): Promise<StoredHalf | undefined>;
  /** A producer was asked about each of these; they are due again after `pauseMs`. */
  transactionsChecked(halves: readonly HalfRef[], pauseMs: number): void;
  /** Where the next record goes: what is sent from now on lies at or behind it. */
  readonly position: number;
  /** `findSent` is about to be asked for all of these in this order; to know it makes that quicker. */
  foreseeSends(topic: Topic, messages: readonly MessageBytes[]): void;
  /**
   * Whether a message with the same id (or the same application's key) was sent to the topic within the dedup window. At
   * once when there is none, or it is in memory. It may not be settled yet: await `settled()` before answering.
   * @param from only what was sent at or behind this position counts; 0 = all
   */
  findSent(
    topic: Topic,
    message: MessageBytes,
    from: number,
  ): EarlierSend | undefined | Promise<EarlierSend | undefined>;
  /** Settles when all that was appended before is stored (see CommitLog.settled). */
  settled(): Promise<void>;
  /** As `settled`, for those who are many: tells `waiter`, never at once; all who wait for one batch in a row, in the order in which they came. */
  whenSettled(waiter: SettleWaiter): void;

  /** Hands out what is there now, at once; an empty list when nothing is. The lease is stored before it resolves. */
  receive(request: ReceiveRequest): Promise<Delivery[]>;
  /** Waits until a receive of this group on this topic may find something. One waiter is woken for one event. */
  waitForMessages(group: Group, topic: Topic): Waiter;
  /** Settles a message. Await `settled()` before answering. */
  acknowledge(lease: LeaseRef): LeaseOutcome;
  /**
   * Settles messages of one topic for one group, all together by one record. Await `settled()` before answering.
   * @param leases up to 65,535
   * @returns outcomes as if they had been settled one after the other, but that a lease named twice is `done` twice
   * @throws MqError TOO_MANY_REQUESTS when the log is behind: then none is settled
   */
  acknowledgeAll(leases: readonly LeaseRef[]): LeaseOutcome[];
  /**
   * Makes a message a dead letter of its group: it is settled and appears in the topic `%DLQ%<group>`, in one step. Await
   * `settled()` before answering.
   * @throws MqError TOO_MANY_REQUESTS when the log is behind
   */
  deadLetter(lease: LeaseRef): Promise<LeaseOutcome>;
  /**
   * Hands dead letters back to their group, oldest first; resolves when that is stored.
   * @throws MqError TOPIC_NOT_FOUND when the group has none
   */
  redrive(request: RedriveRequest): Promise<RedrivePage>;
  /** Dead letters of a topic `%DLQ%<group>` that were not handed back; of another topic, all that it holds. */
  keptCount(topic: Topic): number;
  /**
   * Makes a message visible again after `invisibleMs` ≥ 0 from now; the old lease id is void, a new one is returned.
   * @param suspends default false; true = all that the group holds of the message's queue rests as long, which suspends a lite
   *   topic for the group. What is handed out now does not count as an attempt; whoever renews leases there must stop.
   */
  changeInvisible(
    lease: LeaseRef,
    invisibleMs: number,
    suspends?: boolean,
  ): { readonly outcome: LeaseOutcome; readonly leaseId: number };
  /**
   * Moves the deadline of leases that are still current to `invisibleMs` from now; lease ids stay.
   * @param holder 32 bits that stand for the client for whom they are renewed, kept until they are renewed otherwise;
   *   0, the default, for none
   */
  renew(leases: readonly LeaseRef[], invisibleMs: number, holder?: number): void;
  /** Leases that were last renewed for a client, also before a restart; those that have ended meanwhile, too. */
  heldLeases(): HeldLease[];

  progress(group: Group, topic: Topic): QueueProgress[];
  /**
   * Says what `setOffsets` would do now.
   * @throws MqError ILLEGAL_OFFSET for an offset outside the queue, BAD_REQUEST for a queue that is not there
   */
  planOffsets(request: OffsetRequest): Promise<OffsetChange[]>;
  /**
   * Sets where a group goes on with a topic, in one step for all queues; resolves when that is stored. What is in flight
   * of the group there is given up: its leases are `unknown` from now on. Receives that wait go on at the new place.
   * @throws as `planOffsets` does
   */
  setOffsets(request: OffsetRequest): Promise<OffsetChange[]>;
  /**
   * First offset of a queue whose message was stored at or after a time, by bisection: exact as long as the wall clock
   * did not go back. The queue's end when there is none.
   */
  offsetAt(topic: Topic, queueId: number, timestampMs: number): Promise<number>;
  /** Stores where a group goes on with one queue: `setOffsets` for one who keeps the offset by himself. */
  commitOffset(group: Group, topic: Topic, queueId: number, offset: number): Promise<void>;

  /**
   * Reads settled messages of a queue from an offset on. Nothing is handed out: any number of readers see the same.
   * @throws MqError OFFSET_NOT_FOUND for an offset whose message was removed, ILLEGAL_OFFSET for one that never was,
   *         BAD_REQUEST for a queue that is not there. The first two have the `nearestOffset` in their details.
   */
  pull(request: PullRequest): Promise<Pulled>;
  /** Waits until a pull from `offset` may find something. */
  waitForOffset(topic: Topic, queueId: number, offset: number): Waiter;
  /** Finds messages by id or key, with the index of keys, which follows the log at a short distance: waits for it. */
  findMessages(query: MessageQuery): Promise<FoundPage>;
  /** The message whose record begins at a byte of the log; undefined when none does. */
  messageAt(physicalOffset: number): Promise<FoundMessage | undefined>;
  /**
   * The message at an offset of a queue; undefined when it can't be read.
   * @throws MqError OFFSET_NOT_FOUND when the queue does not hold it
   */
  messageInQueue(topic: Topic, queueId: number, queueOffset: number): Promise<FoundMessage | undefined>;
  /**
   * What became of a message: how groups stand to it, and what the next 64 MiB of the log say about it.
   * @throws MqError OFFSET_NOT_FOUND when the queue does not hold it
   */
  messageStory(topic: Topic, queueId: number, queueOffset: number): Promise<MessageStory>;
  /** Offsets of a queue. */
  queueRange(topic: Topic, queueId: number): { readonly minOffset: number; readonly maxOffset: number };
}
