import type { HeaderField } from './hpack/header-field.ts';

/** What a field of a request means; the order is that of `PSEUDO_ROLES` first. */
const ROLE = {
  UNKNOWN: 0,
  METHOD: 1,
  SCHEME: 2,
  PATH: 3,
  AUTHORITY: 4,
  CONTENT_TYPE: 5,
  CONTENT_LENGTH: 6,
  TIMEOUT: 7,
  ENCODING: 8,
  /** Belongs to the transport and is not shown to handlers. */
  HIDDEN: 9,
  METADATA: 10,
  MALFORMED: 11,
} as const;

const PSEUDO_ROLE_LAST = ROLE.AUTHORITY;
const REQUIRED_ROLES = (1 << ROLE.METHOD) | (1 << ROLE.SCHEME) | (1 << ROLE.PATH);

const ROLES: ReadonlyMap<string, number> = new Map([
  [':method', ROLE.METHOD],
  [':scheme', ROLE.SCHEME],
  [':path', ROLE.PATH],
  [':authority', ROLE.AUTHORITY],
  ['content-type', ROLE.CONTENT_TYPE],
  ['content-length', ROLE.CONTENT_LENGTH],
  ['grpc-timeout', ROLE.TIMEOUT],
  ['grpc-encoding', ROLE.ENCODING],
  ['grpc-accept-encoding', ROLE.HIDDEN],
  ['accept-encoding', ROLE.HIDDEN],
  ['te', ROLE.HIDDEN],
  // These speak of a connection, of which HTTP/2 has another idea (RFC 9113, 8.2.2).
  ['connection', ROLE.MALFORMED],
  ['proxy-connection', ROLE.MALFORMED],
  ['keep-alive', ROLE.MALFORMED],
  ['transfer-encoding', ROLE.MALFORMED],
  ['upgrade', ROLE.MALFORMED],
]);

const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
/**
 * Characters that would change the meaning of a value where it is passed on (RFC 9113, 8.2.1). Spaces around a value, which it
 * forbids too, are let through: clients send them, a blank client id say, and get a better answer from the handler.
 */
const VALUE_FORBIDDEN = /[\0\r\n]/;
const CONTENT_LENGTH = /^\d{1,15}$/;

function roleOf(field: HeaderField): number {
  if (field.role === ROLE.UNKNOWN) field.role = findRole(field);
  return field.role;
}

function findRole({ name, value }: HeaderField): number {
  const role = ROLES.get(name) ?? (NAME.test(name) ? ROLE.METADATA : ROLE.MALFORMED);
  if (VALUE_FORBIDDEN.test(value)) return ROLE.MALFORMED;
  if (role === ROLE.PATH && value === '') return ROLE.MALFORMED;
  if (name === 'te' && value !== 'trailers') return ROLE.MALFORMED;
  if (role === ROLE.CONTENT_LENGTH && !CONTENT_LENGTH.test(value)) return ROLE.MALFORMED;
  return role;
}

/** The header list of a request, as far as the transport looks at it. */
export class RequestHead {
  method = '';
  path = '';
  contentType = '';
  /** -1 = not said. */
  contentLength = -1;
  timeout: string | undefined;
  encoding = 'identity';
  readonly fields: readonly HeaderField[];

  constructor(fields: readonly HeaderField[]) {
    this.fields = fields;
  }
}

/** @returns undefined when the list is malformed (RFC 9113, 8.1.1), which is a stream error */
export function requestHeadOf(fields: readonly HeaderField[]): RequestHead | undefined {
  const head = new RequestHead(fields);
  let seen = 0;
  let isRegular = false;
  for (const field of fields) {
    const role = roleOf(field);
    if (role <= PSEUDO_ROLE_LAST) {
      if (isRegular || seen & (1 << role)) return undefined;
      seen |= 1 << role;
    } else {
      isRegular = true;
    }
    if (role === ROLE.MALFORMED) return undefined;
    if (role < ROLE.HIDDEN) take(head, role, field.value);
  }
  return (seen & REQUIRED_ROLES) === REQUIRED_ROLES ? head : undefined;
}

function take(head: RequestHead, role: number, value: string): void {
  switch (role) {
    case ROLE.METHOD:
      head.method = value;
      return;
    case ROLE.PATH:
      head.path = value;
      return;
    case ROLE.CONTENT_TYPE:
      head.contentType = value;
      return;
    case ROLE.CONTENT_LENGTH:
      head.contentLength = Number(value);
      return;
    case ROLE.TIMEOUT:
      head.timeout = value;
      return;
    case ROLE.ENCODING:
      head.encoding = value;
  }
}

/** Whether a list may end a request: no pseudo fields, nothing malformed. */
export function areTrailers(fields: readonly HeaderField[]): boolean {
  return fields.every((field) => {
    const role = roleOf(field);
    return role > PSEUDO_ROLE_LAST && role !== ROLE.MALFORMED;
  });
}

/** Whether handlers are shown this field as metadata. */
export function isMetadata(field: HeaderField): boolean {
  return roleOf(field) === ROLE.METADATA;
}

const TIMEOUT_DIGITS_MAX = 8;
const ZERO = 0x30;
/** Milliseconds of a unit, by the code of its letter. */
const UNIT_MS: ReadonlyMap<number, number> = new Map(
  Object.entries({ H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 }).map(([letter, ms]) => [
    letter.charCodeAt(0),
    ms,
  ]),
);

/** Milliseconds of a `grpc-timeout`; undefined when it is not one. By hand, as each call has another. */
export function timeoutMsOf(text: string): number | undefined {
  const digitCount = text.length - 1;
  const unitMs = UNIT_MS.get(text.charCodeAt(digitCount));
  if (unitMs === undefined || digitCount === 0 || digitCount > TIMEOUT_DIGITS_MAX) return undefined;
  let count = 0;
  for (let at = 0; at < digitCount; at++) {
    const digit = text.charCodeAt(at) - ZERO;
    if (digit < 0 || digit > 9) return undefined;
    count = 10 * count + digit;
  }
  return count * unitMs;
}
