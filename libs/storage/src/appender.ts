import type { Clock } from '@orbitmq/base';
import type { Epochs } from './epochs.ts';
import { encodeHead, HEAD_BYTES } from './head.ts';
import type { LogState, LogTotals } from './log-state.ts';
import {
  HEADER_BYTES,
  RECORD_TYPES,
  type RecordStamp,
  recordLength,
  StoredRecord,
  writeBlank,
  writeRecord,
} from './record.ts';
import { Segment } from './segment.ts';
import type { Tail, TailChunk } from './tail.ts';

/** Who writes the log, and since when. */
export interface Authorship {
  readonly logId: string;
  readonly epoch: number;
  /** Shard time when the monotonic clock stood at 0. */
  readonly shardTimeOriginMs: number;
}

/** Puts records into memory behind each other, and begins a new segment where one is full. Does no I/O. */
export class Appender {
  readonly #state: LogState;
  readonly #totals: LogTotals;
  readonly #tail: Tail;
  readonly #clock: Clock;
  readonly #epochs: Epochs;
  readonly #directory: string;
  readonly #segmentSizeBytes: number;
  readonly #author: Authorship;
  /** One for all records: it is only read while a record is written. */
  readonly #stamp: { -readonly [K in keyof RecordStamp]: RecordStamp[K] };
  #epochStarted = false;

  constructor(
    state: LogState,
    collaborators: {
      readonly totals: LogTotals;
      readonly tail: Tail;
      readonly clock: Clock;
      readonly epochs: Epochs;
    },
    options: { readonly directory: string; readonly segmentSizeBytes: number; readonly author: Authorship },
  ) {
    this.#state = state;
    this.#totals = collaborators.totals;
    this.#tail = collaborators.tail;
    this.#clock = collaborators.clock;
    this.#epochs = collaborators.epochs;
    this.#directory = options.directory;
    this.#segmentSizeBytes = options.segmentSizeBytes;
    this.#author = options.author;
    this.#stamp = { epoch: options.author.epoch, storeTimestampMs: 0, shardTimeMs: 0, flushedOffset: 0 };
  }

  get author(): Authorship {
    return this.#author;
  }

  shardTimeMs(): number {
    return Math.floor(this.#author.shardTimeOriginMs + this.#clock.monotonicMs());
  }

  /** Appends a record; the first one of an incarnation is preceded by an epoch start. */
  place(type: number, parts: readonly Uint8Array[], payloadBytes: number): StoredRecord {
    this.#setStamp();
    if (!this.#epochStarted) this.#startEpoch();
    this.#makeRoom(recordLength(payloadBytes));
    return this.#write(type, parts, payloadBytes);
  }

  /** Appends the epoch start, if no record has been appended. */
  begin(): void {
    this.#setStamp();
    if (!this.#epochStarted) this.#startEpoch();
  }

  #setStamp(): void {
    const stamp = this.#stamp;
    stamp.storeTimestampMs = this.#clock.wallMs();
    stamp.shardTimeMs = this.shardTimeMs();
    stamp.flushedOffset = this.#state.flushedOffset;
  }

  #startEpoch(): void {
    this.#makeRoom(HEAD_BYTES);
    // A new segment begins with an epoch start anyway.
    if (!this.#epochStarted) this.#writeHead();
  }

  /** Goes to the next segment when a record, and behind it the header of a blank, would not fit any more. */
  #makeRoom(length: number): void {
    const state = this.#state;
    const segment = state.segments.at(-1)!;
    const room = segment.endOffset - state.endOffset;
    if (length === room || length + HEADER_BYTES <= room) return;
    if (room > 0) this.#writeBlank(segment, room);
    state.segments.push(new Segment(this.#directory, state.endOffset, this.#segmentSizeBytes));
    this.#writeHead();
  }

  #writeHead(): void {
    const segmentSizeBytes = this.#state.segments.at(-1)!.sizeBytes;
    const payload = encodeHead({ logId: this.#author.logId, segmentSizeBytes });
    this.#epochs.note(this.#author.epoch, this.#state.endOffset);
    this.#write(RECORD_TYPES.epochStart, [payload], payload.length);
    this.#epochStarted = true;
  }

  #writeBlank(segment: Segment, length: number): void {
    const state = this.#state;
    // When the first record of an incarnation goes to a new segment, its epoch begins here.
    this.#epochs.note(this.#author.epoch, state.endOffset);
    const chunk = this.#tail.reserve(segment, state.endOffset, HEADER_BYTES);
    writeBlank(chunk, chunk.usedBytes, state.endOffset, length, this.#stamp);
    this.#advance(chunk, HEADER_BYTES, length, RECORD_TYPES.blank);
  }

  #write(type: number, parts: readonly Uint8Array[], payloadBytes: number): StoredRecord {
    const state = this.#state;
    const length = recordLength(payloadBytes);
    const segment = state.segments.at(-1)!;
    const chunk = this.#tail.reserve(segment, state.endOffset, length);
    const at = chunk.usedBytes;
    writeRecord(chunk, at, state.endOffset, type, parts, payloadBytes, this.#stamp);
    if (this.#stamp.storeTimestampMs > segment.newestTimestampMs) {
      segment.newestTimestampMs = this.#stamp.storeTimestampMs;
    }
    this.#advance(chunk, length, length, type);
    return new StoredRecord(chunk, at);
  }

  #advance(chunk: TailChunk, chunkBytes: number, logBytes: number, type: number): void {
    const state = this.#state;
    chunk.usedBytes += chunkBytes;
    state.endOffset += logBytes;
    chunk.logEndOffset = state.endOffset;
    state.lastType = type;
    this.#totals.recordCount++;
    this.#totals.appendedBytes += chunkBytes;
  }
}
