import type { LogRecord } from '@orbitmq/storage';
import { ByteReader, ByteWriter } from '@orbitmq/views';

/*
 * Attestation: what the leader's state was right before the record. It changes nothing.
 *
 *   offset  size  field
 *   0       4     checksum of the state
 */
const ATTESTATION_BYTES = 4;

/** What the state is at a position of the log, as a number: equal states give equal numbers. */
export interface StateChecksum {
  readonly position: number;
  readonly checksum: number;
}

/** A leader's checksum that came with the log, and the own one at the same position. */
export interface ComparedChecksum extends StateChecksum {
  readonly leaderChecksum: number;
}

export function encodeAttestation(checksum: number): Uint8Array {
  const writer = new ByteWriter(ATTESTATION_BYTES);
  writer.u32(checksum);
  return writer.view();
}

/** @param checksum of the own state before the record */
export function compareAttestation({ physicalOffset, payload }: LogRecord, checksum: number): ComparedChecksum {
  return { position: physicalOffset, checksum, leaderChecksum: new ByteReader(payload).u32() };
}
