import { javaStringHash } from '@orbitmq/base';
import { compileSqlExpression, compileTagExpression } from '@orbitmq/filter';
import { PropertyReader, readTag } from '@orbitmq/protocol';
import type { MessageBytes, MessageFilter } from '@orbitmq/shard';

export type MessageKind = 'normal' | 'timed' | 'half';

/** A message, as a producer means it. */
export interface MessageSpec {
  readonly id: number;
  readonly topic: string;
  readonly kind: MessageKind;
  readonly tag: string;
  /** A user property that SQL expressions ask for. */
  readonly level: number;
  readonly messageGroup: string | undefined;
  /** Queue id of a priority message. */
  readonly priority: number | undefined;
  readonly deliveryMs: number | undefined;
  readonly sizeBytes: number;
}

/** What a group subscribes to, and what that means by a judge who knows nothing of expressions. */
export interface FilterSpec {
  readonly type: 'TAG' | 'SQL';
  readonly expression: string;
  wants(message: MessageSpec): boolean;
}

export const TAGS = ['red', 'green', 'blue'];
export const LEVELS = 10;

export const FILTERS: readonly FilterSpec[] = [
  { type: 'TAG', expression: 'red || blue', wants: ({ tag }) => tag !== 'green' },
  { type: 'SQL', expression: "level > 6 OR TAGS = 'green'", wants: ({ tag, level }) => level > 6 || tag === 'green' },
  {
    type: 'SQL',
    expression: "NOT (level BETWEEN 2 AND 5) AND TAGS IN ('red', 'green') AND missing IS NULL",
    wants: ({ tag, level }) => (level < 2 || level > 5) && tag !== 'blue',
  },
];

const FIELD = { tag: 1, keys: 2, messageId: 3, messageGroup: 17, userProperties: 2, body: 4 } as const;
/** The body comes first, its length in two bytes, so that it is found without reading the rest. */
const BODY_START = 3;

/** Bytes of a message on the wire. */
export function encodeMessage(spec: MessageSpec): MessageBytes {
  const { id, tag, messageGroup, level, sizeBytes } = spec;
  const system = [
    field(FIELD.tag, tag),
    field(FIELD.keys, `key-${id % 7}`),
    field(FIELD.messageId, messageIdOf(id)),
    ...(messageGroup === undefined ? [] : [field(FIELD.messageGroup, messageGroup)]),
  ];
  const body = Buffer.alloc(BODY_START + 4 + sizeBytes, id & 0xff);
  body[0] = (FIELD.body << 3) | 2;
  body[1] = ((4 + sizeBytes) & 0x7f) | 0x80;
  body[2] = (4 + sizeBytes) >>> 7;
  body.writeUInt32LE(id, BODY_START);
  const property = Buffer.concat([field(1, 'level'), field(2, String(level))]);
  return { system: Buffer.concat(system), rest: Buffer.concat([body, field(FIELD.userProperties, property)]) };
}

/** The id in a message's body, and whether the body is as it was sent. */
export function readBody({ rest }: MessageBytes): { readonly id: number; readonly isIntact: boolean } {
  const id = Buffer.from(rest.buffer, rest.byteOffset, rest.length).readUInt32LE(BODY_START);
  const end = BODY_START + ((rest[1]! & 0x7f) | (rest[2]! << 7));
  let isIntact = rest.length >= end;
  for (let at = BODY_START + 4; at < end && isIntact; at++) isIntact = rest[at] === (id & 0xff);
  return { id, isIntact };
}

export function messageIdOf(id: number): string {
  return `message-${id}`;
}

/** The number in a message id of ours; −1 for any other text. */
export function idOfMessageId(messageId: string): number {
  return messageId.startsWith('message-') ? Number(messageId.slice('message-'.length)) : -1;
}

export function tagHashOf({ tag }: MessageSpec): number {
  return javaStringHash(tag);
}

const compiled = new Map<FilterSpec, MessageFilter>();

/** The filter as the messaging service would make it. */
export function filterOf(spec: FilterSpec): MessageFilter {
  let filter = compiled.get(spec);
  if (filter === undefined) {
    filter = spec.type === 'TAG' ? tagFilter(spec.expression) : sqlFilter(spec.expression);
    compiled.set(spec, filter);
  }
  return filter;
}

function tagFilter(expression: string): MessageFilter {
  const tags = compileTagExpression(expression);
  return {
    mayMatch: (tagHash) => tags.mayMatch(tagHash),
    matches: ({ system }) => tags.matchesTag(readTag(system)),
  };
}

function sqlFilter(expression: string): MessageFilter {
  const sql = compileSqlExpression(expression);
  const reader = new PropertyReader(sql.propertyNames);
  return {
    mayMatch: (tagHash) => sql.mayMatch(tagHash),
    matches: (message) => {
      reader.open(message);
      const isWanted = sql.matches(reader.get);
      reader.close();
      return isWanted;
    },
  };
}

function field(number: number, text: string | Buffer): Buffer {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  const key = (number << 3) | 2;
  const head = key < 0x80 ? [key, bytes.length] : [(key & 0x7f) | 0x80, key >>> 7, bytes.length];
  return Buffer.concat([Buffer.from(head), bytes]);
}
