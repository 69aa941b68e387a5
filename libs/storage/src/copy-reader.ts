import type { Epochs } from './epochs.ts';
import type { LogState, LogTotals } from './log-state.ts';
import { ByteWindow, claimedLength, HEADER_BYTES, isIntact, meaningfulLength, StoredRecord } from './record.ts';
import type { CopyReason, LogChunk, LogCopies } from './replica.ts';
import type { Segment } from './segment.ts';

/** What the reader of copies works with. */
export interface CopyReaderArguments {
  readonly epochs: Epochs;
  readonly totals: LogTotals;
  /** Records that lie further than this behind the end are to be read from a copy; Infinity = none. */
  readonly behindBytes: number;
}

/** A record of which only the offset is known is asked for with so many bytes. */
const RECORD_HINT_BYTES = 4096;

/** Reads records from other copies of the log, and believes nothing that they say unchecked. */
export class CopyReader {
  readonly #state: LogState;
  readonly #args: CopyReaderArguments;
  copies: LogCopies | undefined;

  constructor(state: LogState, args: CopyReaderArguments) {
    this.#state = state;
    this.#args = args;
  }

  /** The disk is to be spared a read there. */
  isWanted(physicalOffset: number): boolean {
    return this.copies !== undefined && this.#state.endOffset - physicalOffset > this.#args.behindBytes;
  }

  /**
   * Records from `from` on, at most `bytesMax` of them; one is given even when it is larger.
   * @returns undefined when no copy has even the first one
   */
  async chunk(segment: Segment, from: number, bytesMax: number, why: CopyReason): Promise<LogChunk | undefined> {
    const bytes = await this.#ask(from, bytesMax, why);
    if (bytes === undefined) return undefined;
    const window = new ByteWindow(bytes);
    let at = 0;
    let position = from;
    for (;;) {
      const length = this.#intactLength(window, at, segment, position);
      const next = length === 0 ? at : at + meaningfulLength(window.view, at, length);
      if (length === 0 || (next > bytesMax && at > 0)) break;
      at = next;
      position += length;
    }
    if (at === 0) return undefined;
    this.#args.totals.copyReadCount++;
    return { startOffset: from, endOffset: position, bytes: bytes.subarray(0, at) };
  }

  /**
   * The record at `physicalOffset`.
   * @param length when it is known
   * @returns undefined when no copy has it
   */
  async record(
    segment: Segment,
    physicalOffset: number,
    length: number | undefined,
    why: CopyReason,
  ): Promise<StoredRecord | undefined> {
    const bytes = await this.#ask(physicalOffset, length ?? RECORD_HINT_BYTES, why);
    if (bytes === undefined) return undefined;
    const window = new ByteWindow(bytes);
    if (this.#intactLength(window, 0, segment, physicalOffset) === 0) return undefined;
    this.#args.totals.copyReadCount++;
    return new StoredRecord(window, 0);
  }

  async #ask(from: number, sizeBytes: number, why: CopyReason): Promise<Uint8Array | undefined> {
    const confirmedBytes = this.#state.confirmedOffset - from;
    if (this.copies === undefined || confirmedBytes <= 0) return undefined;
    const chunk = await this.copies.read(from, Math.min(sizeBytes, confirmedBytes), why);
    return chunk?.startOffset === from ? chunk.bytes : undefined;
  }

  /** Length of the record at `at` of a window; 0 when it is not whole, or not the one that this log has at that offset. */
  #intactLength(window: ByteWindow, at: number, segment: Segment, physicalOffset: number): number {
    const { bytes, view } = window;
    if (bytes.length - at < HEADER_BYTES || physicalOffset >= segment.endOffset) return 0;
    const length = claimedLength(view, at, physicalOffset, segment.endOffset - physicalOffset);
    if (length === 0 || physicalOffset + length > this.#state.confirmedOffset) return 0;
    const meaningful = meaningfulLength(view, at, length);
    if (meaningful > bytes.length - at || !isIntact(window, at, meaningful)) return 0;
    return new StoredRecord(window, at).epoch === this.#args.epochs.at(physicalOffset) ? length : 0;
  }
}
