import { ByteReader, ByteWriter } from '@orbitmq/views';

/** A dead letter that is handed back to the group that could not consume it, in its place in the queue it came from. */
export interface RedriveRecord {
  readonly groupUid: number;
  /** Queue that it came from, and its offset there. */
  readonly queueUid: number;
  readonly queueOffset: number;
  /** Hash of its message group, never 0. */
  readonly messageGroup: number;
  /** Queue of the dead letters, and its offset there. */
  readonly deadQueueUid: number;
  readonly deadQueueOffset: number;
}

/*
 * Redrive: u32 group uid · u32 queue uid · u48 queue offset · i32 hash of the message group
 *   · u32 uid of the dead letters' queue · u48 offset there
 */
export function encodeRedrive(redrive: RedriveRecord): Uint8Array {
  const writer = new ByteWriter(28);
  writer.u32(redrive.groupUid);
  writer.u32(redrive.queueUid);
  writer.u48(redrive.queueOffset);
  writer.i32(redrive.messageGroup);
  writer.u32(redrive.deadQueueUid);
  writer.u48(redrive.deadQueueOffset);
  return writer.view();
}

export function decodeRedrive(payload: Uint8Array): RedriveRecord {
  const reader = new ByteReader(payload);
  return {
    groupUid: reader.u32(),
    queueUid: reader.u32(),
    queueOffset: reader.u48(),
    messageGroup: reader.i32(),
    deadQueueUid: reader.u32(),
    deadQueueOffset: reader.u48(),
  };
}
