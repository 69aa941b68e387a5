/** Messages for the tests of this library. */
import fc from 'fast-check';
import { type Message, SystemProperties } from './gen/apache/rocketmq/v2/definition.ts';

const NO_SYSTEM_PROPERTIES: SystemProperties = SystemProperties.decode(new Uint8Array());

/** System properties with only these parts set. */
export function systemOf(parts: Partial<SystemProperties>): SystemProperties {
  return { ...NO_SYSTEM_PROPERTIES, ...parts };
}

/** A message with only these parts set. */
export function messageOf(parts: Partial<Message>): Message {
  return { topic: undefined, userProperties: new Map(), systemProperties: undefined, body: Buffer.alloc(0), ...parts };
}

// plain prototypes, as decoders make them
const record = <T>(parts: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(parts, { noNullPrototype: true }) as fc.Arbitrary<T>;
const text = fc.string({ unit: 'grapheme', maxLength: 20 });
/** Where an empty text counts as none. */
const someText = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined });
const time = record({
  seconds: fc.bigInt({ min: -1_000_000_000n, max: 253_402_300_799n }),
  nanos: fc.integer({ min: 0, max: 999_999_999 }),
});
const name = record({ resourceNamespace: text, name: text });

/** System properties of every shape, those that only a server sets included. */
const systemArbitrary: fc.Arbitrary<SystemProperties> = record({
  tag: maybe(someText),
  keys: fc.array(someText, { maxLength: 3 }),
  messageId: text,
  bodyDigest: maybe(record({ type: fc.constantFrom(0, 1, 2, 3), checksum: text })),
  bodyEncoding: fc.constantFrom(0, 1, 2),
  messageType: fc.constantFrom(0, 1, 2, 3, 4, 5, 6),
  bornTimestamp: maybe(time),
  bornHost: text,
  storeTimestamp: maybe(time),
  storeHost: text,
  deliveryTimestamp: maybe(time),
  receiptHandle: maybe(text),
  queueId: fc.nat(),
  queueOffset: maybe(fc.bigInt({ min: 0n, max: 2n ** 62n })),
  invisibleDuration: maybe(time),
  deliveryAttempt: maybe(fc.nat()),
  messageGroup: maybe(someText),
  traceContext: maybe(text),
  orphanedTransactionRecoveryDuration: maybe(time),
  deadLetterQueue: maybe(record({ topic: text, messageId: text })),
  liteTopic: maybe(text),
  priority: maybe(fc.integer()),
});

/** Messages of every shape. */
export const messageArbitrary: fc.Arbitrary<Message> = record({
  topic: maybe(name),
  userProperties: fc.array(fc.tuple(text, text), { maxLength: 4 }).map((pairs) => new Map(pairs)),
  systemProperties: maybe(systemArbitrary),
  body: fc.uint8Array({ maxLength: 200 }),
});
