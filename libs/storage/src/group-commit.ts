import type { Clock, Timer } from '@orbitmq/base';
import { Deferred } from './deferred.ts';
import type { LogState, LogTotals } from './log-state.ts';
import type { CommitLogSettings } from './options.ts';
import { RECORD_TYPES } from './record.ts';
import type { SegmentWriter } from './segment-writer.ts';
import { type Settlement, unknownOutcome } from './settlement.ts';
import type { Tail } from './tail.ts';

const STORED = Promise.resolve();

/** What group commit works with. */
export interface GroupCommitArguments {
  readonly clock: Clock;
  readonly settings: CommitLogSettings;
  readonly tail: Tail;
  readonly writer: SegmentWriter;
  readonly totals: LogTotals;
  readonly settlement: Settlement;
  readonly defer: (callback: () => void) => void;
  /** Done once before the first write of this life: what the disk must know first. */
  readonly prepare: () => Promise<void>;
  /** Hears that a batch is taken for writing. */
  readonly onTaken: (takenOffset: number) => void;
  /** Appends a record that says that all before it is fsynced. */
  readonly appendFlushMark: () => void;
  /** Notes that a follower has fsynced what it has. */
  readonly noteFlushed: () => Promise<void>;
  readonly onFailure: (error: Error) => void;
}

/** Records that are written together. */
interface Batch {
  readonly endOffset: number;
  readonly waiters: Deferred;
}

/**
 * Brings appended records to the disk, a batch at a time: while one batch is written and fsynced the next one gathers, and
 * all who wait for a batch share one promise.
 */
export class GroupCommit {
  readonly #state: LogState;
  readonly #args: GroupCommitArguments;
  readonly #isSync: boolean;
  /** Who waits for the batch that gathers. */
  #gathering = new Deferred();
  /** Who waits for the batch that was taken last. */
  #writing = new Deferred();
  /** End of the batch that is being written, or of the last one. */
  #takenOffset: number;
  #running = false;
  #isPrepared = false;
  /** Resolves when nothing is being written. */
  #idle: Promise<void> = STORED;
  #syncTimer: Timer | undefined;
  #markTimer: Timer | undefined;
  readonly #run = (): void => {
    this.#idle = this.#writeBatches();
  };

  constructor(state: LogState, args: GroupCommitArguments) {
    this.#state = state;
    this.#args = args;
    this.#isSync = args.settings.flushDiskType === 'SYNC_FLUSH';
    this.#takenOffset = state.endOffset;
    // What is being written when the log is fenced is brought to its end, and nothing after it.
    args.settlement.onFenced.add((error) => this.#giveUp(unknownOutcome(error)));
  }

  /** Sees to it that what has been appended gets written, after the turn that is going on. */
  start(): void {
    if (this.#running || this.#isOver) return;
    this.#running = true;
    this.#args.defer(this.#run);
  }

  /** See `CommitLog.settled`. */
  settled(): Promise<void> {
    const state = this.#state;
    if (state.failure !== undefined) return Promise.reject(state.failure);
    if (state.fence !== undefined) return Promise.reject(unknownOutcome(state.fence));
    if (state.settledOffset === state.endOffset) return this.#args.settlement.whenNothingWaits();
    return state.endOffset > this.#takenOffset ? this.#gathering.promise : this.#writing.promise;
  }

  /** See `CommitLog.flush`. */
  async flush(physicalOffset: number): Promise<void> {
    const state = this.#state;
    if (this.#isOver) throw state.failure ?? state.fence;
    if (state.writtenOffset < physicalOffset) await this.#args.settlement.whenStored(physicalOffset);
    try {
      await this.#args.writer.syncTo(physicalOffset);
    } catch (error) {
      throw this.fail(error);
    }
  }

  /** Stops the timers. */
  stop(): void {
    this.#syncTimer?.cancel();
    this.#markTimer?.cancel();
    this.#syncTimer = undefined;
    this.#markTimer = undefined;
  }

  /** Resolves when nothing is being written. */
  idle(): Promise<void> {
    return this.#idle;
  }

  /** Makes an error final; returns the first one. Whoever waits is told; nothing is acknowledged from here on. */
  fail(cause: unknown): Error {
    const state = this.#state;
    if (state.failure !== undefined) return state.failure;
    const failure = cause instanceof Error ? cause : new Error('the commit log failed', { cause });
    state.failure = failure;
    this.#args.settlement.rejectAll(failure);
    this.#giveUp(failure);
    this.#args.onFailure(failure);
    return failure;
  }

  get #isOver(): boolean {
    return this.#state.failure !== undefined || this.#state.fence !== undefined;
  }

  #giveUp(error: Error): void {
    this.stop();
    this.#writing.reject(error);
    this.#gathering.reject(error);
  }

  async #writeBatches(): Promise<void> {
    try {
      let storing = this.#storeGathered();
      while (storing !== undefined) {
        const stored = await storing;
        if (this.#isOver) break;
        // The next batch is on its way to the disk while those who waited for this one do their work.
        storing = this.#storeGathered();
        this.#settle(stored);
        storing ??= this.#storeGathered();
      }
    } catch (error) {
      this.fail(error);
    } finally {
      this.#running = false;
    }
  }

  /** Begins to store what has gathered; undefined when nothing has. */
  #storeGathered(): Promise<Batch> | undefined {
    if (this.#state.endOffset === this.#takenOffset || this.#isOver) return undefined;
    const storing = this.#store();
    storing.catch((error) => this.fail(error));
    return storing;
  }

  async #store(): Promise<Batch> {
    const state = this.#state;
    const { tail, writer } = this.#args;
    const batch = { endOffset: state.endOffset, waiters: this.#gathering };
    const writes = tail.take();
    this.#takenOffset = batch.endOffset;
    this.#writing = batch.waiters;
    this.#gathering = new Deferred();
    this.#args.onTaken(batch.endOffset);
    const isFirst = !this.#isPrepared;
    if (isFirst) await this.#args.prepare();
    this.#isPrepared = true;
    for (let index = 0; index < writes.length; index++) {
      await writer.write(writes[index]!);
      state.writtenOffset = writes[index + 1]?.physicalOffset ?? batch.endOffset;
    }
    // No answer before the epoch is on the disk: lost, it would be given again, and two lives could not be told apart.
    if (this.#isSync || isFirst) await writer.syncTo(batch.endOffset);
    return batch;
  }

  #settle(batch: Batch): void {
    this.#args.totals.batchCount++;
    this.#args.tail.evict(batch.endOffset);
    this.#args.settlement.stored(batch.endOffset, batch.waiters);
    this.#setTimers();
  }

  #setTimers(): void {
    if (this.#state.closing || this.#isOver) return;
    if (!this.#isSync) this.#setSyncTimer();
    this.#setMarkTimer();
  }

  /** ASYNC_FLUSH: what is written gets fsynced after the interval. */
  #setSyncTimer(): void {
    this.#syncTimer ??= this.#args.clock.setTimer(this.#args.settings.flushIntervalMs, () => {
      this.#syncTimer = undefined;
      if (this.#isOver) return;
      this.#args.writer.syncTo(this.#state.writtenOffset).catch((error) => this.fail(error));
    });
  }

  /**
   * The last records of a busy time would be proven by none after them; a flush mark does it when the log is quiet. What a
   * follower gets proves nothing here: it notes how far it is each time.
   */
  #setMarkTimer(): void {
    const state = this.#state;
    const seenOffset = state.endOffset;
    this.#markTimer ??= this.#args.clock.setTimer(this.#args.settings.flushMarkDelayMs, () => {
      this.#markTimer = undefined;
      if (this.#isOver) return;
      if (state.role === 'follower') this.#markFollower();
      else if (state.lastType === RECORD_TYPES.flushMark) return;
      else if (state.endOffset === seenOffset && state.flushedOffset === seenOffset) this.#args.appendFlushMark();
      else this.#setMarkTimer();
    });
  }

  #markFollower(): void {
    const state = this.#state;
    if (state.flushedOffset < state.storedOffset) this.#setMarkTimer();
    this.#args.noteFlushed().catch((error) => this.fail(error));
  }
}
