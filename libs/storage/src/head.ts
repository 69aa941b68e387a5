import { HEADER_BYTES, RECORD_TYPES, recordLength, type StoredRecord } from './record.ts';

/*
 * Payload of an epoch start, which is the first record of every segment and of every incarnation of the writer:
 *
 * | offset | size | field |
 * |--------|------|-------|
 * | 0      | 16   | id of the log, random, made with its first segment |
 * | 16     | 8    | size of the segment's file in bytes |
 */

/** Bytes of the payload. */
const PAYLOAD_BYTES = 24;
/** Bytes that an epoch start takes in the log. */
export const HEAD_BYTES = recordLength(PAYLOAD_BYTES);

/** What an epoch start says. */
export interface SegmentHead {
  /** Id of the log in hexadecimal digits. */
  readonly logId: string;
  readonly segmentSizeBytes: number;
}

export function encodeHead(head: SegmentHead): Uint8Array {
  const payload = Buffer.alloc(PAYLOAD_BYTES);
  payload.write(head.logId, 'hex');
  payload.writeUInt32LE(head.segmentSizeBytes % 2 ** 32, 16);
  payload.writeUInt32LE(Math.floor(head.segmentSizeBytes / 2 ** 32), 20);
  return payload;
}

/** What the record says when it is an epoch start, else undefined. */
export function decodeHead(record: StoredRecord): SegmentHead | undefined {
  if (record.type !== RECORD_TYPES.epochStart || record.length < HEADER_BYTES + PAYLOAD_BYTES) return undefined;
  const payload = Buffer.from(record.payload);
  return {
    logId: payload.toString('hex', 0, 16),
    segmentSizeBytes: payload.readUInt32LE(16) + payload.readUInt32LE(20) * 2 ** 32,
  };
}
