import type { Duration, Timestamp } from '@orbitmq/protocol/google.protobuf';

/** Milliseconds of a duration from outside; may be negative or huge, never NaN. Fractions are kept. */
export function durationMs(duration: Duration): number {
  return Number(duration.seconds) * 1_000 + duration.nanos / 1_000_000;
}

/** @param ms whole milliseconds ≥ 0 */
export function durationOf(ms: number): Duration {
  const seconds = Math.floor(ms / 1_000);
  return { seconds: BigInt(seconds), nanos: Math.round((ms - seconds * 1_000) * 1_000_000) };
}

/** @param wallMs milliseconds since 1970 */
export function timestampOf(wallMs: number): Timestamp {
  return durationOf(wallMs);
}
