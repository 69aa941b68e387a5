import { ByteReader } from '@orbitmq/views';
import type { BodyRef, PendingKind, PendingRef } from './pointer.ts';

/** A body that is in the log before any queue has it. */
export interface PendingBody {
  readonly pending: PendingRef;
  readonly body: BodyRef;
}

/*
 * Carried body, little-endian: the body of a pending item again, so that the segment with the former one can go.
 *
 *   offset  size  field
 *   0       4     slot of the item
 *   4       6     id of the item
 *   10      1     kind of the item: 1 timer, 2 half message
 *   11      3     0
 *   14      4     bytes of the system properties (s)
 *   18      s     system properties
 *   18 + s  …     the rest of the message
 */
export const CARRIED_HEADER_BYTES = 18;

export function writeCarriedHeader(target: Buffer, pending: PendingRef, systemBytes: number): void {
  target.writeUInt32LE(pending.slot, 0);
  target.writeUIntLE(pending.id, 4, 6);
  target.writeUInt32LE(pending.kind, 10);
  target.writeUInt32LE(systemBytes, 14);
}

/** The item whose body a record carries. */
export function decodeCarried(payload: Uint8Array): PendingRef {
  const reader = new ByteReader(payload);
  const [slot, id, kind] = [reader.u32(), reader.u48(), reader.u8() as PendingKind];
  return { slot, id, kind };
}

/*
 * End of a pending item that never becomes a message: u8 kind · u32 slot · u48 id
 */
export function encodePendingEnd(pending: PendingRef): Uint8Array {
  const bytes = Buffer.alloc(11);
  bytes.writeUInt8(pending.kind, 0);
  bytes.writeUInt32LE(pending.slot, 1);
  bytes.writeUIntLE(pending.id, 5, 6);
  return bytes;
}

export function decodePendingEnd(payload: Uint8Array): PendingRef {
  const reader = new ByteReader(payload);
  const [kind, slot, id] = [reader.u8() as PendingKind, reader.u32(), reader.u48()];
  return { kind, slot, id };
}
