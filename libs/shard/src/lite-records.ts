import { ByteReader, ByteWriter } from '@orbitmq/views';
import { writeQueuePlace } from './records.ts';

/*
 * First message of a lite topic, little-endian; with it the lite topic begins. What follows are plain messages.
 *
 *   offset  size  field
 *   0       4     queue uid: the next one of the shard
 *   4       4     uid of the parent topic
 *   8       2     0
 *   10      …     as a message: its system properties have the name
 */

/** Writes the header of a lite topic's first message. @param target `MESSAGE_HEADER_BYTES` */
export function writeLiteHeader(
  target: Buffer,
  place: { readonly queueUid: number; readonly topicUid: number; readonly tagHash: number },
  systemBytes: number,
): void {
  writeQueuePlace(target, place.queueUid, place.topicUid, place.tagHash);
  target.writeUInt32LE(systemBytes, 14);
}

/** Uid of the parent of the lite topic that a record makes. */
export function liteParentUid(payload: Uint8Array): number {
  return (payload[4]! | (payload[5]! << 8) | (payload[6]! << 16) | (payload[7]! << 24)) >>> 0;
}

/*
 * End of lite topics: u16 count, each u32 queue uid
 */
export function encodeLiteEnd(queueUids: readonly number[]): Uint8Array {
  const writer = new ByteWriter(2 + queueUids.length * 4);
  writer.u16(queueUids.length);
  for (const uid of queueUids) writer.u32(uid);
  return writer.view();
}

export function decodeLiteEnd(payload: Uint8Array): number[] {
  const reader = new ByteReader(payload);
  return Array.from({ length: reader.u16() }, () => reader.u32());
}
