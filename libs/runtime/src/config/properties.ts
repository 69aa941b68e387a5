/** One `key=value` of a properties file. */
export interface Property {
  readonly key: string;
  readonly value: string;
  /** Line on which the key stands, from 1. */
  readonly line: number;
}

const WHITESPACE = /[ \t\f]/;
const CONTROL: ReadonlyMap<string, string> = new Map([
  ['t', '\t'],
  ['n', '\n'],
  ['r', '\r'],
  ['f', '\f'],
]);

/**
 * Reads the text of a Java properties file, as `java.util.Properties.load` does: `#` and `!` comments, `=`, `:` or
 * white space between key and value, lines continued by a backslash, and the escapes `\t \n \r \f \\ \uXXXX`.
 * Duplicates are kept in order, so that the caller can name them.
 * @throws Error naming the line of a malformed `\u` escape
 */
export function parseProperties(text: string): Property[] {
  const properties: Property[] = [];
  for (const { content, line } of logicalLines(text)) {
    const end = keyEnd(content);
    let value = end;
    while (value < content.length && WHITESPACE.test(content[value]!)) value++;
    if (content[value] === '=' || content[value] === ':') value++;
    while (value < content.length && WHITESPACE.test(content[value]!)) value++;
    properties.push({
      key: unescaped(content.slice(0, end), line),
      value: unescaped(content.slice(value), line),
      line,
    });
  }
  return properties;
}

/** Lines that say something, with their continuations joined and their indentation gone. */
function logicalLines(text: string): { content: string; line: number }[] {
  const found: { content: string; line: number }[] = [];
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/);
  for (let index = 0; index < lines.length; index++) {
    const line = index + 1;
    let content = lines[index]!.replace(/^[ \t\f]+/, '');
    if (content === '' || content.startsWith('#') || content.startsWith('!')) continue;
    while (endsWithOddBackslashes(content)) {
      content = content.slice(0, -1);
      index++;
      if (index >= lines.length) break;
      content += lines[index]!.replace(/^[ \t\f]+/, '');
    }
    found.push({ content, line });
  }
  return found;
}

function endsWithOddBackslashes(content: string): boolean {
  let count = 0;
  while (count < content.length && content[content.length - 1 - count] === '\\') count++;
  return count % 2 === 1;
}

function keyEnd(content: string): number {
  for (let index = 0; index < content.length; index++) {
    const char = content[index]!;
    if (char === '\\') index++;
    else if (char === '=' || char === ':' || WHITESPACE.test(char)) return index;
  }
  return content.length;
}

function unescaped(raw: string, line: number): string {
  let text = '';
  for (let index = 0; index < raw.length; index++) {
    if (raw[index] !== '\\') {
      text += raw[index];
      continue;
    }
    const char = raw[++index] ?? '';
    if (char !== 'u') {
      text += CONTROL.get(char) ?? char;
      continue;
    }
    const digits = raw.slice(index + 1, index + 5);
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) {
      throw new Error(`line ${line}: \\u must be followed by four hexadecimal digits, found ${JSON.stringify(digits)}`);
    }
    text += String.fromCharCode(Number.parseInt(digits, 16));
    index += 4;
  }
  return text;
}
