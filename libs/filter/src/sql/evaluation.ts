import { compareNumbers, numberOf, type SqlNumber } from './numbers.ts';

/** Looks a property up; undefined when the message has none of that name. */
export type PropertyLookup = (name: string) => string | undefined;

/** What a condition comes to: a number, as it is passed on for each message. */
export type Truth = typeof FALSE | typeof TRUE | typeof UNKNOWN | typeof FAILED;
export const FALSE = 0;
export const TRUE = 1;
/** Neither true nor false: something that has no value was compared. */
export const UNKNOWN = 2;
/** A text was compared with a number and is none. The whole expression fails with it, whatever the rest says. */
export const FAILED = 3;

/** `Truth` where a value is wanted. */
export const FAILURE = Symbol('failure');

/** What a part of an expression is worth for one message; undefined = unknown. */
export type Value = string | SqlNumber | boolean | undefined | typeof FAILURE;

export type Condition = (property: PropertyLookup) => Truth;
export type Operand = (property: PropertyLookup) => Value;

export function truthOf(value: boolean): Truth {
  return value ? TRUE : FALSE;
}

export function not(truth: Truth): Truth {
  if (truth === TRUE) return FALSE;
  return truth === FALSE ? TRUE : truth;
}

/** What two values that are there come to with `=`. */
export function equal(left: Value, right: Value): Truth {
  if (left === FAILURE || right === FAILURE) return FAILED;
  if (left === undefined || right === undefined) return UNKNOWN;
  if (typeof left === typeof right && typeof left !== 'bigint') return truthOf(left === right);
  if (typeof left === 'boolean' || typeof right === 'boolean') return equalTruths(left, right);
  const [leftNumber, rightNumber] = [asNumber(left), asNumber(right)];
  if (leftNumber === undefined || rightNumber === undefined) return FAILED;
  return truthOf(compareNumbers(leftNumber, rightNumber) === 0);
}

/** One of the two is a truth; a text is true when it says so, and false otherwise. A number is neither. */
function equalTruths(left: string | SqlNumber | boolean, right: string | SqlNumber | boolean): Truth {
  const other = typeof left === 'boolean' ? right : left;
  if (typeof other !== 'string') return FALSE;
  const truth = typeof left === 'boolean' ? left : right;
  return truthOf((other.length === 4 && other.toLowerCase() === 'true') === truth);
}

/** The number that a value is or stands for; undefined when it is none. */
export function asNumber(value: string | SqlNumber | boolean): SqlNumber | undefined {
  if (typeof value === 'string') return numberOf(value);
  return typeof value === 'boolean' ? undefined : value;
}
