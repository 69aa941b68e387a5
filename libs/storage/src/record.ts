import { crc32 } from 'node:zlib';
import type { LogRecord } from './log.ts';

/*
 * A record, little-endian, aligned to 8:
 *
 * | offset | size | field |
 * |--------|------|-------|
 * | 0      | 4    | CRC-32 over bytes 4 … length; for a blank over bytes 4 … 40 only, its rest is whatever lies there |
 * | 4      | 4    | length with header and padding, a multiple of 8 |
 * | 8      | 8    | physical offset of byte 0 |
 * | 16     | 4    | epoch |
 * | 20     | 1    | type |
 * | 21     | 1    | format version, 1 |
 * | 22     | 2    | padding bytes at the end, 0 … 7, all zero |
 * | 24     | 6    | store timestamp, wall ms |
 * | 30     | 6    | shard time, ms |
 * | 36     | 4    | flush lag: (physical offset − flushed offset known at the append) ÷ 8, saturating |
 * | 40     |      | payload, then padding |
 */

/** Bytes before the payload. */
export const HEADER_BYTES = 40;
/** Version of the record format. */
export const FORMAT_VERSION = 1;
/** No record is longer than this, whatever the configuration says; a blank may be. Bytes. */
export const RECORD_BYTES_LIMIT = 64 * 1024 * 1024;

/** Kinds of records that belong to the log itself. */
export const RECORD_TYPES = {
  /** Fills the rest of a segment. */
  blank: 1,
  /** First record of every segment and of every incarnation: see `head.ts`. */
  epochStart: 2,
  /** Nothing new; its flush lag says that everything before is fsynced. */
  flushMark: 3,
  /** Last record of a log that was closed in order. */
  cleanEnd: 4,
  /** State of the views, written by the shard. */
  state: 5,
} as const;

/** Records of smaller types are the log's own and no business of its users. */
export const TYPE_MIN = RECORD_TYPES.state;

const FLUSH_LAG_MAX = 0xffffffff;
const TWO_32 = 2 ** 32;

/** Length in the log of a record whose payload has `payloadBytes`. */
export function recordLength(payloadBytes: number): number {
  return (HEADER_BYTES + payloadBytes + 7) & ~7;
}

/** What a header says, apart from offset and length. */
export interface RecordStamp {
  readonly epoch: number;
  readonly storeTimestampMs: number;
  readonly shardTimeMs: number;
  readonly flushedOffset: number;
}

/** Bytes with a `DataView` on them, so that none is made for each record. */
export class ByteWindow {
  readonly bytes: Uint8Array;
  readonly view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Called before somebody is given a view of the bytes that he may keep. */
  lend(): void {}
}

/**
 * Writes a record whose payload is `parts` at `at` of a window.
 * @param payloadBytes sum of the parts
 */
export function writeRecord(
  window: ByteWindow,
  at: number,
  physicalOffset: number,
  type: number,
  parts: readonly Uint8Array[],
  payloadBytes: number,
  stamp: RecordStamp,
): void {
  const length = recordLength(payloadBytes);
  const bytes = window.bytes;
  let end = at + HEADER_BYTES;
  for (let index = 0; index < parts.length; index++) {
    const part = parts[index]!;
    bytes.set(part, end);
    end += part.length;
  }
  const padding = at + length - end;
  while (end < at + length) bytes[end++] = 0;
  writeHeader(window.view, at, physicalOffset, length, type, padding, stamp);
  window.view.setUint32(at, crc32(bytes.subarray(at + 4, at + length)), true);
}

/** Writes the header of a blank that covers `length` bytes; the rest of them stays as it is. */
export function writeBlank(
  window: ByteWindow,
  at: number,
  physicalOffset: number,
  length: number,
  stamp: RecordStamp,
): void {
  writeHeader(window.view, at, physicalOffset, length, RECORD_TYPES.blank, 0, stamp);
  window.view.setUint32(at, crc32(window.bytes.subarray(at + 4, at + HEADER_BYTES)), true);
}

function writeHeader(
  view: DataView,
  at: number,
  physicalOffset: number,
  length: number,
  type: number,
  padding: number,
  stamp: RecordStamp,
): void {
  const { storeTimestampMs, shardTimeMs } = stamp;
  view.setUint32(at + 4, length, true);
  view.setUint32(at + 8, physicalOffset % TWO_32, true);
  view.setUint32(at + 12, Math.floor(physicalOffset / TWO_32), true);
  view.setUint32(at + 16, stamp.epoch, true);
  view.setUint8(at + 20, type);
  view.setUint8(at + 21, FORMAT_VERSION);
  view.setUint16(at + 22, padding, true);
  view.setUint32(at + 24, storeTimestampMs % TWO_32, true);
  view.setUint16(at + 28, Math.floor(storeTimestampMs / TWO_32), true);
  view.setUint32(at + 30, shardTimeMs % TWO_32, true);
  view.setUint16(at + 34, Math.floor(shardTimeMs / TWO_32), true);
  view.setUint32(at + 36, Math.min((physicalOffset - stamp.flushedOffset) / 8, FLUSH_LAG_MAX), true);
}

/**
 * Length of the record that the header at `at` claims to begin at `physicalOffset`, or 0 when it can't be one. Cheap,
 * and no proof: see `isIntact`.
 * @param lengthMax bytes up to the end of the segment, which no record crosses
 */
export function claimedLength(view: DataView, at: number, physicalOffset: number, lengthMax: number): number {
  if (view.getUint32(at + 8, true) !== physicalOffset % TWO_32) return 0;
  if (view.getUint32(at + 12, true) !== Math.floor(physicalOffset / TWO_32)) return 0;
  const length = view.getUint32(at + 4, true);
  const type = view.getUint8(at + 20);
  const limit = type === RECORD_TYPES.blank ? lengthMax : Math.min(lengthMax, RECORD_BYTES_LIMIT);
  const padding = view.getUint16(at + 22, true);
  if (length < HEADER_BYTES || length > limit || length % 8 !== 0 || type === 0) return 0;
  return padding < 8 && padding <= length - HEADER_BYTES ? length : 0;
}

/** Bytes of a record that have a meaning: of a blank only the header has. */
export function meaningfulLength(view: DataView, at: number, length: number): number {
  return view.getUint8(at + 20) === RECORD_TYPES.blank ? HEADER_BYTES : length;
}

/** The CRC of the record at `at` holds; `meaningful` bytes of it are there. */
export function isIntact(window: ByteWindow, at: number, meaningful: number): boolean {
  return window.view.getUint32(at, true) === crc32(window.bytes.subarray(at + 4, at + meaningful));
}

/** A record, decoded from bytes that stay as they are; the payload's view is only made when it is asked for. */
export class StoredRecord implements LogRecord {
  readonly physicalOffset: number;
  readonly length: number;
  readonly epoch: number;
  readonly type: number;
  readonly storeTimestampMs: number;
  readonly shardTimeMs: number;
  /** Everything before this byte was fsynced when the record was written, for all that its writer knew. */
  readonly flushedOffset: number;
  readonly formatVersion: number;
  readonly bytes: Uint8Array;
  readonly payloadStart: number;
  readonly payloadEnd: number;
  readonly #window: ByteWindow;
  #payload: Uint8Array | undefined;

  /** @param at begin of the record in `window` */
  constructor(window: ByteWindow, at: number) {
    const view = window.view;
    this.physicalOffset = view.getUint32(at + 8, true) + view.getUint32(at + 12, true) * TWO_32;
    this.length = view.getUint32(at + 4, true);
    this.epoch = view.getUint32(at + 16, true);
    this.type = view.getUint8(at + 20);
    this.storeTimestampMs = view.getUint32(at + 24, true) + view.getUint16(at + 28, true) * TWO_32;
    this.shardTimeMs = view.getUint32(at + 30, true) + view.getUint16(at + 34, true) * TWO_32;
    const lag = view.getUint32(at + 36, true);
    this.flushedOffset = lag === FLUSH_LAG_MAX ? 0 : this.physicalOffset - lag * 8;
    this.formatVersion = view.getUint8(at + 21);
    this.#window = window;
    this.bytes = window.bytes;
    this.payloadStart = at + HEADER_BYTES;
    this.payloadEnd = at + this.length - view.getUint16(at + 22, true);
  }

  get payload(): Uint8Array {
    if (this.#payload === undefined) {
      this.#window.lend();
      this.#payload = this.bytes.subarray(this.payloadStart, this.payloadEnd);
    }
    return this.#payload;
  }
}
