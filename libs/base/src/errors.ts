import { CODES, type CodeName } from './codes.ts';

/** Details that go to the log beside an error: plain values only, never bodies or secrets. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | undefined>>;

/**
 * An operating error that a caller is told about. The message says what was wanted, what was found, with which value,
 * and what to do; it holds no path, no stack and no dependency version, because it may go to a client as it is.
 */
export class MqError extends Error {
  /** Name of the status code that a client gets. */
  readonly code: CodeName;
  /** Facts for the log. */
  readonly details: ErrorDetails;

  constructor(code: CodeName, message: string, options: { cause?: unknown; details?: ErrorDetails } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'MqError';
    this.code = code;
    this.details = options.details ?? {};
  }

  /** Number of the status code, as sent on the wire. */
  get codeNumber(): number {
    return CODES[this.code];
  }
}

/** A broken invariant: a programmer error. It ends the process; it is never turned into an answer. */
export class AssertionError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'AssertionError';
  }
}

/**
 * Checks an invariant.
 * @throws AssertionError when `condition` is false
 */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Shortens a text from outside for use in an error or a log line and makes control characters visible. */
export function quoted(text: string, lengthMax = 128): string {
  const cut = text.length > lengthMax ? `${text.slice(0, lengthMax)}…` : text;
  return JSON.stringify(cut);
}
