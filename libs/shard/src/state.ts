import { crc32 } from 'node:zlib';
import { readLiteTopic } from '@orbitmq/protocol';
import type { LogRecord } from '@orbitmq/storage';
import {
  decodeGroupConfig,
  decodeStanding,
  decodeTopicConfig,
  type FrozenBytes,
  LiteTopic,
  MetadataView,
  PinsView,
  ProgressView,
  QueueChangesView,
  type QueueIndex,
  RedrivenView,
  type SegmentRange,
  type SentKeysOptions,
  SnapshotDamage,
  type SnapshotSection,
  TimersView,
  TRANSACTION_END,
  type TransactionEnd,
  TransactionsView,
  type WritableSection,
} from '@orbitmq/views';
import { decodeGroupLease } from './group-lease.ts';
import { decodeHalfCheck, decodeHalfEnd } from './half.ts';
import { decodeLiteEnd, liteParentUid } from './lite-records.ts';
import { decodeOffsets } from './offset-records.ts';
import { decodeCarried, decodePendingEnd, type PendingBody } from './pending.ts';
import { type BodyRef, decodePointer, indexedLength, PENDING, type PendingKind, type PendingRef } from './pointer.ts';
import {
  decodeAck,
  decodeAcks,
  decodeChange,
  decodeCut,
  decodeHeld,
  decodeLease,
  decodeRenewal,
  decodeTrim,
  decodeUid,
  type LeaseKey,
  messageBytes,
  messageQueueOffset,
  messageQueueUid,
  messageTagHash,
  RECORD,
} from './records.ts';
import { decodeRedrive } from './redrive-record.ts';
import { SentKeys } from './sent-keys.ts';
import { decodeSettlement } from './settlement-record.ts';
import { StateRecordTracker } from './state-records.ts';

/** Sections of a snapshot. The open part of the index is left out where it can be read from the log as well. */
const SECTION = {
  metadata: 1,
  ranges: 2,
  progress: 3,
  stateRecords: 4,
  openIndex: 5,
  pins: 6,
  timers: 7,
  transactions: 8,
  queueChanges: 9,
  redriven: 10,
  resets: 20,
  sentKeys: 21,
  holders: 22,
  liteTopics: 24,
} as const;
const SECTION_VERSION = 1;

/**
 * The views of one shard and the one function that changes them. A live shard calls `apply` as it appends, recovery as
 * it reads: what the state is depends on the records alone.
 */
export class ShardState {
  readonly metadata = new MetadataView();
  readonly progress = new ProgressView();
  readonly queueChanges = new QueueChangesView();
  readonly redriven = new RedrivenView();
  readonly pins = new PinsView();
  readonly timers = new TimersView();
  readonly transactions = new TransactionsView();
  readonly stateRecords = new StateRecordTracker();
  readonly sentKeys: SentKeys;
  readonly index: QueueIndex;
  /** Hears of messages that were removed before a group had settled them. */
  onUnconsumed: (groupUid: number, queueUid: number, count: number) => void = () => {};

  readonly #segmentAt: (physicalOffset: number) => SegmentRange;
  #lastSegment: SegmentRange = { startOffset: 0, endOffset: 0 };

  /** @param segmentAt the segment that holds a record which is being applied */
  constructor(
    index: QueueIndex,
    segmentAt: (physicalOffset: number) => SegmentRange,
    sentKeysOptions: SentKeysOptions,
  ) {
    this.index = index;
    this.sentKeys = new SentKeys(sentKeysOptions);
    this.#segmentAt = segmentAt;
  }

  /** @throws Error for a record of a kind that this version doesn't know */
  apply(record: LogRecord): void {
    switch (record.type) {
      case RECORD.message:
        this.#message(record);
        this.#sent(record);
        break;
      case RECORD.liteMessage:
        this.#liteMessage(record);
        break;
      case RECORD.pointer:
        this.#pointer(record);
        break;
      case RECORD.lease:
        this.#lease(record);
        break;
      case RECORD.ack:
        this.#settle(decodeAck(record.payload));
        break;
      case RECORD.acks:
        for (const key of decodeAcks(record.payload)) this.#settle(key);
        break;
      case RECORD.change:
        this.#change(record);
        break;
      case RECORD.suspension:
        this.#suspension(record);
        break;
      case RECORD.liteEnd:
        this.#liteEnd(record.payload);
        break;
      case RECORD.renewal:
        this.#renewal(record, decodeRenewal(record.payload));
        break;
      case RECORD.held:
        this.#renewal(record, decodeHeld(record.payload));
        break;
      case RECORD.topic:
        this.#topic(record);
        break;
      case RECORD.topicDeletion:
        this.#topicDeletion(record.payload);
        break;
      case RECORD.group:
        this.metadata.applyGroup(decodeGroupConfig(record.payload), record.storeTimestampMs);
        break;
      case RECORD.groupDeletion:
        this.#groupDeletion(record.payload);
        break;
      case RECORD.secret:
        this.metadata.applySecret(record.payload);
        this.sentKeys.hash.seed(record.payload);
        break;
      case RECORD.trim:
        this.#trim(record.payload);
        break;
      case RECORD.groupLease:
        this.#groupLease(record);
        break;
      case RECORD.redrive:
        this.#redrive(record);
        break;
      case RECORD.timed:
        this.#timed(record);
        break;
      case RECORD.half:
        this.#half(record);
        break;
      case RECORD.halfEnd: {
        const { half, end } = decodeHalfEnd(record.payload);
        this.#endPending({ kind: PENDING.half, ...half }, end);
        break;
      }
      case RECORD.halfCheck:
        this.#halfCheck(record);
        break;
      case RECORD.carried:
        this.#carried(record);
        break;
      case RECORD.pendingEnd:
        this.#endPending(decodePendingEnd(record.payload), TRANSACTION_END.discarded);
        break;
      case RECORD.cut:
        this.pins.applyCut(decodeCut(record.payload));
        break;
      case RECORD.offsets:
        this.#offsets(record);
        break;
      case RECORD.state:
        this.stateRecords.apply(record.payload);
        break;
      case RECORD.standing:
        this.metadata.applyStanding(decodeStanding(record.payload));
        break;
      case RECORD.settlement:
        this.#settlement(record);
        break;
      case RECORD.attestation:
        break;
      default:
        refuse(record);
    }
  }

  /** A number that stands for the whole state, but for where in the log messages lie. */
  checksum(): number {
    return this.sections().reduce((sum, section) => crc32(section.bytes, sum), 0);
  }

  /** The state as bytes, a section a view. The same state gives the same bytes. */
  sections(): SnapshotSection[] {
    return this.#sectionsWith(this.sentKeys.view.snapshot());
  }

  /** The same, to be written while the state goes on: what may be large and changes little by little is copied only then. */
  frozenSections(): WritableSection[] {
    return this.#sectionsWith<Uint8Array | FrozenBytes>(this.sentKeys.view.freeze());
  }

  #sectionsWith<Bytes>(sentKeys: Bytes): { id: number; version: number; bytes: Uint8Array | Bytes }[] {
    const section = (id: number, bytes: Uint8Array | Bytes) => ({ id, version: SECTION_VERSION, bytes });
    return [
      section(SECTION.metadata, this.metadata.snapshot()),
      section(SECTION.ranges, this.index.snapshotRanges()),
      section(SECTION.progress, this.progress.snapshot()),
      section(SECTION.queueChanges, this.queueChanges.snapshot()),
      section(SECTION.redriven, this.redriven.snapshot()),
      section(SECTION.pins, this.pins.snapshot()),
      section(SECTION.timers, this.timers.snapshot()),
      section(SECTION.transactions, this.transactions.snapshot()),
      section(SECTION.stateRecords, this.stateRecords.snapshot()),
      section(SECTION.resets, this.progress.snapshotResets()),
      section(SECTION.sentKeys, sentKeys),
      section(SECTION.holders, this.progress.snapshotHolders()),
      section(SECTION.liteTopics, this.metadata.liteTopics.snapshot()),
    ];
  }

  /** With it a snapshot spares the next start the scan of the open segment. */
  openIndexSection(segmentStart: number): SnapshotSection {
    return { id: SECTION.openIndex, version: SECTION_VERSION, bytes: this.index.snapshotOpen(segmentStart) };
  }

  /**
   * Fills a new, empty state.
   * @throws SnapshotDamage when a section is missing or of a later version
   */
  restore(sections: readonly SnapshotSection[]): void {
    this.metadata.restore(bytesOf(sections, SECTION.metadata));
    // Snapshots from before lite topics have no such section.
    if (hasSection(sections, SECTION.liteTopics)) {
      this.metadata.liteTopics.restore(bytesOf(sections, SECTION.liteTopics));
    }
    this.sentKeys.hash.seed(this.metadata.secret);
    if (hasSection(sections, SECTION.sentKeys)) this.sentKeys.view.restore(bytesOf(sections, SECTION.sentKeys));
    this.index.restoreRanges(bytesOf(sections, SECTION.ranges));
    // Snapshots from before dead letters lack these, and have progress in another form.
    this.queueChanges.restore(bytesOf(sections, SECTION.queueChanges));
    this.redriven.restore(bytesOf(sections, SECTION.redriven));
    this.progress.restore(bytesOf(sections, SECTION.progress));
    // Snapshots from before offsets could be set have no such section.
    if (hasSection(sections, SECTION.resets)) this.progress.restoreResets(bytesOf(sections, SECTION.resets));
    // Nor have those from before renewals outlived restarts this one.
    if (hasSection(sections, SECTION.holders)) this.progress.restoreHolders(bytesOf(sections, SECTION.holders));
    this.pins.restore(bytesOf(sections, SECTION.pins));
    this.timers.restore(bytesOf(sections, SECTION.timers));
    this.transactions.restore(bytesOf(sections, SECTION.transactions));
    this.stateRecords.restore(bytesOf(sections, SECTION.stateRecords));
  }

  /** Up to `countMax` bodies in [from, to) of the log that no queue has yet. */
  pendingBodiesIn(from: number, to: number, countMax: number): PendingBody[] {
    const timers = this.timers.withBodyIn(from, to, countMax);
    const halves = this.transactions.within(from, to, countMax - timers.length);
    return [
      ...timers.map((timer) => pendingBody(PENDING.timer, timer)),
      ...halves.map((half) => pendingBody(PENDING.half, half)),
    ];
  }

  /** Whether an item is still pending, with its body where it was. */
  isPendingAt({ pending, body }: PendingBody): boolean {
    return this.#bodyOf(pending)?.physicalOffset === body.physicalOffset;
  }

  #message(record: LogRecord): void {
    const { bytes, payloadStart } = record;
    this.index.applyMessage(
      messageQueueUid(bytes, payloadStart),
      messageQueueOffset(bytes, payloadStart),
      record.physicalOffset,
      indexedLength(record),
      messageTagHash(bytes, payloadStart),
    );
  }

  #sent(record: LogRecord): void {
    const queue = this.metadata.queueByUid(messageQueueUid(record.bytes, record.payloadStart));
    if (queue === undefined) return;
    if (queue instanceof LiteTopic) this.metadata.liteTopics.applySent(queue, record.shardTimeMs);
    this.sentKeys.apply(record, queue.topicUid, 0);
  }

  /** A message that begins a lite topic. */
  #liteMessage(record: LogRecord): void {
    const { payload, physicalOffset, shardTimeMs } = record;
    const queueUid = messageQueueUid(payload);
    const topicUid = liteParentUid(payload);
    if (this.metadata.topicByUid(topicUid) === undefined) return;
    const name = readLiteTopic(messageBytes(payload).system)!;
    this.metadata.applyLiteTopic(topicUid, queueUid, name, shardTimeMs);
    this.index.applyQueue(queueUid);
    this.index.applyMessage(queueUid, 0, physicalOffset, indexedLength(record), messageTagHash(payload));
    this.sentKeys.apply(record, topicUid, 0);
  }

  #liteEnd(payload: Uint8Array): void {
    for (const queueUid of decodeLiteEnd(payload)) {
      const liteTopic = this.metadata.liteTopics.get(queueUid);
      const indexed = this.index.queue(queueUid);
      if (liteTopic === undefined || indexed === undefined) continue;
      for (const progress of this.progress.groupsOf(queueUid)) {
        const newCount = indexed.nextOffset - Math.max(progress.nextOffset, indexed.minOffset);
        if (newCount + progress.count > 0) this.onUnconsumed(progress.groupUid, queueUid, newCount + progress.count);
      }
      this.#dropQueue(queueUid);
      this.metadata.liteTopics.applyEnd(liteTopic);
    }
  }

  #dropQueue(queueUid: number): void {
    this.index.applyQueueDeletion(queueUid);
    this.progress.applyQueueDeletion(queueUid);
    this.redriven.applyQueueDeletion(queueUid);
  }

  #pointer(record: LogRecord): void {
    this.#message(record);
    const { bodySegment, ends, settles } = decodePointer(record.payload);
    this.pins.applyPointer(bodySegment, record.physicalOffset);
    this.#endPending(ends, TRANSACTION_END.committed);
    if (settles !== undefined) this.#settle(settles);
  }

  #timed(record: LogRecord): void {
    const { payload } = record;
    const queueUid = messageQueueUid(payload);
    if (this.metadata.queueByUid(queueUid) === undefined) return;
    this.timers.applyTimed({
      id: record.physicalOffset,
      deliveryMs: messageQueueOffset(payload),
      queueUid,
      tagHash: messageTagHash(payload),
      bodyLength: record.length,
    });
    this.pins.applyPending(this.#segmentOf(record), record.length);
    this.sentKeys.apply(record, this.metadata.queueByUid(queueUid)!.topicUid, this.timers.lastSlot);
  }

  #carried(record: LogRecord): void {
    const pending = decodeCarried(record.payload);
    const former = this.#bodyOf(pending);
    if (former === undefined) return;
    this.pins.applyPendingEnd(former.physicalOffset, former.length);
    this.pins.applyPending(this.#segmentOf(record), record.length);
    if (pending.kind === PENDING.timer) {
      this.timers.applyCarried(pending.slot, record.physicalOffset, record.length);
    } else {
      this.transactions.applyMoved(pending, record.physicalOffset, record.length);
    }
  }

  #half(record: LogRecord): void {
    const { payload, physicalOffset, length, shardTimeMs } = record;
    const topicUid = messageQueueUid(payload);
    if (this.metadata.topicByUid(topicUid) === undefined) return;
    this.transactions.applyHalf({
      id: physicalOffset,
      topicUid,
      tagHash: messageTagHash(payload),
      bodyLength: length,
      openedMs: shardTimeMs,
      nextCheckMs: shardTimeMs + messageQueueOffset(payload),
    });
    this.pins.applyPending(this.#segmentOf(record), length);
    this.sentKeys.apply(record, topicUid, this.transactions.lastSlot);
  }

  #halfCheck(record: LogRecord): void {
    const { pauseMs, halves } = decodeHalfCheck(record.payload);
    for (const half of halves) this.transactions.applyChecked(half, record.shardTimeMs + pauseMs);
  }

  /** @param transactionEnd what becomes of a transaction when the item is one */
  #endPending(pending: PendingRef, transactionEnd: TransactionEnd): void {
    const body = this.#bodyOf(pending);
    if (body === undefined) return;
    this.pins.applyPendingEnd(body.physicalOffset, body.length);
    if (pending.kind === PENDING.timer) this.timers.applyEnd(pending.slot);
    else this.transactions.applyEnd(pending, transactionEnd);
  }

  /** Where the body of a pending item is; undefined when it is not pending (any more). */
  #bodyOf(pending: PendingRef): BodyRef | undefined {
    const { kind, slot, id } = pending;
    if (kind === PENDING.none) return undefined;
    if (kind === PENDING.half) {
      const half = this.transactions.find(pending);
      return half === undefined ? undefined : { physicalOffset: half.bodyOffset, length: half.bodyLength };
    }
    if (!this.timers.isPending(slot, id)) return undefined;
    const { bodyOffset, bodyLength } = this.timers.get(slot);
    return { physicalOffset: bodyOffset, length: bodyLength };
  }

  /** Start of the segment that holds a record which is being applied. */
  #segmentOf({ physicalOffset }: LogRecord): number {
    const { startOffset, endOffset } = this.#lastSegment;
    if (physicalOffset < startOffset || physicalOffset >= endOffset)
      this.#lastSegment = this.#segmentAt(physicalOffset);
    return this.#lastSegment.startOffset;
  }

  #lease(record: LogRecord): void {
    const lease = decodeLease(record.payload);
    if (this.metadata.groupByUid(lease.groupUid) === undefined) return;
    const deadlineMs = record.shardTimeMs + lease.invisibleMs;
    const attempt = { id: lease.attemptId, leaseId: record.physicalOffset };
    for (const { queueUid, nextOffset, offsets } of lease.queues) {
      if (this.metadata.queueByUid(queueUid) === undefined) continue;
      const queue = this.progress.obtain(lease.groupUid, queueUid);
      this.progress.applyReached(queue, nextOffset, attempt);
      for (const offset of offsets) this.progress.applyLease(queue, offset, record.physicalOffset, deadlineMs);
    }
  }

  #groupLease(record: LogRecord): void {
    const lease = decodeGroupLease(record.payload);
    if (this.metadata.groupByUid(lease.groupUid) === undefined) return;
    const { physicalOffset: leaseId, shardTimeMs } = record;
    for (const { queueUid, nextOffset, leased, deferred } of lease.queues) {
      if (this.metadata.queueByUid(queueUid) === undefined) continue;
      const queue = this.progress.obtain(lease.groupUid, queueUid);
      for (const { offset, messageGroup } of leased) {
        this.progress.applyLease(queue, offset, leaseId, shardTimeMs + lease.invisibleMs, messageGroup);
      }
      for (const { offset, messageGroup } of deferred) {
        this.progress.applyDeferral(queue, offset, leaseId, shardTimeMs, messageGroup);
      }
      this.progress.applyReachedBeside(queue, nextOffset, { id: lease.attemptId, leaseId });
    }
  }

  #redrive(record: LogRecord): void {
    const redrive = decodeRedrive(record.payload);
    const { queueUid, queueOffset, messageGroup, deadQueueUid } = redrive;
    if (this.metadata.queueByUid(deadQueueUid) !== undefined) {
      this.redriven.applyRedrive(deadQueueUid, redrive.deadQueueOffset);
    }
    const queue = this.progress.find(redrive.groupUid, queueUid);
    if (queue === undefined || queueOffset < (this.index.queue(queueUid)?.minOffset ?? 0)) return;
    this.progress.applyReturn(queue, queueOffset, record.physicalOffset, record.shardTimeMs, messageGroup);
  }

  #settle(key: LeaseKey): void {
    const queue = this.progress.find(key.groupUid, key.queueUid);
    if (queue !== undefined) this.progress.applyAck(queue, key.queueOffset, key.leaseId);
  }

  #change(record: LogRecord): void {
    const key = decodeChange(record.payload);
    const queue = this.progress.find(key.groupUid, key.queueUid);
    if (queue === undefined) return;
    const deadlineMs = record.shardTimeMs + key.invisibleMs;
    this.progress.applyChange(queue, key.queueOffset, key.leaseId, { leaseId: record.physicalOffset, deadlineMs });
  }

  #suspension(record: LogRecord): void {
    const key = decodeChange(record.payload);
    const queue = this.progress.find(key.groupUid, key.queueUid);
    if (queue === undefined) return;
    const { physicalOffset: leaseId, shardTimeMs: nowMs } = record;
    const change = { leaseId, deadlineMs: nowMs + key.invisibleMs, nowMs };
    this.progress.applySuspension(queue, key.queueOffset, key.leaseId, change);
  }

  #renewal(record: LogRecord, renewal: { invisibleMs: number; keys: readonly LeaseKey[]; holder?: number }): void {
    const { invisibleMs, keys, holder = 0 } = renewal;
    const deadlineMs = record.shardTimeMs + invisibleMs;
    for (const key of keys) {
      const queue = this.progress.find(key.groupUid, key.queueUid);
      if (queue !== undefined) this.progress.applyRenewal(queue, key.queueOffset, key.leaseId, deadlineMs, holder);
    }
  }

  #offsets(record: LogRecord): void {
    const { groupUid, queues } = decodeOffsets(record.payload);
    if (this.metadata.groupByUid(groupUid) === undefined) return;
    for (const { queueUid, nextOffset } of queues) {
      if (this.metadata.queueByUid(queueUid) === undefined) continue;
      this.progress.applyReset(this.progress.obtain(groupUid, queueUid), nextOffset, record.physicalOffset);
    }
  }

  #settlement(record: LogRecord): void {
    const { groupUid, queueUid, isReset, ...settlement } = decodeSettlement(record.payload);
    if (this.metadata.groupByUid(groupUid) === undefined) return;
    const indexed = this.index.queue(queueUid);
    if (indexed === undefined) return;
    const queue = this.progress.obtain(groupUid, queueUid);
    const isResetSince = queue.resetPosition >= settlement.ownFrom;
    // Who has set the offset here since knew nothing of what the copy did.
    if (isResetSince && !isReset) return;
    if (isReset && !isResetSince) this.progress.applyReset(queue, settlement.fromOffset, record.physicalOffset);
    const entries = settlement.entries
      .filter(({ offset }) => offset >= indexed.minOffset)
      .map(({ remainingMs, ...entry }) => ({ ...entry, deadlineMs: record.shardTimeMs + remainingMs }));
    this.progress.applySettlement(queue, { ...settlement, entries });
  }

  #topic(record: LogRecord): void {
    const config = decodeTopicConfig(record.payload);
    const formerCount = this.metadata.topic(config.name)?.writeQueueCount;
    const topic = this.metadata.applyTopic(config, record.storeTimestampMs);
    for (const queue of topic.queues) this.index.applyQueue(queue.uid);
    if (formerCount === undefined || formerCount === topic.writeQueueCount) return;
    const reached = topic.queues.map((queue) => this.index.queue(queue.uid)!.nextOffset);
    this.queueChanges.applyChange(topic.uid, reached);
  }

  #topicDeletion(payload: Uint8Array): void {
    const topic = this.metadata.applyTopicDeletion(decodeUid(payload));
    const queueUids = new Set(topic?.queues.map((queue) => queue.uid));
    this.timers.applyQueueDeletions(queueUids, ({ bodyOffset, bodyLength }) =>
      this.pins.applyPendingEnd(bodyOffset, bodyLength),
    );
    for (const half of topic === undefined ? [] : this.transactions.applyTopicDeletion(topic.uid)) {
      this.pins.applyPendingEnd(half.bodyOffset, half.bodyLength);
    }
    if (topic === undefined) return;
    for (const queue of topic.queues) this.#dropQueue(queue.uid);
    for (const liteTopic of this.metadata.liteTopics.applyTopicDeletion(topic.uid)) this.#dropQueue(liteTopic.uid);
    this.queueChanges.applyTopicDeletion(topic.uid);
  }

  #groupDeletion(payload: Uint8Array): void {
    const group = this.metadata.applyGroupDeletion(decodeUid(payload));
    if (group !== undefined) this.progress.applyGroupDeletion(group.uid);
  }

  #trim(payload: Uint8Array): void {
    for (const { queueUid, minOffset } of decodeTrim(payload)) {
      const queue = this.index.queue(queueUid);
      if (queue === undefined) continue;
      for (const progress of this.progress.groupsOf(queueUid)) {
        const count = this.progress.applyTrim(progress, queue.minOffset, minOffset);
        if (count > 0) this.onUnconsumed(progress.groupUid, queueUid, count);
      }
      this.index.applyTrim(queue, minOffset);
      this.redriven.applyTrim(queueUid, minOffset);
      this.#trimChanges(queueUid);
    }
  }

  #trimChanges(queueUid: number): void {
    const topic = this.metadata.topicByUid(this.metadata.queueByUid(queueUid)?.topicUid ?? 0);
    if (topic === undefined || this.queueChanges.of(topic.uid).length === 0) return;
    const minOffsets = topic.queues.map((queue) => this.index.queue(queue.uid)!.minOffset);
    this.queueChanges.applyTrim(topic.uid, minOffsets);
  }
}

function pendingBody(
  kind: PendingKind,
  item: { readonly id: number; readonly slot: number; readonly bodyOffset: number; readonly bodyLength: number },
): PendingBody {
  const { id, slot, bodyOffset, bodyLength } = item;
  return { pending: { kind, id, slot }, body: { physicalOffset: bodyOffset, length: bodyLength } };
}

function refuse(record: LogRecord): void {
  if (record.type < RECORD.message) return;
  throw new Error(
    `the record at ${record.physicalOffset} is of kind ${record.type}, which this version does not know: start the ` +
      'version that wrote it',
  );
}

/** The open index section, when a snapshot has one of a known version. */
export function openIndexBytes(sections: readonly SnapshotSection[]): Uint8Array | undefined {
  return sections.find((section) => section.id === SECTION.openIndex && section.version === SECTION_VERSION)?.bytes;
}

function hasSection(sections: readonly SnapshotSection[], id: number): boolean {
  return sections.some((section) => section.id === id);
}

function bytesOf(sections: readonly SnapshotSection[], id: number): Uint8Array {
  const section = sections.find((candidate) => candidate.id === id);
  if (section === undefined) throw new SnapshotDamage(`has no section ${id}`);
  if (section.version !== SECTION_VERSION) throw new SnapshotDamage(`has section ${id} in version ${section.version}`);
  return section.bytes;
}
