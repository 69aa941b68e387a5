import { refusal } from './refusal.ts';

/** What a token is. */
export type TokenKind = 'keyword' | 'name' | 'text' | 'integer' | 'decimal' | 'symbol' | 'end';

/** A word of an expression. */
export interface Token {
  readonly kind: TokenKind;
  /** Keywords in capitals, texts without their quotes, integers without an L; otherwise as it stands. */
  readonly text: string;
  /** Index of its first character. */
  readonly start: number;
  /** Index behind its last character. */
  readonly end: number;
}

const KEYWORDS: ReadonlySet<string> = new Set([
  'NOT',
  'AND',
  'OR',
  'BETWEEN',
  'IN',
  'TRUE',
  'FALSE',
  'NULL',
  'IS',
  'CONTAINS',
  'STARTSWITH',
  'ENDSWITH',
]);
const KEYWORD_LENGTH_MAX = 10;

/** Symbols by their first character, the longer first. */
const SYMBOLS: ReadonlyMap<string, readonly string[]> = new Map([
  ['<', ['<>', '<=', '<']],
  ['>', ['>=', '>']],
  ['=', ['=']],
  ['(', ['(']],
  [')', [')']],
  [',', [',']],
  ['+', ['+']],
  ['-', ['-']],
]);

/** What is meant by characters that other languages know. */
const REMEDIES: ReadonlyMap<string, string> = new Map([
  ['!', 'write <> for "not equal"'],
  ['"', "write texts in single quotes: 'text'"],
  ['|', 'write OR'],
  ['&', 'write AND'],
  ['*', 'there is no arithmetic; use TRUE, or a tag expression, to want all messages'],
  ['/', 'there is no arithmetic; comments are /* … */ and -- to the end of the line'],
  ['.', 'names of properties have letters, digits, _ and $ only'],
]);
const REMEDY_OTHERWISE = 'leave it out, or put it into a text: names have letters, digits, _ and $ only';

/**
 * Splits an expression into its words; blanks and comments are left out. The last token is the end.
 * @throws MqError ILLEGAL_FILTER_EXPRESSION where no word begins or one does not end
 */
export function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  let position = skipBlanks(source, 0);
  while (position < source.length) {
    const token = tokenAt(source, position);
    tokens.push(token);
    position = skipBlanks(source, token.end);
  }
  tokens.push({ kind: 'end', text: '', start: source.length, end: source.length });
  return tokens;
}

/** The same text for expressions that differ only in blanks, comments and the case of keywords. */
export function canonicalText(tokens: readonly Token[]): string {
  const words = tokens.map(({ kind, text }) => (kind === 'text' ? `'${text.replaceAll("'", "''")}'` : text));
  return words.join(' ').trimEnd();
}

function tokenAt(source: string, start: number): Token {
  const code = source.charCodeAt(start);
  if (isNameStart(code)) return wordAt(source, start);
  if (isDigit(code) || (code === DOT && isDigit(source.charCodeAt(start + 1)))) return numberAt(source, start);
  if (code === QUOTE) return textAt(source, start);
  const symbol = SYMBOLS.get(source.charAt(start))?.find((each) => source.startsWith(each, start));
  if (symbol !== undefined) return { kind: 'symbol', text: symbol, start, end: start + symbol.length };
  const found = String.fromCodePoint(source.codePointAt(start)!);
  const remedy = REMEDIES.get(found) ?? REMEDY_OTHERWISE;
  throw refusal({ start, wanted: 'a property, a value or an operator', found, remedy });
}

function wordAt(source: string, start: number): Token {
  let end = start + 1;
  while (isNameStart(source.charCodeAt(end)) || isDigit(source.charCodeAt(end))) end++;
  const word = source.slice(start, end);
  const upper = word.length <= KEYWORD_LENGTH_MAX ? word.toUpperCase() : word;
  return KEYWORDS.has(upper) ? { kind: 'keyword', text: upper, start, end } : { kind: 'name', text: word, start, end };
}

/** `5` `5L` are integers; `5.` `5.5` `.5` `5E10` `5.5e-10` are decimals. */
function numberAt(source: string, start: number): Token {
  let end = skipDigits(source, start);
  let kind: TokenKind = 'integer';
  if (source.charCodeAt(end) === DOT) {
    kind = 'decimal';
    end = skipDigits(source, end + 1);
  }
  const exponentEnd = skipExponent(source, end);
  if (exponentEnd > end) {
    kind = 'decimal';
    end = exponentEnd;
  }
  const text = source.slice(start, end);
  if (kind === 'integer') {
    if (text.length > 1 && text.startsWith('0')) {
      const remedy = 'drop the zeros; a number that has them may be written as a text';
      throw refusal({ start, wanted: 'an integer without leading zeros', found: text, remedy });
    }
    const next = source.charAt(end);
    if (next === 'l' || next === 'L') end++;
  }
  return { kind, text, start, end };
}

function textAt(source: string, start: number): Token {
  let end = start + 1;
  for (;;) {
    end = source.indexOf("'", end);
    if (end < 0) {
      const remedy = "end it with ' and write a quote inside of it twice";
      throw refusal({ start, wanted: 'a text with its end', found: source.slice(start), remedy });
    }
    if (source.charCodeAt(end + 1) !== QUOTE) break;
    end += 2;
  }
  return { kind: 'text', text: source.slice(start + 1, end).replaceAll("''", "'"), start, end: end + 1 };
}

/** Where the next word begins. */
function skipBlanks(source: string, from: number): number {
  let position = from;
  for (;;) {
    while (isBlank(source.charCodeAt(position))) position++;
    if (source.startsWith('--', position)) position = lineEnd(source, position);
    else if (source.startsWith('/*', position)) position = commentEnd(source, position);
    else return position;
  }
}

function lineEnd(source: string, start: number): number {
  let position = start;
  while (position < source.length && source.charAt(position) !== '\n' && source.charAt(position) !== '\r') position++;
  return position;
}

function commentEnd(source: string, start: number): number {
  const end = source.indexOf('*/', start + 2);
  if (end >= 0) return end + 2;
  throw refusal({ start, wanted: 'a comment with its end', found: source.slice(start), remedy: 'end it with */' });
}

function skipDigits(source: string, from: number): number {
  let position = from;
  while (isDigit(source.charCodeAt(position))) position++;
  return position;
}

/** Behind the exponent at `from`; `from` when there is none. */
function skipExponent(source: string, from: number): number {
  const letter = source.charAt(from);
  if (letter !== 'e' && letter !== 'E') return from;
  const sign = source.charAt(from + 1);
  const digits = sign === '+' || sign === '-' ? from + 2 : from + 1;
  const end = skipDigits(source, digits);
  return end > digits ? end : from;
}

const QUOTE = 0x27;
const DOT = 0x2e;

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function isNameStart(code: number): boolean {
  const lower = code | 0x20;
  return (lower >= 0x61 && lower <= 0x7a && code < 0x80) || code === 0x5f || code === 0x24;
}

/** Blank, tab, line feed, form feed, carriage return. */
function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09 || code === 0x0a || code === 0x0c || code === 0x0d;
}
