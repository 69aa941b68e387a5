import { type Clock, MqError, type Random } from '@orbitmq/base';
import { type Vfs, VfsError, type VfsFile } from '@orbitmq/vfs';
import { Appender } from './appender.ts';
import { damagedRecord } from './errors.ts';
import { GroupCommit } from './group-commit.ts';
import type { CommitLog, LogRecord, LogStatistics, RecoveryReport, SegmentInfo } from './log.ts';
import { type LogState, LogTotals } from './log-state.ts';
import { type CommitLogOptions, type CommitLogSettings, commitLogSettings } from './options.ts';
import { ReadBlocks } from './read-blocks.ts';
import { claimedLength, HEADER_BYTES, RECORD_TYPES, recordLength, StoredRecord, TYPE_MIN } from './record.ts';
import { readRecord, walkRecords } from './record-walk.ts';
import { type Recovered, recover } from './recovery.ts';
import { type Segment, segmentIndexOf } from './segment.ts';
import { SegmentFiles } from './segment-files.ts';
import { SegmentWriter } from './segment-writer.ts';
import { Tail } from './tail.ts';

/** Name of the log's directory below the one that is given. */
const DIRECTORY = 'commitlog';
/** Read at once when the length of a record is not known. */
const READ_HINT_BYTES = 4096;

/** What a commit log needs and whom it tells. */
export interface CommitLogArguments {
  readonly vfs: Vfs;
  readonly clock: Clock;
  readonly random: Random;
  /** Directory of the shard; the log lies in `commitlog` below it. The caller holds its lock. */
  readonly directory: string;
  readonly options: CommitLogOptions;
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
 * Recovers the log below `directory`, or begins one, and opens it for appending. Nothing is appended by opening.
 * @throws CorruptionError when what is there can't be trusted; VfsError; MqError BAD_REQUEST for options
 */
export async function openCommitLog(args: CommitLogArguments): Promise<CommitLog> {
  const settings = commitLogSettings(args.options);
  const directory = `${args.directory}/${DIRECTORY}`;
  await args.vfs.makeDirectory(directory);
  const recovered = await recover(args.vfs, args.clock, directory, settings.segmentSizeBytes);
  const log = new SegmentedLog(args, settings, directory, recovered);
  await log.open();
  return log;
}

class SegmentedLog implements CommitLog {
  readonly epoch: number;
  readonly recovery: RecoveryReport;
  readonly #args: CommitLogArguments;
  readonly #settings: CommitLogSettings;
  readonly #directory: string;
  readonly #state: LogState;
  readonly #totals = new LogTotals();
  readonly #files: SegmentFiles;
  readonly #tail: Tail;
  readonly #blocks: ReadBlocks;
  readonly #read = <T>(segment: Segment, action: (file: VfsFile) => Promise<T>): Promise<T> => {
    this.#totals.diskReadCount++;
    return this.#use(segment, action);
  };
  readonly #appender: Appender;
  readonly #writer: SegmentWriter;
  readonly #commit: GroupCommit;
  readonly #settledListeners = new Set<(settledOffset: number) => void>();
  readonly #sealedListeners = new Set<(segment: SegmentInfo) => void>();
  #removing: Promise<unknown> = Promise.resolve();
  #closed: Promise<void> | undefined;

  constructor(args: CommitLogArguments, settings: CommitLogSettings, directory: string, recovered: Recovered) {
    const { vfs, clock } = args;
    this.#args = args;
    this.#settings = settings;
    this.#directory = directory;
    this.recovery = recovered.report;
    this.epoch = recovered.epoch + 1;
    this.#state = stateOf(recovered);
    this.#files = new SegmentFiles(vfs);
    this.#tail = new Tail(settings.tailCacheBytes);
    this.#blocks = new ReadBlocks(settings.readCacheBytes);
    this.#appender = new Appender(
      this.#state,
      { totals: this.#totals, tail: this.#tail, clock },
      {
        directory,
        segmentSizeBytes: settings.segmentSizeBytes,
        author: {
          logId: recovered.logId ?? Buffer.from(args.random.bytes(16)).toString('hex'),
          epoch: this.epoch,
          shardTimeOriginMs: Math.max(recovered.shardTimeMs, clock.wallMs()) - clock.monotonicMs(),
        },
      },
    );
    this.#writer = new SegmentWriter(this.#state, {
      vfs,
      clock,
      directory,
      segmentSizeBytes: settings.segmentSizeBytes,
      zeroFill: settings.zeroFill,
      files: this.#files,
      totals: this.#totals,
      onSealed: (segment) => {
        for (const listener of this.#sealedListeners) listener(segment);
      },
      onStall: (error) => args.onStall?.(error),
      onFailure: (error) => this.#commit.fail(error),
    });
    this.#commit = new GroupCommit(this.#state, {
      clock,
      settings,
      tail: this.#tail,
      writer: this.#writer,
      totals: this.#totals,
      defer: args.defer ?? queueMicrotask,
      appendFlushMark: () => this.#appendOwn(RECORD_TYPES.flushMark),
      onSettled: (settledOffset) => {
        for (const listener of this.#settledListeners) listener(settledOffset);
      },
      onFailure: (error) => args.onFailure?.(error),
    });
  }

  open(): Promise<void> {
    return this.#writer.openLast();
  }

  get startOffset(): number {
    return this.#state.segments[0]!.startOffset;
  }

  get endOffset(): number {
    return this.#state.endOffset;
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
    return this.#appender.shardTimeMs();
  }

  append(type: number, parts: readonly Uint8Array[]): LogRecord {
    const state = this.#state;
    let payloadBytes = 0;
    for (let index = 0; index < parts.length; index++) payloadBytes += parts[index]!.length;
    const length = recordLength(payloadBytes);
    if (state.failure !== undefined || state.closing) throw this.#refusal();
    if (length > this.#settings.recordBytesMax) throw this.#tooLarge(length);
    if (state.endOffset - state.settledOffset + length > this.#settings.unsettledBytesMax) throw this.#tooMany();
    if (!(type >= TYPE_MIN && type <= 255))
      throw new RangeError(`a record's type must be ${TYPE_MIN}…255, not ${type}`);
    const record = this.#appender.place(type, parts, payloadBytes);
    this.#commit.start();
    return record;
  }

  settled(): Promise<void> {
    return this.#commit.settled();
  }

  onSettled(listener: (settledOffset: number) => void): () => void {
    this.#settledListeners.add(listener);
    return () => this.#settledListeners.delete(listener);
  }

  flush(physicalOffset = this.#state.endOffset): Promise<void> {
    return this.#commit.flush(Math.min(physicalOffset, this.#state.endOffset));
  }

  read(physicalOffset: number, length?: number): LogRecord | Promise<LogRecord> {
    const chunk = physicalOffset < this.startOffset ? undefined : this.#tail.find(physicalOffset);
    if (chunk === undefined) return this.#readCold(physicalOffset, length);
    const at = physicalOffset - chunk.startOffset;
    const claimed =
      at + HEADER_BYTES <= chunk.usedBytes ? claimedLength(chunk.view, at, physicalOffset, chunk.usedBytes - at) : 0;
    if (claimed === 0 || (length !== undefined && length !== claimed)) throw this.#notARecord(physicalOffset, length);
    return new StoredRecord(chunk, at);
  }

  async scan(from: number, to: number, visit: (record: LogRecord) => void): Promise<number> {
    const end = Math.min(to, this.#state.endOffset);
    if (end > this.#state.writtenOffset) await this.settled();
    let position = from;
    while (position < end) {
      const segment = this.#segmentOf(position);
      const segmentEnd = Math.min(end, segment.endOffset);
      position = await this.#use(segment, (file) =>
        walkRecords(file, segment, position, segmentEnd, (record) => {
          if (record.type >= TYPE_MIN) visit(record);
          return true;
        }),
      );
      if (position < segmentEnd) throw damagedRecord(segment, position, 'although the log goes on behind it');
    }
    return position;
  }

  segments(): readonly SegmentInfo[] {
    return this.#state.segments;
  }

  onSealed(listener: (segment: SegmentInfo) => void): () => void {
    this.#sealedListeners.add(listener);
    return () => this.#sealedListeners.delete(listener);
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

  #appendOwn(type: number): void {
    this.#appender.place(type, [], 0);
    this.#commit.start();
  }

  #readCold(physicalOffset: number, length: number | undefined): LogRecord | Promise<LogRecord> {
    const segment = this.#segmentOf(physicalOffset);
    const record = this.#blocks.find(physicalOffset);
    if (record === undefined) return this.#readFromDisk(segment, physicalOffset, length);
    if (length !== undefined && record.length !== length) throw this.#notARecord(physicalOffset, length);
    return record;
  }

  async #readFromDisk(segment: Segment, physicalOffset: number, length: number | undefined): Promise<LogRecord> {
    const loaded = this.#blocks.load(
      segment,
      physicalOffset,
      length ?? HEADER_BYTES,
      this.#state.writtenOffset,
      this.#read,
    );
    if (loaded !== undefined) {
      // What can't be read of a block may be the bytes of another record.
      await loaded.catch(() => {});
      const found = this.#blocks.find(physicalOffset);
      if (found !== undefined && found.length === (length ?? found.length)) return found;
    }
    this.#totals.diskReadCount++;
    const record = await this.#use(segment, (file) =>
      readRecord(file, segment, physicalOffset, length ?? READ_HINT_BYTES),
    );
    if (record === undefined || (length !== undefined && record.length !== length)) {
      throw this.#notARecord(physicalOffset, length);
    }
    return record;
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

  #notARecord(physicalOffset: number, length: number | undefined): Error {
    const wanted = length === undefined ? 'where one was asked for' : `of ${length} bytes, as was asked for`;
    return damagedRecord(this.#segmentOf(physicalOffset), physicalOffset, wanted);
  }

  #refusal(): MqError {
    const cause = this.#state.failure;
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
      const segment = state.segments[0]!;
      // The next one's head must be on disk: it carries the id and the epoch of the log on.
      if (!segment.sealed || segment.endOffset > physicalOffset || state.flushedOffset <= segment.endOffset) break;
      if (state.failure !== undefined || state.closing) break;
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
    this.#commit.stop();
    if (state.failure === undefined && state.lastType !== 0 && state.lastType !== RECORD_TYPES.cleanEnd) {
      this.#appendOwn(RECORD_TYPES.cleanEnd);
    }
    state.closing = true;
    try {
      if (state.failure === undefined) await this.#commit.flush(state.endOffset);
    } finally {
      await this.#removing;
      await this.#writer.settle();
      await this.#files.closeAll();
    }
  }
}

function stateOf(recovered: Recovered): LogState {
  const { endOffset } = recovered;
  return {
    segments: recovered.segments,
    endOffset,
    writtenOffset: endOffset,
    flushedOffset: endOffset,
    settledOffset: endOffset,
    lastType: recovered.lastType,
    failure: undefined,
    closing: false,
  };
}
