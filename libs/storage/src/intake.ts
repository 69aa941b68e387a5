import { quoted } from '@orbitmq/base';
import type { Epochs } from './epochs.ts';
import { decodeHead, type SegmentHead } from './head.ts';
import type { LogState, LogTotals } from './log-state.ts';
import { SEGMENT_BYTES_MAX, SEGMENT_BYTES_UNIT } from './options.ts';
import {
  ByteWindow,
  claimedLength,
  FORMAT_VERSION,
  HEADER_BYTES,
  isIntact,
  meaningfulLength,
  RECORD_TYPES,
  StoredRecord,
} from './record.ts';
import { ChunkError, type LogChunk } from './replica.ts';
import { Segment } from './segment.ts';
import type { Tail } from './tail.ts';

/** Records of a chunk that lie in one segment. */
interface Piece {
  readonly segment: Segment;
  readonly physicalOffset: number;
  /** First byte in the chunk, and the one behind the last. */
  readonly from: number;
  to: number;
  logEndOffset: number;
  recordCount: number;
  newestTimestampMs: number;
}

/** What a check of a chunk has come to. */
interface Checked {
  readonly pieces: Piece[];
  readonly epochs: { readonly epoch: number; readonly physicalOffset: number }[];
  logId: string | undefined;
  epoch: number;
  shardTimeMs: number;
  lastType: number;
}

/** What the intake works with. */
export interface IntakeArguments {
  readonly tail: Tail;
  readonly totals: LogTotals;
  readonly epochs: Epochs;
  readonly directory: string;
  /** Id of the log; undefined while it is empty. */
  readonly logId: string | undefined;
}

/**
 * Takes the records that a leader sends, as they are: the same bytes at the same offsets in segments with the same bounds. A chunk is
 * checked whole before anything of it is taken. Does no I/O.
 */
export class Intake {
  readonly #state: LogState;
  readonly #args: IntakeArguments;
  #logId: string | undefined;

  constructor(state: LogState, args: IntakeArguments) {
    this.#state = state;
    this.#args = args;
    this.#logId = args.logId;
  }

  get logId(): string | undefined {
    return this.#logId;
  }

  /** @throws ChunkError */
  take(chunk: LogChunk): void {
    const checked = this.#check(chunk);
    for (const piece of checked.pieces) this.#place(piece, chunk.bytes);
    for (const { epoch, physicalOffset } of checked.epochs) this.#args.epochs.note(epoch, physicalOffset);
    const state = this.#state;
    this.#logId = checked.logId;
    state.epoch = checked.epoch;
    state.shardTimeMs = checked.shardTimeMs;
    state.lastType = checked.lastType;
  }

  #place(piece: Piece, bytes: Uint8Array): void {
    const state = this.#state;
    const { segment, from, to } = piece;
    if (segment !== state.segments.at(-1)) state.segments.push(segment);
    const target = this.#args.tail.reserve(segment, piece.physicalOffset, to - from);
    target.bytes.set(bytes.subarray(from, to), target.usedBytes);
    target.usedBytes += to - from;
    target.logEndOffset = piece.logEndOffset;
    segment.newestTimestampMs = Math.max(segment.newestTimestampMs, piece.newestTimestampMs);
    state.endOffset = piece.logEndOffset;
    this.#args.totals.recordCount += piece.recordCount;
    this.#args.totals.appendedBytes += to - from;
  }

  #check({ startOffset, endOffset, bytes }: LogChunk): Checked {
    const state = this.#state;
    const { epoch, shardTimeMs, lastType } = state;
    const checked: Checked = { pieces: [], epochs: [], logId: this.#logId, epoch, shardTimeMs, lastType };
    const isEmpty = state.segments.length === 0;
    if (startOffset !== state.endOffset && !(isEmpty && Number.isSafeInteger(startOffset / 8) && startOffset >= 0)) {
      throw new ChunkError(startOffset, `the log ends at ${state.endOffset}, and a chunk begins at ${startOffset}`);
    }
    const window = new ByteWindow(bytes);
    let segment = state.segments.at(-1);
    let position = startOffset;
    let at = 0;
    while (at < bytes.length) {
      if (segment === undefined || position === segment.endOffset) {
        segment = this.#segmentAt(window, at, position, checked);
      }
      const length = checkRecord(window, at, position, segment);
      const end = at + meaningfulLength(window.view, at, length);
      this.#take(checked, new StoredRecord(window, at), segment, { at, end });
      position += length;
      at = end;
    }
    if (position !== endOffset) {
      throw new ChunkError(position, `a chunk is said to end at ${endOffset}, and its records end at ${position}`);
    }
    return checked;
  }

  /** The segment that begins with the record at `at`: its head says how large it is. */
  #segmentAt(window: ByteWindow, at: number, position: number, { logId }: Checked): Segment {
    const rest = window.bytes.length - at;
    const length = rest < HEADER_BYTES ? 0 : claimedLength(window.view, at, position, rest);
    const head = length > 0 && isIntact(window, at, length) ? decodeHead(new StoredRecord(window, at)) : undefined;
    if (head === undefined)
      throw new ChunkError(position, `a segment is to begin at ${position}, and no whole head is there`);
    checkLog(head, logId, position);
    const { segmentSizeBytes } = head;
    if (segmentSizeBytes <= 0 || segmentSizeBytes > SEGMENT_BYTES_MAX || segmentSizeBytes % SEGMENT_BYTES_UNIT !== 0) {
      throw new ChunkError(position, `the segment at ${position} is said to have ${segmentSizeBytes} bytes`);
    }
    return new Segment(this.#args.directory, position, segmentSizeBytes);
  }

  #take(checked: Checked, record: StoredRecord, segment: Segment, range: { at: number; end: number }): void {
    const { physicalOffset, epoch, type, length } = record;
    const isStart = type === RECORD_TYPES.epochStart;
    // An epoch begins with its epoch start, or with the blank before it when that goes to a new segment.
    const mayRise = isStart || type === RECORD_TYPES.blank;
    if (epoch < checked.epoch || (epoch > checked.epoch && !mayRise)) {
      throw new ChunkError(
        physicalOffset,
        `the record at ${physicalOffset} is of epoch ${epoch}, after one of ${checked.epoch}`,
      );
    }
    if (isStart) {
      const head = decodeHead(record);
      if (head?.segmentSizeBytes !== segment.sizeBytes) {
        throw new ChunkError(physicalOffset, `the epoch start at ${physicalOffset} tells of a segment of another size`);
      }
      checkLog(head, checked.logId, physicalOffset);
      checked.logId = head.logId;
    }
    if (epoch > checked.epoch) checked.epochs.push({ epoch, physicalOffset });
    checked.epoch = epoch;
    checked.shardTimeMs = record.shardTimeMs;
    checked.lastType = type;
    let piece = checked.pieces.at(-1);
    if (piece?.segment !== segment) {
      const { at } = range;
      piece = { segment, physicalOffset, from: at, to: at, logEndOffset: 0, recordCount: 0, newestTimestampMs: 0 };
      checked.pieces.push(piece);
    }
    piece.to = range.end;
    piece.logEndOffset = physicalOffset + length;
    piece.recordCount++;
    // A blank's time is not one of the segment's, on the leader neither.
    if (type !== RECORD_TYPES.blank && record.storeTimestampMs > piece.newestTimestampMs) {
      piece.newestTimestampMs = record.storeTimestampMs;
    }
  }
}

/** @returns length of the whole record at `at`, which lies where the leader's does */
function checkRecord(window: ByteWindow, at: number, position: number, segment: Segment): number {
  const available = window.bytes.length - at;
  const room = segment.endOffset - position;
  const length = available < HEADER_BYTES ? 0 : claimedLength(window.view, at, position, room);
  if (length === 0) throw new ChunkError(position, `no record begins at ${position}`);
  const meaningful = meaningfulLength(window.view, at, length);
  if (meaningful > available || !isIntact(window, at, meaningful)) {
    throw new ChunkError(position, `the record at ${position} is not whole`);
  }
  const version = window.view.getUint8(at + 21);
  if (version > FORMAT_VERSION) {
    throw new ChunkError(
      position,
      `the record at ${position} is of format ${version}, and this version knows formats up to ${FORMAT_VERSION}: ` +
        'the leader is a newer version, replace this one by it',
    );
  }
  const left = room - length;
  const isBlank = window.view.getUint8(at + 20) === RECORD_TYPES.blank;
  if (isBlank ? left !== 0 : left !== 0 && left < HEADER_BYTES) {
    throw new ChunkError(position, `the record at ${position} does not fit into its segment as it must`);
  }
  return length;
}

function checkLog(head: SegmentHead, logId: string | undefined, position: number): void {
  if (logId === undefined || head.logId === logId) return;
  throw new ChunkError(
    position,
    `the record at ${position} belongs to the log ${quoted(head.logId)}, and this is ${quoted(logId)}`,
  );
}
