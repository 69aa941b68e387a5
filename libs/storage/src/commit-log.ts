import { assert, type Clock, MqError, type Random } from '@orbitmq/base';
import { type Vfs, VfsError, type VfsFile } from '@orbitmq/vfs';
import { Appender } from './appender.ts';
import { ChunkReader } from './chunk-reader.ts';
import { ColdReader, notARecord } from './cold-reader.ts';
import { CopyReader } from './copy-reader.ts';
import { DurableMark } from './durable-mark.ts';
import type { Epochs } from './epochs.ts';
import { writeEpochs } from './epochs.ts';
import { damagedRecord } from './errors.ts';
import { GroupCommit } from './group-commit.ts';
import { Intake } from './intake.ts';
import type { CommitLog, LogRecord, LogStatistics, RecoveryReport, SegmentInfo } from './log.ts';
import { type LogState, LogTotals } from './log-state.ts';
import { type CommitLogOptions, type CommitLogSettings, commitLogSettings } from './options.ts';
import { claimedLength, HEADER_BYTES, RECORD_TYPES, recordLength, StoredRecord, TYPE_MIN } from './record.ts';
import { walkRecords } from './record-walk.ts';
import { type Recovered, recover } from './recovery.ts';
import type { EpochStart, LeadOptions, LogChunk, LogCopies, LogRole } from './replica.ts';
import { type Segment, segmentIndexOf } from './segment.ts';
import { SegmentFiles } from './segment-files.ts';
import { SegmentWriter } from './segment-writer.ts';
import { Listeners, Settlement } from './settlement.ts';
import { Tail } from './tail.ts';

/** Name of the log's directory below the one that is given. */
export const LOG_DIRECTORY = 'commitlog';
/** Epochs are stored in four bytes. */
const EPOCH_MAX = 0xffffffff;

/** What a commit log needs and whom it tells. */
export interface CommitLogArguments {
  readonly vfs: Vfs;
  readonly clock: Clock;
  readonly random: Random;
  /** Directory of the shard; the log lies in `commitlog` below it. The caller holds its lock. */
  readonly directory: string;
  readonly options: CommitLogOptions;
  /** Default `leader`. */
  readonly role?: LogRole;
  /** How a leader leads. */
  readonly lead?: LeadOptions;
  /**
   * Runs the writing of a batch once what is going on has been done; default `queueMicrotask`. A live process hands in
   * `setImmediate`, so that one batch takes the appends of all requests that came in the same turn of the event loop.
   */
  readonly defer?: (callback: () => void) => void;
  /** Called once, with the first failed write or fsync. Nothing is acknowledged afterwards; the process should end. */
  readonly onFailure?: (error: Error) => void;
  /** Called about once a second while a new segment waits for room on a full disk. */
  readonly onStall?: (error: VfsError) => void;
}

/**
 * Recovers the log below `directory`, or begins one, and opens it for appending or for following. Nothing is appended by opening.
 * @throws CorruptionError when what is there can't be trusted; VfsError; MqError BAD_REQUEST for options, or an epoch that is not new
 */
export async function openCommitLog(args: CommitLogArguments): Promise<CommitLog> {
  const settings = commitLogSettings(args.options);
  const directory = `${args.directory}/${LOG_DIRECTORY}`;
  await args.vfs.makeDirectory(directory);
  const mark = await DurableMark.read(args.vfs, directory);
  const recovered = await recover(args.vfs, args.clock, directory, settings.segmentSizeBytes, mark);
  const log = new SegmentedLog(args, { settings, directory, recovered, mark });
  await log.open();
  return log;
}

/** What a log is made of when its files have been brought in order. */
interface SegmentedLogParts {
  readonly settings: CommitLogSettings;
  readonly directory: string;
  readonly recovered: Recovered;
  readonly mark: DurableMark;
}

class SegmentedLog implements CommitLog {
  readonly recovery: RecoveryReport;
  readonly #args: CommitLogArguments;
  readonly #settings: CommitLogSettings;
  readonly #directory: string;
  readonly #mark: DurableMark;
  readonly #state: LogState;
  readonly #totals = new LogTotals();
  readonly #files: SegmentFiles;
  readonly #tail: Tail;
  readonly #cold: ColdReader;
  readonly #read = <T>(segment: Segment, action: (file: VfsFile) => Promise<T>): Promise<T> => {
    this.#totals.diskReadCount++;
    return this.#use(segment, action);
  };
  readonly #epochs: Epochs;
  /** No new epoch may be as low as this one. */
  readonly #epochMax: number;
  /** The newest epoch when the log was opened; 0 when there was none. */
  readonly #epochsFound: number;
  readonly #intake: Intake;
  readonly #chunks: ChunkReader;
  readonly #copies: CopyReader;
  readonly #settlement: Settlement;
  readonly #writer: SegmentWriter;
  readonly #commit: GroupCommit;
  readonly #takenListeners = new Listeners<number>();
  readonly #sealedListeners = new Listeners<SegmentInfo>();
  /** Of a leader. */
  #appender: Appender | undefined;
  #isLeading = false;
  #removing: Promise<unknown> = Promise.resolve();
  #closed: Promise<void> | undefined;

  constructor(args: CommitLogArguments, { settings, directory, recovered, mark }: SegmentedLogParts) {
    const { vfs, clock } = args;
    this.#args = args;
    this.#settings = settings;
    this.#directory = directory;
    this.#mark = mark;
    this.recovery = recovered.report;
    this.#epochs = recovered.epochs;
    this.#epochMax = recovered.epochMax;
    this.#epochsFound = recovered.epochs.last;
    this.#state = stateOf(recovered, args.role ?? 'leader');
    this.#files = new SegmentFiles(vfs);
    this.#tail = new Tail(settings.tailCacheBytes);
    this.#intake = new Intake(this.#state, {
      tail: this.#tail,
      totals: this.#totals,
      epochs: this.#epochs,
      directory,
      logId: recovered.logId,
    });
    this.#chunks = new ChunkReader(this.#state, {
      tail: this.#tail,
      segmentOf: (physicalOffset) => this.#segmentOf(physicalOffset),
      use: this.#read,
    });
    this.#copies = new CopyReader(this.#state, {
      epochs: this.#epochs,
      totals: this.#totals,
      behindBytes: settings.copyBehindBytes,
    });
    this.#cold = new ColdReader(this.#state, {
      totals: this.#totals,
      copies: this.#copies,
      readCacheBytes: settings.readCacheBytes,
      use: (segment, action) => this.#use(segment, action),
    });
    this.#settlement = new Settlement(this.#state);
    this.#writer = new SegmentWriter(this.#state, {
      vfs,
      clock,
      directory,
      segmentSizeBytes: settings.segmentSizeBytes,
      zeroFill: settings.zeroFill,
      files: this.#files,
      totals: this.#totals,
      onSealed: (segment) => this.#sealedListeners.tell(segment),
      onStall: (error) => args.onStall?.(error),
      onFailure: (error) => this.#commit.fail(error),
    });
    const openedAt = recovered.endOffset;
    this.#commit = new GroupCommit(this.#state, {
      clock,
      settings,
      tail: this.#tail,
      writer: this.#writer,
      settlement: this.#settlement,
      totals: this.#totals,
      defer: args.defer ?? queueMicrotask,
      prepare: () => this.#prepareMark(openedAt),
      onTaken: (takenOffset) => this.#takenListeners.tell(takenOffset),
      appendFlushMark: () => this.#appendOwn(RECORD_TYPES.flushMark),
      noteFlushed: () => this.#noteFlushed(),
      onFailure: (error) => args.onFailure?.(error),
    });
    if (this.#state.role === 'leader') this.#takeLead(args.lead ?? {});
  }

  async open(): Promise<void> {
    const state = this.#state;
    const first = state.segments[0];
    if (state.role === 'follower' && first?.startOffset === state.endOffset) {
      // A file that was made for a first record which did not come; its leader's log may begin elsewhere.
      for (const segment of state.segments.splice(0)) await this.#args.vfs.remove(segment.path);
      await this.#args.vfs.syncDirectory(this.#directory);
    }
    await this.#writer.openLast();
    if (state.role === 'leader' && state.segments.length === 0) await this.#writer.makeFirst();
  }

  get role(): LogRole {
    return this.#state.role;
  }

  get logId(): string | undefined {
    return this.#intake.logId ?? (this.#epochs.last > 0 ? this.#appender?.author.logId : undefined);
  }

  get epoch(): number {
    return this.#appender?.author.epoch ?? this.#state.epoch;
  }

  get startOffset(): number {
    return this.#state.segments[0]?.startOffset ?? this.#state.endOffset;
  }

  get endOffset(): number {
    return this.#state.endOffset;
  }

  get storedOffset(): number {
    return this.#state.storedOffset;
  }

  get confirmedOffset(): number {
    return this.#state.confirmedOffset;
  }

  get fenced(): MqError | undefined {
    return this.#state.fence;
  }

  get settledOffset(): number {
    return this.#state.settledOffset;
  }

  get flushedOffset(): number {
    return this.#state.flushedOffset;
  }

  get statistics(): LogStatistics {
    return this.#totals;
  }

  shardTimeMs(): number {
    return this.#appender?.shardTimeMs() ?? this.#state.shardTimeMs;
  }

  epochs(): readonly EpochStart[] {
    const starts = this.#epochs.within(this.startOffset, this.endOffset);
    const own = this.#appender?.author.epoch ?? 0;
    return own > this.#epochs.last ? [...starts, { epoch: own, startOffset: this.endOffset }] : starts;
  }

  isKept(epoch: number, physicalOffset: number): boolean {
    return this.#epochs.isKept(epoch, physicalOffset);
  }

  readChunk(from: number, bytesMax: number): LogChunk | Promise<LogChunk> {
    const chunk = this.#chunks.read(from, bytesMax);
    return chunk instanceof Promise
      ? chunk.catch((error: unknown) => this.#cold.copiedChunk(this.#segmentOf(from), from, bytesMax, error))
      : chunk;
  }

  onTaken(listener: (takenOffset: number) => void): () => void {
    return this.#takenListeners.add(listener);
  }

  onStored(listener: (storedOffset: number) => void): () => void {
    return this.#settlement.onStored.add(listener);
  }

  onConfirmed(listener: (confirmedOffset: number) => void): () => void {
    return this.#settlement.onConfirmed.add(listener);
  }

  onFenced(listener: (error: MqError) => void): () => void {
    return this.#settlement.onFenced.add(listener);
  }

  confirm(limit: number): void {
    this.#settlement.confirm(limit);
  }

  confirmed(physicalOffset = this.#state.endOffset): Promise<void> {
    return this.#settlement.whenConfirmed(physicalOffset);
  }

  fence(error: MqError): void {
    this.#settlement.fence(error);
  }

  beginEpoch(): void {
    const { endOffset } = this.#state;
    this.#leader().begin();
    if (this.#state.endOffset > endOffset) this.#commit.start();
  }

  async lead(options: LeadOptions): Promise<void> {
    const state = this.#state;
    assert(state.role === 'follower' && !this.#isLeading, 'a log that is led already can not be led again');
    this.#checkEpoch(options);
    this.#checkTakes();
    this.#isLeading = true;
    await this.#commit.flush(state.endOffset);
    await this.#commit.idle();
    // From here on records are this node's own: what they say of fsyncs is true of this copy.
    if (this.#mark.exists) await this.#writeMark(state.endOffset, state.endOffset);
    if (state.segments.length === 0) await this.#writer.makeFirst();
    this.#checkTakes();
    state.role = 'leader';
    this.#takeLead(options);
    // Its guard may have said no.
    this.#checkTakes();
    this.beginEpoch();
  }

  receive(chunk: LogChunk): void {
    const state = this.#state;
    assert(state.role === 'follower' && !this.#isLeading, 'only a follower takes what a leader sends');
    this.#checkTakes();
    if (state.endOffset - state.settledOffset + chunk.bytes.length > this.#settings.unsettledBytesMax) {
      // One that is larger than all that may wait must get through.
      if (state.endOffset > state.settledOffset) throw this.#tooMany();
    }
    const wasEmpty = state.segments.length === 0;
    this.#intake.take(chunk);
    if (wasEmpty && state.segments.length > 0) this.#settlement.beginAt(chunk.startOffset);
    if (chunk.bytes.length > 0) this.#commit.start();
  }

  append(type: number, parts: readonly Uint8Array[]): LogRecord {
    const state = this.#state;
    let payloadBytes = 0;
    for (let index = 0; index < parts.length; index++) payloadBytes += parts[index]!.length;
    const length = recordLength(payloadBytes);
    const appender = this.#appender;
    if (appender === undefined || state.failure !== undefined || state.fence !== undefined || state.closing) {
      throw this.#refusal();
    }
    if (length > this.#settings.recordBytesMax) throw this.#tooLarge(length);
    if (state.endOffset - state.settledOffset + length > this.#settings.unsettledBytesMax) throw this.#tooMany();
    if (!(type >= TYPE_MIN && type <= 255))
      throw new RangeError(`a record's type must be ${TYPE_MIN}…255, not ${type}`);
    const record = appender.place(type, parts, payloadBytes);
    this.#commit.start();
    return record;
  }

  settled(): Promise<void> {
    return this.#commit.settled();
  }

  onSettled(listener: (settledOffset: number) => void): () => void {
    return this.#settlement.onSettled.add(listener);
  }

  flush(physicalOffset = this.#state.endOffset): Promise<void> {
    return this.#commit.flush(Math.min(physicalOffset, this.#state.endOffset));
  }

  read(physicalOffset: number, length?: number): LogRecord | Promise<LogRecord> {
    const chunk = physicalOffset < this.startOffset ? undefined : this.#tail.find(physicalOffset);
    if (chunk === undefined) return this.#cold.read(this.#segmentOf(physicalOffset), physicalOffset, length);
    const at = physicalOffset - chunk.startOffset;
    const claimed =
      at + HEADER_BYTES <= chunk.usedBytes ? claimedLength(chunk.view, at, physicalOffset, chunk.usedBytes - at) : 0;
    if (claimed === 0 || (length !== undefined && length !== claimed))
      throw notARecord(chunk.segment, physicalOffset, length);
    // Its payload may be looked at later.
    chunk.lend();
    return new StoredRecord(chunk, at);
  }

  get expectsCopies(): boolean {
    return this.#copies.copies?.areExpected === true;
  }

  useCopies(copies: LogCopies | undefined): void {
    this.#copies.copies = copies;
  }

  async readCopy(physicalOffset: number, length?: number): Promise<LogRecord | undefined> {
    const record = await this.#copies.record(this.#segmentOf(physicalOffset), physicalOffset, length, 'lost');
    return record === undefined || record.length === (length ?? record.length) ? record : undefined;
  }

  scan(from: number, to: number, visit: (record: LogRecord) => void): Promise<number> {
    return this.#walk(from, to, (record) => {
      if (record.type >= TYPE_MIN) visit(record);
    });
  }

  async toldFlushedOffset(from: number): Promise<number> {
    let told = 0;
    await this.#walk(from, this.#state.endOffset, ({ flushedOffset }) => {
      told = Math.max(told, flushedOffset);
    });
    return told;
  }

  scanTail(from: number, to: number, visit: (record: LogRecord) => void): number {
    let position = from;
    while (position < to) {
      const chunk = this.#tail.find(position);
      if (chunk === undefined) return position;
      for (let at = position - chunk.startOffset; at < chunk.usedBytes && position < to; ) {
        const length = claimedLength(chunk.view, at, position, chunk.segment.endOffset - position);
        if (length === 0) throw notARecord(chunk.segment, position, undefined);
        const record = new StoredRecord(chunk, at);
        if (record.type >= TYPE_MIN) visit(record);
        position += length;
        at += length;
      }
    }
    return position;
  }

  segments(): readonly SegmentInfo[] {
    return this.#state.segments;
  }

  onSealed(listener: (segment: SegmentInfo) => void): () => void {
    return this.#sealedListeners.add(listener);
  }

  removeBefore(physicalOffset: number): Promise<number> {
    const removed = this.#removing.then(() => this.#removeOldest(physicalOffset));
    this.#removing = removed.catch(() => {});
    return removed;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  /** Walks all records, the log's own too. @returns the first record boundary ≥ `to` */
  async #walk(from: number, to: number, visit: (record: StoredRecord) => void): Promise<number> {
    const end = Math.min(to, this.#state.endOffset);
    if (end > this.#state.writtenOffset) await this.#settlement.whenStored(end);
    let position = from;
    while (position < end) {
      const segment = this.#segmentOf(position);
      const segmentEnd = Math.min(end, segment.endOffset);
      position = await this.#use(segment, (file) =>
        walkRecords(file, segment, position, segmentEnd, (record) => {
          visit(record);
          return true;
        }),
      );
      if (position < segmentEnd) throw damagedRecord(segment, position, 'although the log goes on behind it');
    }
    return position;
  }

  #appendOwn(type: number): void {
    this.#appender?.place(type, [], 0);
    this.#commit.start();
  }

  #takeLead(options: LeadOptions): void {
    const epoch = this.#checkEpoch(options);
    const { clock, random } = this.#args;
    this.#appender = new Appender(
      this.#state,
      { totals: this.#totals, tail: this.#tail, clock, epochs: this.#epochs },
      {
        directory: this.#directory,
        segmentSizeBytes: this.#settings.segmentSizeBytes,
        author: {
          logId: this.#intake.logId ?? Buffer.from(random.bytes(16)).toString('hex'),
          epoch,
          shardTimeOriginMs: Math.max(this.#state.shardTimeMs, clock.wallMs()) - clock.monotonicMs(),
        },
      },
    );
    this.#settlement.lead(options);
  }

  /** @throws MqError BAD_REQUEST */
  #checkEpoch({ epoch: wanted, epochAbove = 0 }: LeadOptions): number {
    const last = Math.max(this.#epochMax, this.#state.epoch);
    const epoch = wanted ?? Math.max(last, epochAbove) + 1;
    if (Number.isInteger(epoch) && epoch > last && epoch <= EPOCH_MAX) return epoch;
    throw new MqError(
      'BAD_REQUEST',
      `a leader's epoch must be a whole number from ${last + 1} to ${EPOCH_MAX}, as the log has epoch ${last}, but is ${epoch}`,
    );
  }

  #leader(): Appender {
    if (this.#appender === undefined) throw this.#refusal();
    return this.#appender;
  }

  #checkTakes(): void {
    const { failure, fence, closing } = this.#state;
    if (failure !== undefined || fence !== undefined || closing) throw this.#refusal();
  }

  /** Before the first write: whether the records that come are this node's own must be known on disk. */
  async #prepareMark(openedAt: number): Promise<void> {
    const isFollower = this.#state.role === 'follower';
    if (isFollower && !this.#mark.isFollowers) await this.#writeMark(Number.POSITIVE_INFINITY, openedAt);
    if (!isFollower && this.#mark.isFollowers) await this.#writeMark(openedAt, openedAt);
  }

  async #noteFlushed(): Promise<void> {
    const { flushedOffset } = this.#state;
    if (!this.#mark.isFollowers || flushedOffset <= this.#mark.flushedOffset) return;
    await this.#writeMark(Number.POSITIVE_INFINITY, flushedOffset);
  }

  async #writeMark(authoredFrom: number, flushedOffset: number): Promise<void> {
    try {
      await this.#mark.write(authoredFrom, flushedOffset);
    } catch (error) {
      throw this.#commit.fail(error);
    }
  }

  /** @throws MqError OFFSET_NOT_FOUND when the segment is removed meanwhile */
  async #use<T>(segment: Segment, action: (file: VfsFile) => Promise<T>): Promise<T> {
    try {
      return await this.#files.use(segment, action);
    } catch (error) {
      if (error instanceof VfsError && !this.#state.segments.includes(segment))
        throw this.#notHeld(segment.startOffset);
      throw error;
    }
  }

  /** @throws MqError OFFSET_NOT_FOUND */
  #segmentOf(physicalOffset: number): Segment {
    const { segments, endOffset } = this.#state;
    const segment = segments[segmentIndexOf(segments, physicalOffset)];
    if (segment === undefined || physicalOffset >= endOffset) throw this.#notHeld(physicalOffset);
    return segment;
  }

  #notHeld(physicalOffset: number): MqError {
    return new MqError(
      'OFFSET_NOT_FOUND',
      `the commit log holds physical offsets from ${this.startOffset} to ${this.endOffset} (exclusive), but ` +
        `${physicalOffset} was asked for`,
    );
  }

  #refusal(): MqError {
    const { failure: cause, fence, closing } = this.#state;
    if (cause === undefined && fence !== undefined) return fence;
    if (cause === undefined && !closing) {
      return new MqError(
        'INTERNAL_SERVER_ERROR',
        'this broker is not the master of its shard and takes nothing: send to the master',
      );
    }
    return new MqError(
      'INTERNAL_SERVER_ERROR',
      cause === undefined
        ? 'the commit log is closed: the broker is stopping, send to another one'
        : 'the commit log has failed to write and takes no more records: send to another broker',
      { cause },
    );
  }

  #tooLarge(length: number): MqError {
    return new MqError(
      'MESSAGE_BODY_TOO_LARGE',
      `a record of the commit log may have ${this.#settings.recordBytesMax} bytes, but this one has ${length}: send ` +
        'smaller messages',
    );
  }

  #tooMany(): MqError {
    const waiting = this.#state.endOffset - this.#state.settledOffset;
    return new MqError(
      'TOO_MANY_REQUESTS',
      `${waiting} bytes wait for the disk, and ${this.#settings.unsettledBytesMax} may: the disk does not keep up, try ` +
        'again later',
    );
  }

  async #removeOldest(physicalOffset: number): Promise<number> {
    const state = this.#state;
    let freedBytes = 0;
    for (;;) {
      const segment = state.segments[0];
      if (segment === undefined) break;
      // The next one's head must be on disk: it carries the id and the epoch of the log on.
      if (!segment.sealed || segment.endOffset > physicalOffset || state.flushedOffset <= segment.endOffset) break;
      if (segment.endOffset > state.confirmedOffset) break;
      if (state.failure !== undefined || state.fence !== undefined || state.closing) break;
      state.segments = state.segments.slice(1);
      await this.#files.forget(segment);
      try {
        await this.#args.vfs.remove(segment.path);
      } catch (error) {
        // It is still there: going on with the next one would leave a gap, which no start accepts.
        state.segments = [segment, ...state.segments];
        throw error;
      }
      // One by one: a gap between segments may never be durable.
      await this.#args.vfs.syncDirectory(this.#directory).catch((error: unknown) => {
        throw this.#commit.fail(error);
      });
      freedBytes += segment.sizeBytes;
    }
    return freedBytes;
  }

  async #close(): Promise<void> {
    const state = this.#state;
    const { role, lastType } = state;
    this.#commit.stop();
    const isFine = (): boolean => state.failure === undefined && state.fence === undefined;
    if (isFine() && role === 'leader' && lastType !== 0 && lastType !== RECORD_TYPES.cleanEnd) {
      this.#appendOwn(RECORD_TYPES.cleanEnd);
    }
    state.closing = true;
    try {
      if (isFine()) await this.#commit.flush(state.endOffset);
      await this.#commit.idle();
      if (isFine()) await this.#noteFlushed();
      if (isFine()) await this.#storeEpochs();
    } finally {
      this.#settlement.rejectAll(this.#refusal());
      await this.#removing;
      await this.#writer.settle();
      await this.#files.closeAll();
      await this.#mark.close();
    }
  }

  /** Spares the next start a search. */
  async #storeEpochs(): Promise<void> {
    const { logId, startOffset, endOffset } = this;
    const starts = this.#epochs.within(startOffset, endOffset);
    if (logId === undefined || starts.length < 2 || this.#epochs.last === this.#epochsFound) return;
    await writeEpochs(this.#args.vfs, this.#directory, { logId, coveredTo: endOffset, starts });
  }
}

function stateOf(recovered: Recovered, role: LogRole): LogState {
  const { endOffset, segments, epoch, shardTimeMs, lastType } = recovered;
  const startOffset = segments[0]?.startOffset ?? endOffset;
  // What of a follower's log is confirmed, its leader will say.
  const confirmedOffset = role === 'leader' ? endOffset : startOffset;
  return {
    role,
    segments,
    endOffset,
    writtenOffset: endOffset,
    flushedOffset: endOffset,
    storedOffset: endOffset,
    confirmLimit: role === 'leader' ? Number.POSITIVE_INFINITY : 0,
    confirmedOffset,
    settledOffset: endOffset,
    epoch,
    shardTimeMs,
    lastType,
    failure: undefined,
    fence: undefined,
    closing: false,
  };
}
