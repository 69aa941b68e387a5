import { MqError, quoted } from '@orbitmq/base';

/** Characters of an expression that an error repeats. */
const FOUND_LENGTH_MAX = 40;

/** What is wrong with an expression. */
export interface Complaint {
  /** Index of the first character that is wrong. */
  readonly start: number;
  readonly wanted: string;
  /** What stands there instead, as the expression has it; undefined at its end. */
  readonly found: string | undefined;
  readonly remedy: string;
}

/** The error that tells a client where its expression is wrong, and what to do about it. */
export function refusal({ start, wanted, found, remedy }: Complaint): MqError {
  const what = found === undefined ? 'the end of the expression' : quoted(found, FOUND_LENGTH_MAX);
  return new MqError(
    'ILLEGAL_FILTER_EXPRESSION',
    `SQL expression, character ${start + 1}: wanted ${wanted}, found ${what}; ${remedy}`,
  );
}
