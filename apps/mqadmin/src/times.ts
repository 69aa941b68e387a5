import { quoted, systemClock } from '@orbitmq/base';
import { UsageError } from './usage.ts';

const MILLISECONDS = /^\d{1,15}$/;
const LOCAL_TIME = /^(\d{4})-(\d{2})-(\d{2})#(\d{2}):(\d{2}):(\d{2})(?::(\d{1,3}))?$/;

/**
 * Reads a time as the original writes it: `now`, milliseconds since 1970, or `yyyy-MM-dd#HH:mm:ss:SSS` in local time.
 * @returns milliseconds since 1970
 * @throws UsageError
 */
export function timeOf(flag: string, text: string): number {
  if (text === 'now') return systemClock.wallMs();
  if (MILLISECONDS.test(text)) return Number(text);
  const parts = LOCAL_TIME.exec(text)
    ?.slice(1)
    .map((part) => Number(part ?? 0));
  if (parts !== undefined) {
    const [year, month, day, hour, minute, second, millisecond] = parts as [number, number, number, ...number[]];
    const date = new Date(year, month - 1, day, hour, minute, second, millisecond || 0);
    // Date takes 31 February for a day in March.
    if (date.getMonth() === month - 1 && date.getDate() === day && date.getHours() === hour) return date.getTime();
  }
  throw new UsageError(
    `${flag} must be now, milliseconds since 1970, or yyyy-MM-dd#HH:mm:ss:SSS; found ${quoted(text)}`,
  );
}

/** A time for people's eyes, local: `2026-01-31 12:00:00,000`; empty for none. */
export function timeText(timestampMs: bigint | number | undefined): string {
  if (timestampMs === undefined) return '';
  const date = new Date(Number(timestampMs));
  if (Number.isNaN(date.getTime())) return String(timestampMs);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${day} ${time},${String(date.getMilliseconds()).padStart(3, '0')}`;
}
