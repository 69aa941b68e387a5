import { LeaderMessage, LeaderMessage_Records } from '@orbitmq/protocol/orbitmq.replication.v1';

const NOTHING = new Uint8Array(0);
const VARINT_BYTES_MAX = 5;
/** Tags of `LeaderMessage.records` and of `LeaderMessage.Records.records`: number, and 2 for bytes with their length before them. */
const MESSAGE_RECORDS_TAG = (6 << 3) | 2;
const RECORDS_RECORDS_TAG = (3 << 3) | 2;

/** Records to be sent. */
export interface SentRecords extends LeaderMessage_Records {
  /** See `LogChunk.headroomBytes`; whoever encodes the message uses them up. */
  readonly headroomBytes?: number | undefined;
}

/**
 * Encodes a leader's message like the generated code, but copies records once, to where they are sent from, and not at all where there is
 * room before them. The generated code moves them three times, with room for twice as many.
 */
export function encodeLeaderMessage(message: LeaderMessage): Uint8Array {
  const records: SentRecords | undefined = message.records;
  if (records === undefined || records.records.length === 0) return LeaderMessage.encode(message).finish();
  const head = headOf(message, records);
  const { records: bytes, headroomBytes = 0 } = records;
  if (headroomBytes >= head.length) {
    const whole = new Uint8Array(bytes.buffer, bytes.byteOffset - head.length, head.length + bytes.length);
    whole.set(head);
    return whole;
  }
  const whole = Buffer.allocUnsafe(head.length + bytes.length);
  whole.set(head);
  whole.set(bytes, head.length);
  return whole;
}

/** All that comes before the records themselves. */
function headOf(message: LeaderMessage, records: LeaderMessage_Records): Uint8Array {
  const start = LeaderMessage.encode({ ...message, records: undefined }).finish();
  const offsets = LeaderMessage_Records.encode({ ...records, records: NOTHING }).finish();
  const { length } = records.records;
  const head = Buffer.allocUnsafe(start.length + offsets.length + 2 * (1 + VARINT_BYTES_MAX));
  head.set(start);
  let at = start.length;
  head[at++] = MESSAGE_RECORDS_TAG;
  at = writeVarint(head, at, offsets.length + 1 + varintBytes(length) + length);
  head.set(offsets, at);
  at += offsets.length;
  head[at++] = RECORDS_RECORDS_TAG;
  return head.subarray(0, writeVarint(head, at, length));
}

function varintBytes(value: number): number {
  let count = 1;
  for (let rest = value; rest >= 0x80; rest >>>= 7) count++;
  return count;
}

/** @returns where the next byte goes */
function writeVarint(bytes: Uint8Array, from: number, value: number): number {
  let at = from;
  let rest = value;
  for (; rest >= 0x80; rest >>>= 7) bytes[at++] = (rest & 0x7f) | 0x80;
  bytes[at++] = rest;
  return at;
}
