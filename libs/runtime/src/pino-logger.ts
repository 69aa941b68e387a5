import pino from 'pino';
import type { LogFields, Logger } from './logger.ts';

/** How much is logged: a line of this level or above. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
/** One of `LOG_LEVELS`. */
export type LogLevel = (typeof LOG_LEVELS)[number];

const TEXT_BYTES_MAX = 256;
const STACK_BYTES_MAX = 4096;
const DEPTH_MAX = 4;
const ITEMS_MAX = 64;

/**
 * A logger that writes JSON lines to `destination` (stdout when absent), synchronously: what was logged before the
 * process ends is out. Texts in fields are cut at 256 bytes, and control characters come out escaped.
 * @param fields are on every line
 */
export function createLogger(options: {
  readonly level: LogLevel;
  readonly fields: LogFields;
  readonly destination?: { write(line: string): void };
}): Logger {
  const settings: pino.LoggerOptions = {
    level: options.level,
    base: bounded(options.fields),
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: {},
  };
  return wrap(
    options.destination ? pino(settings, options.destination) : pino(settings, pino.destination({ fd: 1, sync: true })),
  );
}

function wrap(inner: pino.Logger): Logger {
  return {
    child: (fields) => wrap(inner.child(bounded(fields))),
    debug: (fields, message) => {
      if (inner.isLevelEnabled('debug')) inner.debug(bounded(fields), cut(message, TEXT_BYTES_MAX * 4));
    },
    info: (fields, message) => inner.info(bounded(fields), cut(message, TEXT_BYTES_MAX * 4)),
    warn: (fields, message) => inner.warn(bounded(fields), cut(message, TEXT_BYTES_MAX * 4)),
    error: (fields, message) => inner.error(bounded(fields), cut(message, TEXT_BYTES_MAX * 4)),
  };
}

/** Fields as they may be written: bounded texts, errors as plain values, no more than a few levels deep. */
function bounded(fields: LogFields): Record<string, unknown> {
  const written: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) written[name] = boundedValue(value, 1);
  return written;
}

function boundedValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return cut(value, TEXT_BYTES_MAX);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return typeof value === 'function' ? '[function]' : value;
  if (value instanceof Error) return boundedError(value, depth);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (depth >= DEPTH_MAX) return '[…]';
  if (Array.isArray(value)) return value.slice(0, ITEMS_MAX).map((item) => boundedValue(item, depth + 1));
  const entries = value instanceof Map ? [...value].slice(0, ITEMS_MAX) : Object.entries(value).slice(0, 4 * ITEMS_MAX);
  return Object.fromEntries(
    entries.map(([name, item]) => [cut(String(name), TEXT_BYTES_MAX), boundedValue(item, depth + 1)]),
  );
}

function boundedError(error: Error, depth: number): Record<string, unknown> {
  const written: Record<string, unknown> = { name: error.name, message: cut(error.message, TEXT_BYTES_MAX * 4) };
  const { code, details } = error as Error & { code?: unknown; details?: unknown };
  if (code !== undefined) written.code = boundedValue(code, depth + 1);
  if (details !== undefined) written.details = boundedValue(details, depth + 1);
  if (error.stack !== undefined) written.stack = cut(error.stack, STACK_BYTES_MAX);
  if (error.cause !== undefined && depth < DEPTH_MAX) written.cause = boundedValue(error.cause, depth + 1);
  return written;
}

/** The text, cut to at most `bytesMax` bytes of UTF-8 (and a mark) without splitting a character. */
function cut(text: string, bytesMax: number): string {
  if (text.length * 3 <= bytesMax || Buffer.byteLength(text) <= bytesMax) return text;
  const bytes = Buffer.from(text.slice(0, bytesMax));
  let end = Math.min(bytesMax, bytes.length);
  while (end > 0 && (bytes[end] ?? 0) >= 0x80 && (bytes[end] ?? 0) < 0xc0) end--;
  return `${bytes.toString('utf8', 0, end)}…`;
}
