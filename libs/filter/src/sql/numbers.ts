/** A number as expressions know them: integers are exact up to 64 bits, decimals are doubles. */
export type SqlNumber = number | bigint;

/** Integers of no more digits are exact as doubles. */
const EXACT_DIGITS_MAX = 15;
/** No 64-bit integer has more digits. */
const INTEGER_DIGITS_MAX = 19;
/** Longer texts are no numbers: what a property holds is looked at for each comparison. */
const NUMBER_LENGTH_MAX = 1024;
const INTEGER = /^[+-]?\d+$/;
/** A decimal as Java writes and reads it; blanks around it are taken off before. */
const DECIMAL = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?[fFdD]?$/;
const TYPE_SUFFIX = /[fFdD]$/;

/**
 * The number that a property's text stands for, an integer of 64 bits if it is one, a decimal otherwise.
 * @returns undefined when it is no number
 */
export function numberOf(text: string): SqlNumber | undefined {
  return shortInteger(text) ?? longNumber(text);
}

/** The value of an integer literal; undefined beyond 64 bits. */
export function integerOf(digits: string): SqlNumber | undefined {
  if (digits.length > INTEGER_DIGITS_MAX + 1) return undefined;
  const value = BigInt(digits);
  if (BigInt.asIntN(64, value) !== value) return undefined;
  const double = Number(value);
  return Number.isSafeInteger(double) ? double : value;
}

/** −1, 0, 1: as the numbers are on the number line, whichever of the two kinds they have. */
export function compareNumbers(left: SqlNumber, right: SqlNumber): number {
  if (left < right) return -1;
  return left > right ? 1 : 0;
}

/** `-?\d{1,15}`, what most numbers are. */
function shortInteger(text: string): number | undefined {
  const negative = text.charCodeAt(0) === 0x2d;
  const start = negative ? 1 : 0;
  const count = text.length - start;
  if (count < 1 || count > EXACT_DIGITS_MAX) return undefined;
  let value = 0;
  for (let index = start; index < text.length; index++) {
    const digit = text.charCodeAt(index) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return negative ? -value : value;
}

function longNumber(text: string): SqlNumber | undefined {
  if (text.length > NUMBER_LENGTH_MAX) return undefined;
  const trimmed = text.trim();
  if (INTEGER.test(trimmed)) {
    const integer = integerOf(trimmed);
    if (integer !== undefined) return integer;
  } else if (!DECIMAL.test(trimmed)) return undefined;
  return Number(trimmed.replace(TYPE_SUFFIX, ''));
}
