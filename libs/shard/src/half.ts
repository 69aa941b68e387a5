import { ByteReader, ByteWriter, type HalfRef, type TransactionEnd } from '@orbitmq/views';

/*
 * A half message is stored as a message (see `records.ts`) with its topic's uid in place of the queue's, and in place
 * of the queue offset the time after which its producer is to be asked, in milliseconds.
 */

/*
 * End of a transaction that makes no message: u8 end (2 rolled back, 3 discarded) · u32 slot · u48 id. A commit is the
 * pointer record that puts the message into its queue.
 */
export function encodeHalfEnd({ slot, id }: HalfRef, end: TransactionEnd): Uint8Array {
  const writer = new ByteWriter(11);
  writer.u8(end);
  writer.u32(slot);
  writer.u48(id);
  return writer.view();
}

export function decodeHalfEnd(payload: Uint8Array): { readonly half: HalfRef; readonly end: TransactionEnd } {
  const reader = new ByteReader(payload);
  const [end, slot, id] = [reader.u8() as TransactionEnd, reader.u32(), reader.u48()];
  return { half: { slot, id }, end };
}

/** Producers were asked about transactions, and are not asked again for a while. */
export interface HalfCheck {
  readonly pauseMs: number;
  readonly halves: readonly HalfRef[];
}

/*
 * Check: u48 pause in milliseconds · u16 transactions, each u32 slot · u48 id
 */
export function encodeHalfCheck({ pauseMs, halves }: HalfCheck): Uint8Array {
  const writer = new ByteWriter(8 + halves.length * 10);
  writer.u48(pauseMs);
  writer.u16(halves.length);
  for (const { slot, id } of halves) {
    writer.u32(slot);
    writer.u48(id);
  }
  return writer.view();
}

export function decodeHalfCheck(payload: Uint8Array): HalfCheck {
  const reader = new ByteReader(payload);
  const pauseMs = reader.u48();
  return { pauseMs, halves: Array.from({ length: reader.u16() }, () => ({ slot: reader.u32(), id: reader.u48() })) };
}
