import { ByteReader, ByteWriter } from '@orbitmq/views';

/** Where a group goes on with a queue. */
export interface QueueOffset {
  readonly queueUid: number;
  readonly nextOffset: number;
}

/** Offsets of a group, set by somebody and not by its receives. */
export interface OffsetsRecord {
  readonly groupUid: number;
  readonly queues: readonly QueueOffset[];
}

/*
 * Offsets: u32 group uid · u16 queues, each u32 queue uid · u48 next offset
 */
export function encodeOffsets(offsets: OffsetsRecord): Uint8Array {
  const writer = new ByteWriter(6 + offsets.queues.length * 10);
  writer.u32(offsets.groupUid);
  writer.u16(offsets.queues.length);
  for (const { queueUid, nextOffset } of offsets.queues) {
    writer.u32(queueUid);
    writer.u48(nextOffset);
  }
  return writer.view();
}

export function decodeOffsets(payload: Uint8Array): OffsetsRecord {
  const reader = new ByteReader(payload);
  const groupUid = reader.u32();
  return {
    groupUid,
    queues: Array.from({ length: reader.u16() }, () => ({ queueUid: reader.u32(), nextOffset: reader.u48() })),
  };
}
