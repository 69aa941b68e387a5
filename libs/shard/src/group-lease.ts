import { ByteReader, ByteWriter } from '@orbitmq/views';

/** A message of a group lease. */
export interface GroupedMessage {
  readonly offset: number;
  /** Hash of its message group, never 0. */
  readonly messageGroup: number;
}

/** One queue's share of a group lease. */
export interface GroupLeasedQueue {
  readonly queueUid: number;
  /** Everything below is handed out, passed over or put off now. */
  readonly nextOffset: number;
  /** Messages handed out, for the first time or again, ascending. */
  readonly leased: readonly GroupedMessage[];
  /** Messages put off: one of the same message group that comes before them is not settled. */
  readonly deferred: readonly GroupedMessage[];
}

/** What one receive handed out, put off and passed over where message groups block. Its lease id is the record's physical offset. */
export interface GroupLeaseRecord {
  readonly groupUid: number;
  readonly invisibleMs: number;
  /** '' when there is none. */
  readonly attemptId: string;
  readonly queues: readonly GroupLeasedQueue[];
}

/*
 * Group lease: u32 group uid · u48 invisible ms · text attempt id (u16 length, UTF-8) · u16 queues, each
 *   u32 queue uid · u48 next offset · messages handed out · messages put off
 * Messages: u16 count, each u48 queue offset · i32 hash of the message group
 */
export function encodeGroupLease(lease: GroupLeaseRecord): Uint8Array {
  const writer = new ByteWriter(64 + lease.queues.length * 40);
  writer.u32(lease.groupUid);
  writer.u48(lease.invisibleMs);
  writer.text(lease.attemptId);
  writer.u16(lease.queues.length);
  for (const queue of lease.queues) {
    writer.u32(queue.queueUid);
    writer.u48(queue.nextOffset);
    writeMessages(writer, queue.leased);
    writeMessages(writer, queue.deferred);
  }
  return writer.view();
}

export function decodeGroupLease(payload: Uint8Array): GroupLeaseRecord {
  const reader = new ByteReader(payload);
  const [groupUid, invisibleMs, attemptId] = [reader.u32(), reader.u48(), reader.text()];
  const queues = Array.from({ length: reader.u16() }, () => ({
    queueUid: reader.u32(),
    nextOffset: reader.u48(),
    leased: readMessages(reader),
    deferred: readMessages(reader),
  }));
  return { groupUid, invisibleMs, attemptId, queues };
}

function writeMessages(writer: ByteWriter, messages: readonly GroupedMessage[]): void {
  writer.u16(messages.length);
  for (const { offset, messageGroup } of messages) {
    writer.u48(offset);
    writer.i32(messageGroup);
  }
}

function readMessages(reader: ByteReader): GroupedMessage[] {
  return Array.from({ length: reader.u16() }, () => ({ offset: reader.u48(), messageGroup: reader.i32() }));
}
