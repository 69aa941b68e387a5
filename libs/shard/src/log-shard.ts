import { assert, MqError, quoted } from '@orbitmq/base';
import type { LogCopies, RecoveryReport, ReplicatedLog } from '@orbitmq/storage';
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
import { Administration } from './administration.ts';
import { encodeAttestation, type StateChecksum } from './attestation.ts';
import { BoundedSettling } from './bounded-settling.ts';
import type { BranchSettlement } from './branch-settlements.ts';
import { BranchSettler } from './branch-settler.ts';
import type { Delivery, MessageBytes, QueueProgress, SentMessage, Waiter } from './common-types.ts';
import { masterAway, type ShardCore } from './core.ts';
import { DeadLetters } from './dead-letters.ts';
import type { DiskWatch } from './disk-watch.ts';
import type { KeyIndexing } from './key-indexing.ts';
import { Leases } from './leases.ts';
import { LiteExpiry } from './lite-expiry.ts';
import { LiteOffsets } from './lite-offsets.ts';
import { LiteOverview } from './lite-overview.ts';
import type {
  LiteGroupLag,
  LiteOffsetTarget,
  LiteSendRequest,
  LiteSubscriber,
  LiteTopicInfo,
  LiteTopicPage,
} from './lite-shard.ts';
import { LiteStandings } from './lite-standing.ts';
import type { LogScrub } from './log-scrub.ts';
import type { Maintenance } from './maintenance.ts';
import { MessageAppender } from './message-appender.ts';
import { Offsets } from './offsets.ts';
import { Puller } from './puller.ts';
import { Queries } from './queries.ts';
import { queueProgress } from './queue-progress.ts';
import { Receiver } from './receiver.ts';
import { RECORD } from './records.ts';
import type { ViewsReport } from './recovery.ts';
import { Redrive } from './redrive.ts';
import { SentMessages } from './sent-messages.ts';
import { type SettleWaiter, SettleWaiters } from './settle-waiters.ts';
import type {
  EarlierSend,
  FoundMessage,
  FoundPage,
  HalfRequest,
  HeldLease,
  LeaseOutcome,
  LeaseRef,
  MessageQuery,
  MessageStory,
  OffsetChange,
  OffsetRequest,
  OpenTransaction,
  Pulled,
  PullRequest,
  ReceiveRequest,
  RedrivePage,
  RedriveRequest,
  SendRequest,
  SentHalf,
  SentTimer,
  Shard,
  StoredHalf,
  TimedMessage,
  TimedMessagePage,
  TimedRequest,
  TimerPosition,
  TimerRef,
  TransactionOutcome,
} from './shard.ts';
import {
  type ShardStatistics,
  type ShardTotals,
  shardTotals,
  subscriptionStatistics,
  topicStatistics,
} from './statistics.ts';
import { Stories } from './story.ts';
import { TimedMessages } from './timers.ts';
import { Transactions } from './transactions.ts';

/** What a leader owes to its followers. */
export interface ReplicationLimits {
  /** Why sends are refused before anything is stored; undefined when they are taken. Asked at each send. */
  refusal(): MqError | undefined;
  /** Longest that `settled()` waits. Milliseconds. */
  readonly settleMs: number;
}

/** A shard that has been opened: what its node can do beside serving. */
export interface OpenedShard extends Shard {
  /** What was found in the log at the start. */
  readonly recovery: RecoveryReport;
  /** Where the views came from at the start. */
  readonly viewsRecovery: ViewsReport;
  /** Why sends are refused now; undefined when they are taken. */
  readonly sendRefusal: string | undefined;
  /** Takes sends, and waits for them, as replication demands; without it a shard answers for itself alone. */
  limitBy(limits: ReplicationLimits): void;
  /** Other copies of its log, from now on; see `CommitLog.useCopies`. */
  useCopies(copies: LogCopies): void;
  statistics(): ShardStatistics;
  /** Costs next to nothing, however much there is. */
  totals(): ShardTotals;
  /** Looks for old messages to remove, now. */
  retain(): Promise<void>;
  /** Stores a snapshot of the views, now. */
  snapshot(): Promise<void>;
  /** The log for replication: offsets, epochs, chunks for followers, confirmation and fencing. */
  readonly replica: ReplicatedLog;
  /** A number for the state of all views at a position of the log: equal states give equal numbers. */
  checksum(): StateChecksum;
  /**
   * Appends a record with the checksum of the state before it, so that each follower compares its own (`FollowerShard.attested`).
   * Resolves when it is confirmed.
   */
  attest(): Promise<StateChecksum>;
  /**
   * Takes over what a copy has handed out and settled of a queue that stood in for this leader; once more, it changes nothing. Await
   * `settled()` before answering.
   * @param ownFrom leases and offsets from this byte of the log on were given and set without knowing of the copy's
   * @returns false when the group, the queue or its messages are not there (any more)
   * @throws MqError BAD_REQUEST when that can't be
   */
  takeSettlement(settlement: BranchSettlement, ownFrom: number): boolean;
  /** Dead letters are made from now on: see `LeaderArguments.holdsDeadLetters`. Idempotent. */
  releaseDeadLetters(): void;
  /** Stops taking requests, stores what is open, takes a snapshot and ends the log in order. Idempotent. */
  close(): Promise<void>;
}

/** The parts that a shard is put together from. */
export interface LogShardParts {
  readonly core: ShardCore;
  readonly disk: DiskWatch;
  readonly maintenance: Maintenance;
  readonly keys: KeyIndexing;
  readonly scrub: LogScrub;
  readonly viewsRecovery: ViewsReport;
  /** Messages whose attempts are used up stay where they are until `releaseDeadLetters`. */
  readonly holdsDeadLetters: boolean;
  /** Gives the data directory back. */
  release(): Promise<void>;
}

/** A shard over a commit log. */
export class LogShard implements OpenedShard {
  readonly viewsRecovery: ViewsReport;
  readonly #core: ShardCore;
  readonly #disk: DiskWatch;
  readonly #maintenance: Maintenance;
  readonly #scrub: LogScrub;
  readonly #deadLetters: DeadLetters;
  readonly #leases: Leases;
  readonly #redrive: Redrive;
  readonly #receiver: Receiver;
  readonly #administration: Administration;
  readonly #appender: MessageAppender;
  readonly #timers: TimedMessages;
  readonly #transactions: Transactions;
  readonly #offsets: Offsets;
  readonly #liteOffsets: LiteOffsets;
  readonly #liteOverview: LiteOverview;
  readonly #liteStandings: LiteStandings;
  readonly #liteExpiry: LiteExpiry;
  readonly #sentMessages: SentMessages;
  readonly #keys: KeyIndexing;
  readonly #queries: Queries;
  readonly #stories: Stories;
  readonly #puller: Puller;
  readonly #settler: BranchSettler;
  readonly #release: () => Promise<void>;
  #limits: ReplicationLimits | undefined;
  #settling: BoundedSettling | undefined;
  readonly #settleWaiters = new SettleWaiters();
  #closing: Promise<void> | undefined;

  constructor(parts: LogShardParts) {
    this.#core = parts.core;
    this.#disk = parts.disk;
    this.#maintenance = parts.maintenance;
    this.#scrub = parts.scrub;
    this.viewsRecovery = parts.viewsRecovery;
    this.#release = () => parts.release();
    this.#administration = new Administration(parts.core);
    this.#appender = new MessageAppender(parts.core);
    this.#deadLetters = new DeadLetters(parts.core, this.#appender, () => this.#administration.announce());
    this.#leases = new Leases(parts.core, this.#deadLetters);
    this.#redrive = new Redrive(parts.core, this.#leases);
    this.#receiver = new Receiver(parts.core, this.#leases);
    this.#timers = new TimedMessages(parts.core, this.#appender);
    this.#transactions = new Transactions(parts.core, this.#appender);
    this.#offsets = new Offsets(parts.core);
    this.#liteOffsets = new LiteOffsets(parts.core, this.#offsets);
    this.#liteOverview = new LiteOverview(parts.core);
    this.#liteStandings = new LiteStandings(parts.core);
    this.#liteExpiry = new LiteExpiry(parts.core);
    this.#sentMessages = new SentMessages(parts.core);
    this.#keys = parts.keys;
    this.#queries = new Queries(parts.core, parts.keys);
    this.#stories = new Stories(parts.core, this.#queries);
    this.#puller = new Puller(parts.core);
    this.#settler = new BranchSettler(parts.core, this.#leases);
    if (parts.holdsDeadLetters) this.#deadLetters.hold();
    this.#leases.expire();
    if (!parts.core.isActing) {
      this.#timers.start();
      this.#liteExpiry.start();
    }
    // Another one leads: the state is ahead of what that one has, and nothing more comes of it.
    parts.core.log.onFenced(() => this.#halt());
  }

  get metadata(): Metadata {
    return this.#core.state.metadata;
  }

  get recovery(): RecoveryReport {
    return this.#core.log.recovery;
  }

  get epoch(): number {
    return this.#core.log.epoch;
  }

  isKept(epoch: number, id: number): boolean {
    return this.#core.log.isKept(epoch, id);
  }

  get sendRefusal(): string | undefined {
    return this.#disk.refusal;
  }

  onMetadataChange(listener: () => void): () => void {
    return this.#administration.onChange(listener);
  }

  putTopic(config: TopicConfig): Promise<Topic> {
    return this.#administration.putTopic(config);
  }

  deleteTopic(name: string): Promise<boolean> {
    const topic = this.#core.state.metadata.topic(name);
    if (topic !== undefined) {
      this.#appender.sent.delete(topic.uid);
      for (const queue of topic.queues) this.#core.pulls.dismiss(queue.uid);
      for (const { uid } of this.#core.state.metadata.liteTopics.of(topic.uid)) this.#core.pulls.dismiss(uid);
    }
    return this.#administration.deleteTopic(name);
  }

  putGroup(config: GroupConfig): Promise<Group> {
    const stored = this.#administration.putGroup(config);
    this.#leases.judgeAgain(this.#core.state.metadata.group(config.name)?.uid ?? 0);
    return stored;
  }

  deleteGroup(name: string): Promise<boolean> {
    return this.#administration.deleteGroup(name);
  }

  putStanding(change: Partial<ShardStanding>): Promise<void> {
    return this.#administration.putStanding(change);
  }

  get drainRefusal(): MqError | undefined {
    const { drain } = this.#core.state.metadata.standing;
    if (drain === undefined || this.#core.clock.wallMs() < drain.refusesFromMs) return undefined;
    return new MqError(
      'HA_NOT_AVAILABLE',
      'this broker is being emptied and takes no more messages, nothing was stored: send to another one (ask for the route again)',
    );
  }

  send(request: SendRequest): SentMessage {
    return this.#appender.append(this.#checkSend(request), request);
  }

  sendLite(request: LiteSendRequest): SentMessage {
    const topic = this.#checkAccepts(request.topic);
    this.#checkLiteQuota(topic, request.liteTopic);
    return this.#appender.appendLite(topic, request);
  }

  openLiteSubscriber(group: Group, topic: Topic, isWildcard: boolean): LiteSubscriber {
    this.#core.checkRunning();
    this.#core.subscription(group, topic);
    return this.#core.lite.open(group, topic, isWildcard, {
      waiters: this.#core.waiters,
      receive: (reader, request) => this.#receiver.receiveLite(reader, request),
    });
  }

  liteSubscribers(group: Group, topic: Topic, liteTopic: string): readonly LiteSubscriber[] {
    return this.#core.lite.find(group.uid, topic.uid)?.readersOf(liteTopic) ?? [];
  }

  get liteSubscriptionCount(): number {
    return this.#core.lite.nameCount;
  }

  setLiteOffsets(group: Group, topic: Topic, liteTopics: readonly string[], target: LiteOffsetTarget): Promise<void> {
    return this.#liteOffsets.set(group, topic, liteTopics, target);
  }

  liteTopicCount(topic?: Topic): number {
    return this.#liteOverview.count(topic);
  }

  liteTopic(topic: Topic, liteTopic: string): LiteTopicInfo | undefined {
    return this.#liteOverview.info(topic, liteTopic);
  }

  liteTopics(topic: Topic, after: string, countMax: number): LiteTopicPage {
    return this.#liteOverview.page(topic, after, countMax);
  }

  liteProgress(group: Group, topic: Topic, liteTopic: string): QueueProgress | undefined {
    this.#leases.expire();
    return this.#liteOverview.progress(group, topic, liteTopic);
  }

  liteLag(group: Group, topic: Topic, topCount: number): LiteGroupLag {
    this.#leases.expire();
    return this.#liteOverview.lag(group, topic, topCount);
  }

  sendTimed(request: TimedRequest): SentTimer {
    const topic = this.#checkSend(request);
    return this.#timers.send(topic, request);
  }

  findTimer(topic: Topic, timer: TimerRef): Promise<TimedMessage | undefined> {
    return this.#timers.find(topic, timer);
  }

  cancelTimer(topic: Topic, timer: TimerRef): boolean {
    this.#core.checkRunning();
    return this.#timers.cancel(topic, timer);
  }

  timers(topic: Topic, from: TimerPosition, countMax: number): Promise<TimedMessagePage> {
    return this.#timers.page(topic, from, countMax);
  }

  timerCount(topic: Topic): number {
    return this.#timers.count(topic);
  }

  sendHalf(request: HalfRequest): SentHalf {
    return this.#transactions.send(this.#checkAccepts(request.topic), request);
  }

  endTransaction(topic: Topic, half: HalfRef, end: TransactionEnd, queueId: number): TransactionOutcome {
    this.#core.checkRunning();
    return this.#transactions.end(topic, half, end, queueId);
  }

  transactionCount(topic: Topic): number {
    return this.#transactions.count(topic);
  }

  keptCount({ queues }: Topic): number {
    const { index, redriven } = this.#core.state;
    return queues.reduce((sum, { uid }) => {
      const { minOffset, nextOffset } = index.queue(uid)!;
      return sum + nextOffset - minOffset - redriven.countOf(uid, minOffset);
    }, 0);
  }

  transactionTopics(): Topic[] {
    return this.#transactions.topics();
  }

  openTransactions(topic: Topic, afterId: number, countMax: number): OpenTransaction[] {
    return this.#transactions.list(topic, afterId, countMax);
  }

  dueTransactions(topic: Topic, countMax: number): OpenTransaction[] {
    // Who asks producers must be able to note that they were asked.
    return this.#core.isActing ? [] : this.#transactions.due(topic, countMax);
  }

  readHalf(half: HalfRef): Promise<StoredHalf | undefined> {
    return this.#transactions.read(half);
  }

  transactionsChecked(halves: readonly HalfRef[], pauseMs: number): void {
    this.#core.checkRunning();
    this.#transactions.checked(halves, pauseMs);
  }

  get position(): number {
    return this.#core.log.endOffset;
  }

  foreseeSends(topic: Topic, messages: readonly MessageBytes[]): void {
    this.#sentMessages.foresee(topic, messages);
  }

  findSent(
    topic: Topic,
    message: MessageBytes,
    from: number,
  ): EarlierSend | undefined | Promise<EarlierSend | undefined> {
    return this.#sentMessages.find(topic, message, from);
  }

  settled(): Promise<void> {
    const settling = this.#core.log.settled();
    return this.#settling?.bound(settling) ?? settling;
  }

  whenSettled(waiter: SettleWaiter): void {
    this.#settleWaiters.add(this.settled(), waiter);
  }

  receive(request: ReceiveRequest): Promise<Delivery[]> {
    return this.#receiver.receive(request);
  }

  waitForMessages(group: Group, topic: Topic): Waiter {
    this.#core.checkRunning();
    return this.#core.waiters.wait(this.#core.subscription(group, topic));
  }

  acknowledge(lease: LeaseRef): LeaseOutcome {
    return this.#leases.acknowledge(lease);
  }

  acknowledgeAll(leases: readonly LeaseRef[]): LeaseOutcome[] {
    return this.#leases.acknowledgeAll(leases);
  }

  deadLetter(lease: LeaseRef): Promise<LeaseOutcome> {
    return this.#leases.deadLetter(lease);
  }

  redrive(request: RedriveRequest): Promise<RedrivePage> {
    this.#core.checkRunning();
    return this.#redrive.page(request);
  }

  changeInvisible(lease: LeaseRef, invisibleMs: number, suspends = false): { outcome: LeaseOutcome; leaseId: number } {
    return this.#leases.changeInvisible(lease, invisibleMs, suspends);
  }

  renew(leases: readonly LeaseRef[], invisibleMs: number, holder = 0): void {
    this.#leases.renew(leases, invisibleMs, holder);
  }

  heldLeases(): HeldLease[] {
    return this.#leases.held();
  }

  progress(group: Group, topic: Topic): QueueProgress[] {
    const { state } = this.#core;
    this.#leases.expire();
    const queues = state.metadata.topicByUid(topic.uid)?.queues ?? [];
    return queues.map((queue) => queueProgress(state, group, queue));
  }

  planOffsets(request: OffsetRequest): Promise<OffsetChange[]> {
    return this.#offsets.plan(request);
  }

  setOffsets(request: OffsetRequest): Promise<OffsetChange[]> {
    return this.#offsets.set(request);
  }

  offsetAt(topic: Topic, queueId: number, timestampMs: number): Promise<number> {
    return this.#offsets.at(topic, queueId, timestampMs);
  }

  commitOffset(group: Group, topic: Topic, queueId: number, offset: number): Promise<void> {
    return this.#offsets.commit(group, topic, queueId, offset);
  }

  pull(request: PullRequest): Promise<Pulled> {
    return this.#puller.pull(request);
  }

  waitForOffset(topic: Topic, queueId: number, offset: number): Waiter {
    return this.#puller.wait(topic, queueId, offset);
  }

  findMessages(query: MessageQuery): Promise<FoundPage> {
    return this.#queries.find(query);
  }

  messageAt(physicalOffset: number): Promise<FoundMessage | undefined> {
    return this.#queries.at(physicalOffset);
  }

  messageInQueue(topic: Topic, queueId: number, queueOffset: number): Promise<FoundMessage | undefined> {
    return this.#queries.inQueue(topic, queueId, queueOffset);
  }

  messageStory(topic: Topic, queueId: number, queueOffset: number): Promise<MessageStory> {
    return this.#stories.tell(topic, queueId, queueOffset);
  }

  queueRange(topic: Topic, queueId: number): { minOffset: number; maxOffset: number } {
    const queue = this.#core.state.metadata.queueById(topic.uid, queueId);
    const indexed = queue === undefined ? undefined : this.#core.state.index.queue(queue.uid);
    return { minOffset: indexed?.minOffset ?? 0, maxOffset: indexed?.nextOffset ?? 0 };
  }

  limitBy(limits: ReplicationLimits): void {
    this.#limits = limits;
    this.#settling = new BoundedSettling(this.#core.clock, limits.settleMs);
  }

  useCopies(copies: LogCopies): void {
    this.#core.log.useCopies(copies);
  }

  statistics(): ShardStatistics {
    const { log, state, waiters } = this.#core;
    return {
      topics: topicStatistics(this.#core, this.#appender.sent),
      subscriptions: subscriptionStatistics(this.#core, this.#liteStandings),
      timers: this.#timers.statistics(),
      transactions: this.#transactions.statistics(),
      log: log.statistics,
      logStartOffset: log.startOffset,
      logEndOffset: log.endOffset,
      logFlushedOffset: log.flushedOffset,
      outstandingCount: state.progress.entryCount,
      waitingReceives: waiters.count,
      removedBytes: this.#maintenance.removedBytes,
      readFailureCount: this.#core.readFaults.failureCount,
      recoveredReadCount: this.#core.readFaults.recoveredCount,
      scrub: this.#scrub.statistics,
      diskUsedRatio: this.#disk.usedRatio,
      sendsRefused: this.sendRefusal !== undefined,
    };
  }

  totals(): ShardTotals {
    return shardTotals(this.#core, this.#appender.sent);
  }

  retain(): Promise<void> {
    return this.#maintenance.retain();
  }

  snapshot(): Promise<void> {
    return this.#maintenance.snapshot();
  }

  get replica(): ReplicatedLog {
    return this.#core.log;
  }

  checksum(): StateChecksum {
    return { position: this.#core.log.endOffset, checksum: this.#core.state.checksum() };
  }

  async attest(): Promise<StateChecksum> {
    this.#core.checkRunning();
    const checksum = this.#core.state.checksum();
    const { physicalOffset, length } = this.#core.append(RECORD.attestation, [encodeAttestation(checksum)]);
    await this.#core.log.confirmed(physicalOffset + length);
    return { position: physicalOffset, checksum };
  }

  takeSettlement(settlement: BranchSettlement, ownFrom: number): boolean {
    return this.#settler.take(settlement, ownFrom);
  }

  releaseDeadLetters(): void {
    if (!this.#core.isActing) this.#deadLetters.release();
  }

  /** Takes nothing any more, and lets those go who wait; resolves when all that was taken is stored. */
  async endServing(error: MqError): Promise<void> {
    this.#core.end(error);
    this.#halt();
    await this.#core.log.settled();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** The topic as it is now. @throws MqError FORBIDDEN, TOPIC_NOT_FOUND */
  #checkSend(request: SendRequest): Topic {
    const topic = this.#checkAccepts(request.topic);
    assert(
      request.queueId >= 0 && request.queueId < topic.writeQueueCount,
      'a send names a queue that takes no writes',
    );
    return topic;
  }

  #checkLiteQuota(topic: Topic, liteTopic: string): void {
    const { liteTopics, nextQueueUid } = this.#core.state.metadata;
    const { liteTopicsMax } = this.#core.settings;
    if (liteTopics.find(topic.uid, liteTopic) !== undefined) return;
    if (liteTopics.count < liteTopicsMax && nextQueueUid <= QUEUE_UID_MAX) return;
    throw new MqError(
      'LITE_TOPIC_QUOTA_EXCEEDED',
      `this broker has ${liteTopics.count} lite topics, and ${liteTopicsMax} may be, so ${quoted(liteTopic)} can not be made: ` +
        `let lite topics of ${quoted(topic.name)} expire sooner, or let its operator raise liteTopicMax`,
    );
  }

  /** The topic as it is now. @throws MqError FORBIDDEN, TOPIC_NOT_FOUND */
  #checkAccepts({ uid, name }: Topic): Topic {
    this.#core.checkRunning();
    if (this.#core.isActing) throw masterAway();
    const { refusal } = this.#disk;
    if (refusal !== undefined) throw new MqError('FORBIDDEN', refusal);
    const limited = this.drainRefusal ?? this.#limits?.refusal();
    if (limited !== undefined) throw limited;
    const topic = this.#core.state.metadata.topicByUid(uid);
    if (topic !== undefined) return topic;
    throw new MqError('TOPIC_NOT_FOUND', `topic ${quoted(name)} has been deleted: create it first`);
  }

  /** Stops what appends by itself, and lets those go who wait. */
  #halt(): void {
    this.#core.stop();
    this.#leases.stop();
    this.#receiver.stop();
    this.#deadLetters.stop();
    this.#timers.stop();
    this.#liteExpiry.stop();
    this.#disk.stop();
  }

  async #close(): Promise<void> {
    this.#halt();
    this.#scrub.stop();
    try {
      await this.#keys.stop();
      await this.#maintenance.stop(() => this.#core.log.fenced === undefined && !this.#core.isActing);
      await this.#core.state.index.close();
      await this.#core.log.close();
    } finally {
      await this.#release();
    }
  }
}

/** Records have 32 bits for the number of a queue, and none is used twice. */
const QUEUE_UID_MAX = 2 ** 32 - 1;
