import { ByteReader, ByteWriter } from '@orbitmq/views';
import type { MessageBytes } from './common-types.ts';

/** Kinds of records that the state machine knows; those below 8 belong to the log, which reserves 5 for our state. */
export const RECORD = {
  /** A chunk of the whole state: see `state-records.ts`. */
  state: 5,
  message: 8,
  /** A topic made or altered: its configuration as JSON. */
  topic: 9,
  topicDeletion: 10,
  /** A group made or altered: its configuration as JSON. */
  group: 11,
  groupDeletion: 12,
  /** The shard's secret, 32 random bytes. */
  secret: 13,
  lease: 14,
  ack: 15,
  change: 16,
  renewal: 17,
  trim: 18,
  /** A message of a queue whose body another record holds: see `pointer.ts`. */
  pointer: 19,
  /** The log is about to begin at a later byte: u48. */
  cut: 20,
  /** A message that waits for its time: as a message, with the time (wall ms) in place of the queue offset. */
  timed: 21,
  /** The body of a pending item again: see `pending.ts`. */
  carried: 22,
  /** A pending item that never becomes a message. */
  pendingEnd: 23,
  /** The message of an open transaction: see `half.ts`. */
  half: 24,
  halfEnd: 25,
  halfCheck: 26,
  /** A lease where message groups block, not queues: see `group-lease.ts`. */
  groupLease: 32,
  /** A dead letter is handed back to its group: see `redrive-record.ts`. */
  redrive: 33,
  /** Several messages of a group that one call has settled. */
  acks: 34,
  /** A group's offsets, set by somebody: see `offset-records.ts`. */
  offsets: 40,
  /** A renewal for a client that holds the messages: i32 that stands for the client, then as a renewal. */
  held: 41,
  /** The first message of a lite topic, which begins with it: see `lite-records.ts`. */
  liteMessage: 48,
  /** Lite topics that nothing was sent to for long: see `lite-records.ts`. */
  liteEnd: 49,
  /** All that a group holds of a queue rests for a while: as a change. */
  suspension: 50,
  /** What the leader's state is here: see `attestation.ts`. */
  attestation: 56,
  /** How the shard stands as a whole from then on, as JSON. */
  standing: 57,
  /** What a copy has settled that stood in for its leader: see `settlement-record.ts`. */
  settlement: 58,
} as const;

/*
 * Message, little-endian. Every record that holds a body has the same header, so that `messageBytes` reads them all; what
 * the first ten bytes mean is each kind's own business.
 *
 *   offset  size  field
 *   0       4     queue uid
 *   4       6     queue offset
 *   10      4     tag hash, signed
 *   14      4     bytes of the system properties (s)
 *   18      s     system properties
 *   18 + s  …     the rest of the message
 */
export const MESSAGE_HEADER_BYTES = 18;

/** Writes the header of a message record. */
export function writeMessageHeader(
  target: Buffer,
  queueUid: number,
  queueOffset: number,
  tagHash: number,
  systemBytes: number,
): void {
  writeQueuePlace(target, queueUid, queueOffset, tagHash);
  target.writeUInt32LE(systemBytes, 14);
}

/** Writes what the records of all messages of queues begin with. */
export function writeQueuePlace(target: Buffer, queueUid: number, queueOffset: number, tagHash: number): void {
  target.writeUInt32LE(queueUid, 0);
  target.writeUIntLE(queueOffset, 4, 6);
  target.writeInt32LE(tagHash, 10);
}

/**
 * Queue uid of a message record. Read byte by byte: this runs for every message, and makes no object.
 * @param at where the payload begins in `bytes`
 */
export function messageQueueUid(bytes: Uint8Array, at = 0): number {
  return uint32At(bytes, at);
}

/** Whether a record holds a message of a queue, body and all. */
export function isMessage(type: number): boolean {
  return type === RECORD.message || type === RECORD.liteMessage;
}

/** Queue offset of any record that puts a message into a queue. */
export function queueOffsetOf({ type, payload }: { readonly type: number; readonly payload: Uint8Array }): number {
  return type === RECORD.liteMessage ? 0 : messageQueueOffset(payload);
}

/** Queue offset of a message record. @param at where the payload begins in `bytes` */
export function messageQueueOffset(bytes: Uint8Array, at = 0): number {
  return uint32At(bytes, at + 4) + (bytes[at + 8]! | (bytes[at + 9]! << 8)) * 2 ** 32;
}

/** Tag hash of a message record. @param at where the payload begins in `bytes` */
export function messageTagHash(bytes: Uint8Array, at = 0): number {
  return uint32At(bytes, at + 10) | 0;
}

/** Where in `bytes` the system properties of a message record end: they begin `MESSAGE_HEADER_BYTES` behind `at`, where the payload does. */
export function messageSystemEnd(bytes: Uint8Array, at = 0): number {
  return at + MESSAGE_HEADER_BYTES + uint32At(bytes, at + 14);
}

/** The message in a record: views of its payload. */
export function messageBytes(payload: Uint8Array): MessageBytes {
  const systemEnd = messageSystemEnd(payload);
  return { system: payload.subarray(MESSAGE_HEADER_BYTES, systemEnd), rest: payload.subarray(systemEnd) };
}

function uint32At(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

/** The log is about to begin at `logStart`. */
export function encodeCut(logStart: number): Uint8Array {
  const writer = new ByteWriter(6);
  writer.u48(logStart);
  return writer.view();
}

export function decodeCut(payload: Uint8Array): number {
  return new ByteReader(payload).u48();
}

/** Deletion of a topic or a group: u32 uid. */
export function encodeUid(uid: number): Uint8Array {
  const writer = new ByteWriter(4);
  writer.u32(uid);
  return writer.view();
}

export function decodeUid(payload: Uint8Array): number {
  return new ByteReader(payload).u32();
}

/** One queue's share of a lease record. */
export interface LeasedQueue {
  readonly queueUid: number;
  /** Everything below is handed out or passed over now. */
  readonly nextOffset: number;
  /** Messages handed out, for the first time or again, ascending. */
  readonly offsets: readonly number[];
}

/** What one receive handed out and passed over. Its lease id is the record's physical offset. */
export interface LeaseRecord {
  readonly groupUid: number;
  readonly invisibleMs: number;
  /** '' when there is none. */
  readonly attemptId: string;
  readonly queues: readonly LeasedQueue[];
}

/*
 * Lease: u32 group uid · u48 invisible ms · text attempt id (u16 length, UTF-8) · u16 queues, each
 *   u32 queue uid · u48 next offset · u16 messages, each u48 queue offset
 */
export function encodeLease(lease: LeaseRecord): Uint8Array {
  const writer = new ByteWriter(64 + lease.queues.length * 24);
  writer.u32(lease.groupUid);
  writer.u48(lease.invisibleMs);
  writer.text(lease.attemptId);
  writer.u16(lease.queues.length);
  for (const queue of lease.queues) {
    writer.u32(queue.queueUid);
    writer.u48(queue.nextOffset);
    writer.u16(queue.offsets.length);
    for (const offset of queue.offsets) writer.u48(offset);
  }
  return writer.view();
}

export function decodeLease(payload: Uint8Array): LeaseRecord {
  const reader = new ByteReader(payload);
  const [groupUid, invisibleMs, attemptId] = [reader.u32(), reader.u48(), reader.text()];
  const queues: LeasedQueue[] = [];
  for (let remaining = reader.u16(); remaining > 0; remaining--) {
    const [queueUid, nextOffset] = [reader.u32(), reader.u48()];
    const offsets: number[] = [];
    for (let count = reader.u16(); count > 0; count--) offsets.push(reader.u48());
    queues.push({ queueUid, nextOffset, offsets });
  }
  return { groupUid, invisibleMs, attemptId, queues };
}

/** One handing-out of one message, by numbers. */
export interface LeaseKey {
  readonly groupUid: number;
  readonly queueUid: number;
  readonly queueOffset: number;
  readonly leaseId: number;
}

/*
 * Ack: u32 group uid · u32 queue uid · u48 queue offset · u48 lease id
 * Change: the same, then u48 invisible ms. The new lease id is the record's physical offset.
 */
export function encodeLeaseKey(key: LeaseKey, invisibleMs?: number): Uint8Array {
  const writer = new ByteWriter(26);
  writer.u32(key.groupUid);
  writer.u32(key.queueUid);
  writer.u48(key.queueOffset);
  writer.u48(key.leaseId);
  if (invisibleMs !== undefined) writer.u48(invisibleMs);
  return writer.view();
}

export function decodeAck(payload: Uint8Array): LeaseKey {
  return readLeaseKey(new ByteReader(payload));
}

export function decodeChange(payload: Uint8Array): LeaseKey & { invisibleMs: number } {
  const reader = new ByteReader(payload);
  return { ...readLeaseKey(reader), invisibleMs: reader.u48() };
}

/*
 * Acks, of one group: u32 group uid · u16 leases, each u32 queue uid · u48 queue offset · u48 lease id
 */
export function encodeAcks(keys: readonly LeaseKey[]): Uint8Array {
  const writer = new ByteWriter(6 + keys.length * 16);
  writer.u32(keys[0]!.groupUid);
  writer.u16(keys.length);
  for (const { queueUid, queueOffset, leaseId } of keys) {
    writer.u32(queueUid);
    writer.u48(queueOffset);
    writer.u48(leaseId);
  }
  return writer.view();
}

export function decodeAcks(payload: Uint8Array): LeaseKey[] {
  const reader = new ByteReader(payload);
  const groupUid = reader.u32();
  return Array.from({ length: reader.u16() }, () => ({
    groupUid,
    queueUid: reader.u32(),
    queueOffset: reader.u48(),
    leaseId: reader.u48(),
  }));
}

function readLeaseKey(reader: ByteReader): LeaseKey {
  return { groupUid: reader.u32(), queueUid: reader.u32(), queueOffset: reader.u48(), leaseId: reader.u48() };
}

/*
 * Renewal: u48 invisible ms · u16 leases, each u32 group uid · u32 queue uid · u48 queue offset · u48 lease id
 */
export function encodeRenewal(keys: readonly LeaseKey[], invisibleMs: number): Uint8Array {
  const writer = new ByteWriter(8 + keys.length * 20);
  writer.u48(invisibleMs);
  writer.u16(keys.length);
  for (const key of keys) writer.bytes(encodeLeaseKey(key));
  return writer.view();
}

export function decodeRenewal(payload: Uint8Array): Renewal {
  return readRenewal(new ByteReader(payload));
}

/** A renewal for the client `holder`, not 0. */
export function encodeHeld(holder: number, keys: readonly LeaseKey[], invisibleMs: number): Uint8Array {
  const writer = new ByteWriter(12 + keys.length * 20);
  writer.i32(holder);
  writer.bytes(encodeRenewal(keys, invisibleMs));
  return writer.view();
}

export function decodeHeld(payload: Uint8Array): Renewal & { readonly holder: number } {
  const reader = new ByteReader(payload);
  return { holder: reader.i32(), ...readRenewal(reader) };
}

interface Renewal {
  readonly invisibleMs: number;
  readonly keys: readonly LeaseKey[];
}

function readRenewal(reader: ByteReader): Renewal {
  const invisibleMs = reader.u48();
  return { invisibleMs, keys: Array.from({ length: reader.u16() }, () => readLeaseKey(reader)) };
}

/** The messages of a queue below `minOffset` are gone. */
export interface QueueTrim {
  readonly queueUid: number;
  readonly minOffset: number;
}

/*
 * Trim: u16 queues, each u32 queue uid · u48 first offset that stays
 */
export function encodeTrim(trims: readonly QueueTrim[]): Uint8Array {
  const writer = new ByteWriter(2 + trims.length * 10);
  writer.u16(trims.length);
  for (const trim of trims) {
    writer.u32(trim.queueUid);
    writer.u48(trim.minOffset);
  }
  return writer.view();
}

export function decodeTrim(payload: Uint8Array): QueueTrim[] {
  const reader = new ByteReader(payload);
  return Array.from({ length: reader.u16() }, () => ({ queueUid: reader.u32(), minOffset: reader.u48() }));
}
