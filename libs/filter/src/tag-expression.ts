/**
 * Tag expressions: what a consumer subscribes to when it names tags.
 *
 * `*` or an empty text means all messages; otherwise the text is a list of tags with `||` between them. Blanks around a
 * tag do not count, blank parts are passed over. Tags are compared as whole texts, upper and lower case apart. A message
 * without a tag is wanted only by those who want all.
 */
import { javaStringHash, MqError, quoted } from '@orbitmq/base';

/** Longest tag expression, characters. */
export const TAG_EXPRESSION_LENGTH_MAX = 16 * 1024;
/** Most tags of one expression. */
export const TAG_COUNT_MAX = 1024;

const SEPARATOR = '||';
const ALL = '*';
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/** A tag expression, ready to be asked about messages. */
export interface TagExpression {
  /** Every message is wanted, also one without a tag. */
  readonly acceptsAll: boolean;
  /** The same for expressions that want the same tags: in order, each once; `*` when all messages are wanted. */
  readonly canonical: string;
  /**
   * A quick look at the hash that the queue index holds: false = surely not wanted.
   * @param tagHash `javaStringHash` of the tag, 0 when there is none
   */
  mayMatch(tagHash: number): boolean;
  /** The exact answer. @param tag undefined when the message has none */
  matchesTag(tag: string | undefined): boolean;
}

const ACCEPTS_ALL: TagExpression = Object.freeze({
  acceptsAll: true,
  canonical: ALL,
  mayMatch: () => true,
  matchesTag: () => true,
});

/**
 * Reads a tag expression.
 * @throws MqError ILLEGAL_FILTER_EXPRESSION when it is too long, holds control characters, or names no tag at all
 */
export function compileTagExpression(text: string): TagExpression {
  checkForm(text);
  const whole = text.trim();
  if (whole === '' || whole === ALL) return ACCEPTS_ALL;
  const tags = new Set<string>();
  for (const part of whole.split(SEPARATOR)) {
    const tag = part.trim();
    if (tag !== '') tags.add(tag);
  }
  if (tags.size === 0)
    throw refusal('a tag expression is *, or tags with || between them', text, 'name a tag, or use *');
  if (tags.size > TAG_COUNT_MAX) {
    throw refusal(`a tag expression has at most ${TAG_COUNT_MAX} tags`, text, `it has ${tags.size}, use *`);
  }
  const hashes = new Set(Array.from(tags, javaStringHash));
  return {
    acceptsAll: false,
    canonical: [...tags].sort().join(` ${SEPARATOR} `),
    mayMatch: (tagHash) => hashes.has(tagHash),
    matchesTag: (tag) => tag !== undefined && tags.has(tag),
  };
}

function checkForm(text: string): void {
  if (text.length > TAG_EXPRESSION_LENGTH_MAX) {
    const wanted = `a tag expression has at most ${TAG_EXPRESSION_LENGTH_MAX} characters`;
    throw refusal(wanted, text, `it has ${text.length}, use * or fewer tags`);
  }
  if (CONTROL.test(text.trim())) {
    throw refusal('a tag expression holds no control characters', text, 'leave them out; no tag has any');
  }
}

function refusal(wanted: string, found: string, remedy: string): MqError {
  return new MqError('ILLEGAL_FILTER_EXPRESSION', `${wanted}; found ${quoted(found)}; ${remedy}`);
}
