import { assert } from '@orbitmq/base';
import type { LogRecord } from '@orbitmq/storage';
import { ByteReader } from '@orbitmq/views';
import { type LeaseKey, RECORD } from './records.ts';

/** A record that holds a body, wherever it lies. */
export interface BodyRef {
  readonly physicalOffset: number;
  /** Bytes of the record in the log. */
  readonly length: number;
}

/** Kinds of items whose body is in the log before any queue has it. */
export const PENDING = { none: 0, timer: 1, half: 2 } as const;
export type PendingKind = (typeof PENDING)[keyof typeof PENDING];

/** A pending item: physical offset of the record that made it, and its slot in its view (0 when the view has none). */
export interface PendingRef {
  readonly kind: PendingKind;
  readonly id: number;
  readonly slot: number;
}

/** A message of a queue that has its body elsewhere. */
export interface PointerRecord {
  readonly body: BodyRef;
  /** First byte of the segment that holds the body. */
  readonly bodySegment: number;
  /** What is not pending any more from this record on. */
  readonly ends: PendingRef;
  /** Of a dead letter: the handing-out that this record settles. */
  readonly settles: LeaseKey | undefined;
  /** Fields behind those of the body's system properties: the last of a scalar wins. */
  readonly system: Uint8Array;
  /** Fields behind the rest of the body's message. */
  readonly rest: Uint8Array;
}

/*
 * Pointer, little-endian; it begins as a message does:
 *
 *   offset  size  field
 *   0       4     queue uid
 *   4       6     queue offset
 *   10      4     tag hash, signed
 *   14      6     physical offset of the record with the body
 *   20      4     length of that record
 *   24      6     first byte of that record's segment
 *   30      1     kind of the pending item that it ends: 0 none, 1 timer, 2 half message; 3 it settles a lease
 *   31      4     slot of that item; group uid of the lease
 *   35      6     id of that item; id of the lease
 *   41      2     bytes of additional system properties (s)
 *   43      s     additional system properties
 *   43 + s  …     additional fields of the message
 *
 * Where it settles a lease, the uid (u32) and the offset (u48) of the message's queue come before the additions.
 */
export const POINTER_HEADER_BYTES = 43;
export const SETTLED_PLACE_BYTES = 10;
const SETTLES_LEASE = 3;
const EXTRA_SYSTEM_BYTES_MAX = 0xffff;
const NO_PENDING: PendingRef = { kind: PENDING.none, id: 0, slot: 0 };

/**
 * Writes what follows the fields that a pointer shares with a message.
 * @param target `POINTER_HEADER_BYTES`, and `SETTLED_PLACE_BYTES` more when the pointer settles a lease
 */
export function writePointerHeader(target: Buffer, pointer: PointerRecord): void {
  assert(pointer.system.length <= EXTRA_SYSTEM_BYTES_MAX, 'the additions to a message are too long for a pointer');
  target.writeUIntLE(pointer.body.physicalOffset, 14, 6);
  target.writeUInt32LE(pointer.body.length, 20);
  target.writeUIntLE(pointer.bodySegment, 24, 6);
  const { ends, settles } = pointer;
  target.writeUInt8(settles === undefined ? ends.kind : SETTLES_LEASE, 30);
  target.writeUInt32LE(settles === undefined ? ends.slot : settles.groupUid, 31);
  target.writeUIntLE(settles === undefined ? ends.id : settles.leaseId, 35, 6);
  target.writeUInt16LE(pointer.system.length, 41);
  if (settles === undefined) return;
  target.writeUInt32LE(settles.queueUid, 43);
  target.writeUIntLE(settles.queueOffset, 47, 6);
}

export function decodePointer(payload: Uint8Array): PointerRecord {
  const reader = new ByteReader(payload, 14);
  const body = { physicalOffset: reader.u48(), length: reader.u32() };
  const bodySegment = reader.u48();
  const [kind, slot, id] = [reader.u8(), reader.u32(), reader.u48()];
  const systemBytes = reader.u16();
  const isDeadLetter = kind === SETTLES_LEASE;
  const ends = isDeadLetter ? NO_PENDING : { kind: kind as PendingKind, slot, id };
  const settles = isDeadLetter
    ? { groupUid: slot, leaseId: id, queueUid: reader.u32(), queueOffset: reader.u48() }
    : undefined;
  const system = reader.bytes(systemBytes);
  return { body, bodySegment, ends, settles, system, rest: reader.bytes(reader.remaining) };
}

/** Set in the length of an index entry that leads to a pointer: record lengths are multiples of 8. */
const POINTER_BIT = 1;

/**
 * What the queue index keeps as the length of a message: that of the record that holds its body, so that a receive
 * knows how much it takes; of a pointer with a mark.
 */
export function indexedLength(record: LogRecord): number {
  return record.type === RECORD.pointer ? bodyLengthOf(record.payload) | POINTER_BIT : record.length;
}

/** Whether an index entry leads to a pointer. */
export function isPointerEntry(length: number): boolean {
  return (length & POINTER_BIT) !== 0;
}

function bodyLengthOf(payload: Uint8Array): number {
  return (payload[20]! | (payload[21]! << 8) | (payload[22]! << 16) | (payload[23]! << 24)) >>> 0;
}
