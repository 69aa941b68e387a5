import { VfsError, type VfsFile } from '@orbitmq/vfs';
import type { CopyReader } from './copy-reader.ts';
import { damagedRecord } from './errors.ts';
import { CorruptionError, type LogRecord } from './log.ts';
import type { LogState, LogTotals } from './log-state.ts';
import { ReadBlocks } from './read-blocks.ts';
import { HEADER_BYTES } from './record.ts';
import { readRecord } from './record-walk.ts';
import type { LogChunk } from './replica.ts';
import type { Segment } from './segment.ts';

/** Read at once when the length of a record is not known. */
const READ_HINT_BYTES = 4096;

/** What the reader of what memory has no more works with. */
export interface ColdReaderArguments {
  readonly totals: LogTotals;
  readonly copies: CopyReader;
  /** See `CommitLogOptions`. */
  readonly readCacheBytes: number;
  readonly use: <T>(segment: Segment, action: (file: VfsFile) => Promise<T>) => Promise<T>;
}

/** Reads records that are not in memory any more: from the disk, or from another copy of the log. */
export class ColdReader {
  readonly #state: LogState;
  readonly #args: ColdReaderArguments;
  readonly #blocks: ReadBlocks;

  constructor(state: LogState, args: ColdReaderArguments) {
    this.#state = state;
    this.#args = args;
    this.#blocks = new ReadBlocks(args.readCacheBytes);
  }

  /** See `CommitLog.read`. */
  read(segment: Segment, physicalOffset: number, length: number | undefined): LogRecord | Promise<LogRecord> {
    const record = this.#blocks.find(physicalOffset);
    if (record === undefined) return this.#load(segment, physicalOffset, length);
    if (length !== undefined && record.length !== length) throw notARecord(segment, physicalOffset, length);
    return record;
  }

  /**
   * What another copy has of a chunk that can't be read here.
   * @param error why it can't be read, thrown when no copy has it
   */
  async copiedChunk(segment: Segment, from: number, bytesMax: number, error: unknown): Promise<LogChunk> {
    if (!(error instanceof CorruptionError) && !(error instanceof VfsError)) throw error;
    const chunk = await this.#args.copies.chunk(segment, from, bytesMax, 'lost');
    if (chunk === undefined) throw error;
    return chunk;
  }

  /** From another copy what is to be read there, as long as one answers. */
  async #load(segment: Segment, physicalOffset: number, length: number | undefined): Promise<LogRecord> {
    const { copies, totals, use } = this.#args;
    const isFar = copies.isWanted(physicalOffset);
    const readable = {
      // A copy is asked for whole records.
      startOffset: isFar ? physicalOffset : segment.startOffset,
      endOffset: Math.min(segment.endOffset, this.#state.writtenOffset),
    };
    const loaded = this.#blocks.load(physicalOffset, length ?? HEADER_BYTES, readable, (from, to) =>
      this.#readBlock(segment, from, to, isFar),
    );
    if (loaded !== undefined) {
      // What can't be read of a block may be the bytes of another record.
      await loaded.catch(() => {});
      const found = this.#blocks.find(physicalOffset);
      if (found !== undefined && found.length === (length ?? found.length)) return found;
    } else if (isFar) {
      const copied = await copies.record(segment, physicalOffset, length, 'far');
      if (copied !== undefined && copied.length === (length ?? copied.length)) return copied;
    }
    totals.diskReadCount++;
    const record = await use(segment, (file) => readRecord(file, segment, physicalOffset, length ?? READ_HINT_BYTES));
    if (record === undefined || (length !== undefined && record.length !== length)) {
      throw notARecord(segment, physicalOffset, length);
    }
    return record;
  }

  /** @param isFar another copy is asked first */
  async #readBlock(segment: Segment, from: number, to: number, isFar: boolean): Promise<Uint8Array> {
    const { copies, totals, use } = this.#args;
    const copied = isFar ? await copies.chunk(segment, from, to - from, 'far') : undefined;
    if (copied !== undefined && copied.bytes.length <= to - from) return copied.bytes;
    const bytes = Buffer.allocUnsafeSlow(to - from);
    totals.diskReadCount++;
    const count = await use(segment, (file) => file.read(bytes, from - segment.startOffset));
    return bytes.subarray(0, count);
  }
}

/** @param length of the record that is wanted, when it is known */
export function notARecord(segment: Segment, physicalOffset: number, length: number | undefined): CorruptionError {
  const wanted = length === undefined ? 'where one was asked for' : `of ${length} bytes, as was asked for`;
  return damagedRecord(segment, physicalOffset, wanted);
}
