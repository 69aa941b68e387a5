import type { WireReader } from './wire-reader.ts';

const NANOSECONDS_PER_MS = 1_000_000;
const NANOSECONDS_PER_SECOND = 1_000_000_000;
// google.protobuf.Timestamp ends with the years 1 and 9999; clients fail on what lies beyond
const SECONDS_MIN = -62_135_596_800;
const SECONDS_MAX = 253_402_300_799;

/**
 * Reads the current field, a Timestamp or Duration, in milliseconds, rounded down; NaN when it is no valid one.
 * @param before what an earlier field of the same number said: protobuf merges the two
 */
export function readMilliseconds(reader: WireReader, before: number | undefined): number {
  let seconds = before === undefined ? 0 : Math.floor(before / 1000);
  let nanoseconds = before === undefined ? 0 : (before - seconds * 1000) * NANOSECONDS_PER_MS;
  const outerEnd = reader.enter();
  while (reader.next()) {
    if (reader.isVarint(1)) seconds = reader.int64();
    else if (reader.isVarint(2)) nanoseconds = reader.int32();
  }
  reader.leave(outerEnd);
  if (!(seconds >= SECONDS_MIN && seconds <= SECONDS_MAX)) return Number.NaN;
  if (!(nanoseconds >= 0 && nanoseconds < NANOSECONDS_PER_SECOND)) return Number.NaN;
  return seconds * 1000 + Math.floor(nanoseconds / NANOSECONDS_PER_MS);
}
