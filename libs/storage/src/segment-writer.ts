import type { Clock } from '@orbitmq/base';
import type { Vfs, VfsError, VfsFile } from '@orbitmq/vfs';
import type { LogState, LogTotals } from './log-state.ts';
import { Segment } from './segment.ts';
import type { SegmentFiles } from './segment-files.ts';
import { isNoRoom, MakingStopped, makeSegment, makeSegmentPatiently, type SegmentMaking } from './segment-making.ts';
import type { TailWrite } from './tail.ts';

/** Part of a segment that is used when the next one is made ahead, so that a roll does not wait for it. */
const NEXT_SEGMENT_AT = 1 / 8;

/** What the writer of segments works with. */
export interface SegmentWriterArguments {
  readonly vfs: Vfs;
  readonly clock: Clock;
  readonly directory: string;
  readonly segmentSizeBytes: number;
  readonly zeroFill: boolean;
  readonly files: SegmentFiles;
  readonly totals: LogTotals;
  readonly onSealed: (segment: Segment) => void;
  readonly onStall: (error: VfsError) => void;
  readonly onFailure: (error: unknown) => void;
}

/** Writes to the files of segments and fsyncs them, in the order that recovery relies on. */
export class SegmentWriter {
  readonly #state: LogState;
  readonly #args: SegmentWriterArguments;
  readonly #making: SegmentMaking;
  /** Segments that may be written, oldest first. */
  readonly #writable = new Map<Segment, VfsFile>();
  /** Segments with bytes that are written and not fsynced, oldest first. */
  #unsynced = new Set<Segment>();
  #syncing: Promise<void> | undefined;
  #next: { readonly segment: Segment; readonly file: Promise<VfsFile> } | undefined;

  constructor(state: LogState, args: SegmentWriterArguments) {
    this.#state = state;
    this.#args = args;
    this.#making = {
      vfs: args.vfs,
      clock: args.clock,
      directory: args.directory,
      zeroFill: args.zeroFill,
      onZeroed: (bytes) => {
        args.totals.zeroedBytes += bytes;
      },
      onStall: (error) => {
        args.totals.stallCount++;
        args.onStall(error);
      },
      isStopped: () => state.closing || state.failure !== undefined,
    };
  }

  /** Opens the segment on which the log goes on, if there is one. */
  async openLast(): Promise<void> {
    const { segments, endOffset } = this.#state;
    for (const segment of segments) segment.sealed = segment.endOffset <= endOffset;
    const last = segments.at(-1);
    if (last !== undefined && !last.sealed) this.#adopt(last, await this.#args.vfs.open(last.path, 'write'));
  }

  /** Makes the first segment of a new log. */
  async makeFirst(): Promise<void> {
    const first = new Segment(this.#args.directory, 0, this.#args.segmentSizeBytes);
    // Zeros first would only delay the start.
    const file = await makeSegment({ ...this.#making, zeroFill: false }, first);
    this.#state.segments.push(first);
    this.#adopt(first, file);
  }

  /** Writes to one segment; it is made first when it is a new one. */
  async write(write: TailWrite): Promise<void> {
    const { segment } = write;
    const file = this.#writable.get(segment) ?? (await this.#begin(segment));
    await file.write(write.parts, write.physicalOffset - segment.startOffset);
    this.#unsynced.add(segment);
    this.#args.totals.writtenBytes += write.sizeBytes;
    const usedBytes = write.physicalOffset + write.sizeBytes - segment.startOffset;
    if (usedBytes > segment.sizeBytes * NEXT_SEGMENT_AT) this.#makeNext(segment);
  }

  /** Fsyncs until everything before `physicalOffset`, which has been written, is stored. */
  async syncTo(physicalOffset: number): Promise<void> {
    while (this.#state.flushedOffset < physicalOffset) {
      // One that is under way may have begun before the write had ended: it proves nothing, the next one does.
      const syncing = this.#syncing ?? this.#sync();
      this.#syncing = syncing;
      try {
        await syncing;
      } finally {
        if (this.#syncing === syncing) this.#syncing = undefined;
      }
    }
  }

  /** Ends what is done in the background. The files stay open. */
  async settle(): Promise<void> {
    await this.#syncing?.catch(() => {});
    const file = await this.#next?.file.catch(() => undefined);
    await file?.close();
  }

  async #sync(): Promise<void> {
    const state = this.#state;
    try {
      const target = state.writtenOffset;
      const segments = this.#unsynced;
      this.#unsynced = new Set();
      for (const segment of segments) await this.#syncSegment(segment);
      if (state.failure !== undefined) throw state.failure;
      state.flushedOffset = target;
      await this.#seal();
    } catch (error) {
      // At once, so that nobody who waits for this one begins another.
      this.#args.onFailure(error);
      throw error;
    }
  }

  async #syncSegment(segment: Segment): Promise<void> {
    // After the first failure there is never another fsync.
    if (this.#state.failure !== undefined) throw this.#state.failure;
    const { clock, totals } = this.#args;
    const startedMs = clock.monotonicMs();
    await this.#writable.get(segment)!.sync();
    const tookMs = clock.monotonicMs() - startedMs;
    totals.syncCount++;
    totals.syncMs += tookMs;
    totals.syncMsMax = Math.max(totals.syncMsMax, tookMs);
  }

  async #seal(): Promise<void> {
    for (const segment of this.#writable.keys()) {
      if (segment.endOffset > this.#state.flushedOffset) return;
      this.#writable.delete(segment);
      segment.sealed = true;
      await this.#args.files.unpin(segment);
      this.#args.onSealed(segment);
    }
  }

  /** Gets the file of a new segment. Only the one before it may have bytes that are not fsynced: recovery relies on it. */
  async #begin(segment: Segment): Promise<VfsFile> {
    const previous = this.#state.segments.at(this.#state.segments.indexOf(segment) - 1);
    for (const unsynced of this.#unsynced) if (unsynced !== previous) await this.syncTo(unsynced.endOffset);
    await this.#syncing;
    const file = await this.#obtain(segment);
    this.#adopt(segment, file);
    return file;
  }

  async #obtain(segment: Segment): Promise<VfsFile> {
    const next = this.#next;
    this.#next = undefined;
    if (next?.segment.startOffset === segment.startOffset) {
      try {
        const file = await next.file;
        if (next.segment.sizeBytes === segment.sizeBytes) return file;
        // A follower has learned that its leader's segment has another size.
        await file.close();
      } catch (error) {
        if (!isNoRoom(error) && !(error instanceof MakingStopped)) throw error;
      }
      await this.#args.vfs.remove(segment.path);
    }
    return await makeSegmentPatiently(this.#making, segment);
  }

  #adopt(segment: Segment, file: VfsFile): void {
    this.#writable.set(segment, file);
    this.#args.files.pin(segment, file);
  }

  #makeNext(current: Segment): void {
    if (this.#next !== undefined || this.#making.isStopped()) return;
    const segment = new Segment(this.#args.directory, current.endOffset, this.#args.segmentSizeBytes);
    const file = makeSegment(this.#making, segment);
    this.#next = { segment, file };
    file.catch((error) => {
      // A full disk is no matter as long as the segment is not needed.
      if (!isNoRoom(error) && !this.#making.isStopped()) this.#args.onFailure(error);
    });
  }
}
