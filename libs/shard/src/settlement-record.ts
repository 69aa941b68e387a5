import { ByteReader, ByteWriter } from '@orbitmq/views';

/** An entry that a copy of the shard held when it had stood in for its leader. */
export interface HeldEntry {
  readonly offset: number;
  readonly leaseId: number;
  readonly attempt: number;
  /** What is left of its lease, milliseconds; 0 = it has ended. */
  readonly remainingMs: number;
  /** Hash of its message group; 0 = not known. */
  readonly messageGroup: number;
}

/** What a copy that stood in for its leader has handed out and settled of a queue; of a long one, a part. */
export interface SettlementRecord {
  readonly groupUid: number;
  readonly queueUid: number;
  readonly fromOffset: number;
  /** Of what lies in [fromOffset, nextOffset), all but `entries` are settled. */
  readonly nextOffset: number;
  /** Somebody has set the group's offset there: it may have gone back. */
  readonly isReset: boolean;
  /** Leases and offsets from this byte of the log on were given and set without knowing of the copy's. */
  readonly ownFrom: number;
  /** By offset. */
  readonly entries: readonly HeldEntry[];
}

const ENTRY_BYTES = 26;

/*
 * Settlement: u32 group uid · u32 queue uid · u48 from offset · u48 next offset · u8 1 where the offset was set, else 0 ·
 *   u48 own from · u16 entries, each u48 queue offset · u48 lease id · u48 remaining ms · u32 attempt · i32 hash of the message group
 */
export function encodeSettlement(settlement: SettlementRecord): Uint8Array {
  const { entries } = settlement;
  const writer = new ByteWriter(32 + entries.length * ENTRY_BYTES);
  writer.u32(settlement.groupUid);
  writer.u32(settlement.queueUid);
  writer.u48(settlement.fromOffset);
  writer.u48(settlement.nextOffset);
  writer.u8(settlement.isReset ? 1 : 0);
  writer.u48(settlement.ownFrom);
  writer.u16(entries.length);
  for (const entry of entries) {
    writer.u48(entry.offset);
    writer.u48(entry.leaseId);
    writer.u48(entry.remainingMs);
    writer.u32(entry.attempt);
    writer.i32(entry.messageGroup);
  }
  return writer.view();
}

export function decodeSettlement(payload: Uint8Array): SettlementRecord {
  const reader = new ByteReader(payload);
  return {
    groupUid: reader.u32(),
    queueUid: reader.u32(),
    fromOffset: reader.u48(),
    nextOffset: reader.u48(),
    isReset: reader.u8() === 1,
    ownFrom: reader.u48(),
    entries: Array.from({ length: reader.u16() }, () => ({
      offset: reader.u48(),
      leaseId: reader.u48(),
      remainingMs: reader.u48(),
      attempt: reader.u32(),
      messageGroup: reader.i32(),
    })),
  };
}
