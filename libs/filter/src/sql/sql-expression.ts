/**
 * SQL92 expressions: what a consumer subscribes to when it asks for properties of messages, as RocketMQ understands it.
 *
 * A property is a text or, when the message has none of that name, unknown. What compares something unknown is unknown;
 * AND, OR and NOT know three values; only what is true in the end is wanted. A text that is compared with a number is
 * read as one; when it is none, the message is not wanted, whatever the rest of the expression says.
 */
import { javaStringHash, MqError, quoted } from '@orbitmq/base';
import { compileCondition } from './compile.ts';
import { type PropertyLookup, TRUE } from './evaluation.ts';
import { SQL_LENGTH_MAX } from './limits.ts';
import { parse } from './parser.ts';
import { requiredTags } from './required-tags.ts';
import { canonicalText, type Token, tokenize } from './tokens.ts';

/** An SQL expression, ready to be asked about messages. Holds no state: may be shared. */
export interface SqlExpression {
  /** The same for expressions that differ only in blanks, comments and the case of keywords. */
  readonly canonical: string;
  /** Names that the expression looks up, each once. */
  readonly propertyNames: readonly string[];
  /**
   * A quick look at the hash that the queue index holds: false = surely not wanted.
   * @param tagHash `javaStringHash` of the tag, 0 when there is none
   */
  mayMatch(tagHash: number): boolean;
  /**
   * The exact answer. Takes time in proportion to the expression and to the properties it names.
   * @param property gives a property's text, undefined when the message has none of that name
   */
  matches(property: PropertyLookup): boolean;
}

/**
 * Reads an SQL expression, in time proportional to its length.
 * @throws MqError ILLEGAL_FILTER_EXPRESSION when it is none, or beyond the limits of length, depth and terms
 */
export function compileSqlExpression(text: string): SqlExpression {
  if (text.length > SQL_LENGTH_MAX) {
    throw new MqError(
      'ILLEGAL_FILTER_EXPRESSION',
      `an SQL expression has at most ${SQL_LENGTH_MAX} characters, found ${text.length}: ${quoted(text, 40)}; shorten it`,
    );
  }
  const tokens = tokenize(text);
  const node = parse(text, tokens);
  const condition = compileCondition(node);
  const tags = requiredTags(node);
  const tagHashes = tags && new Set(Array.from(tags, javaStringHash));
  return {
    canonical: canonicalText(tokens),
    propertyNames: namesIn(tokens),
    mayMatch: (tagHash) => tagHashes === undefined || tagHashes.has(tagHash),
    matches: (property) => condition(property) === TRUE,
  };
}

function namesIn(tokens: readonly Token[]): string[] {
  return [...new Set(tokens.filter(({ kind }) => kind === 'name').map(({ text }) => text))];
}
