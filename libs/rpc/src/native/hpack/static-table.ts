import { HeaderField } from './header-field.ts';

/** The static table (RFC 7541, appendix A), in its order. */
const FIELDS: readonly (readonly [name: string, value?: string])[] = [
  [':authority'],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  [':status', '200'],
  [':status', '204'],
  [':status', '206'],
  [':status', '304'],
  [':status', '400'],
  [':status', '404'],
  [':status', '500'],
  ['accept-charset'],
  ['accept-encoding', 'gzip, deflate'],
  ['accept-language'],
  ['accept-ranges'],
  ['accept'],
  ['access-control-allow-origin'],
  ['age'],
  ['allow'],
  ['authorization'],
  ['cache-control'],
  ['content-disposition'],
  ['content-encoding'],
  ['content-language'],
  ['content-length'],
  ['content-location'],
  ['content-range'],
  ['content-type'],
  ['cookie'],
  ['date'],
  ['etag'],
  ['expect'],
  ['expires'],
  ['from'],
  ['host'],
  ['if-match'],
  ['if-modified-since'],
  ['if-none-match'],
  ['if-range'],
  ['if-unmodified-since'],
  ['last-modified'],
  ['link'],
  ['location'],
  ['max-forwards'],
  ['proxy-authenticate'],
  ['proxy-authorization'],
  ['range'],
  ['referer'],
  ['refresh'],
  ['retry-after'],
  ['server'],
  ['set-cookie'],
  ['strict-transport-security'],
  ['transfer-encoding'],
  ['user-agent'],
  ['vary'],
  ['via'],
  ['www-authenticate'],
];

/** The fields of the static table. Index 1 of HPACK is at position 0. */
export const STATIC_TABLE: readonly HeaderField[] = FIELDS.map(([name, value]) => new HeaderField(name, value ?? ''));

/** First index of each name, and index of each name and value. */
const INDEX_BY_NAME = new Map<string, number>();
const INDEX_BY_FIELD = new Map<string, number>();
for (const [position, { name, value }] of STATIC_TABLE.entries()) {
  if (!INDEX_BY_NAME.has(name)) INDEX_BY_NAME.set(name, position + 1);
  if (value !== '') INDEX_BY_FIELD.set(`${name}\n${value}`, position + 1);
}

/** Index of a field with this name; undefined when there is none. */
export function staticIndexOfName(name: string): number | undefined {
  return INDEX_BY_NAME.get(name);
}

/** Index of this very field; undefined when it is not in the table. */
export function staticIndexOf(name: string, value: string): number | undefined {
  return INDEX_BY_FIELD.get(`${name}\n${value}`);
}
