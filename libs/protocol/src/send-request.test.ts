import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';
import { MqError } from '@orbitmq/base';
import fc from 'fast-check';
import { Message, Resource, SystemProperties } from './gen/apache/rocketmq/v2/definition.ts';
import { SendMessageRequest } from './gen/apache/rocketmq/v2/service.ts';
import type { IncomingMessage } from './incoming-message.ts';
import { DEFAULT_MESSAGE_LIMITS } from './limits.ts';
import { checkMessage, checkSameTopic } from './message-check.ts';
import { RESERVED_PROPERTY_NAMES } from './reserved-properties.ts';
import { decodeSendMessageRequest } from './send-request.ts';
import { messageArbitrary, messageOf, systemOf } from './test-messages.ts';
import { WireError } from './wire/wire-error.ts';

const requestOf = (...messages: Message[]): Uint8Array => SendMessageRequest.encode({ messages }).finish();
const decodeOne = (message: Message): IncomingMessage => decodeSendMessageRequest(requestOf(message))[0]!;
const timestampMs = (time: { seconds: bigint; nanos: number } | undefined): number | undefined =>
  time && Number(time.seconds) * 1000 + Math.floor(time.nanos / 1e6);

/** As it is stored: an empty tag, key or message group is none. */
function withoutNone(system: SystemProperties): SystemProperties {
  const { tag, keys, messageGroup } = system;
  return { ...system, tag: tag || undefined, keys: keys.filter(Boolean), messageGroup: messageGroup || undefined };
}

/** A field of bytes. */
function field(fieldNumber: number, content: Uint8Array): Buffer {
  return Buffer.from(new BinaryWriter().tag(fieldNumber, 2).bytes(content).finish());
}

/** The topic of a message; where it comes twice, both merged, as protobuf says and the generated decoder does not. */
function mergedTopic(message: Uint8Array): Resource {
  const reader = new BinaryReader(message);
  const topics: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const [fieldNumber, wireType] = reader.tag();
    if (fieldNumber === 1 && wireType === 2) topics.push(reader.bytes());
    else reader.skip(wireType, fieldNumber);
  }
  return Resource.decode(Buffer.concat(topics));
}

test('gives what the generated decoder gives', () => {
  fc.assert(
    fc.property(fc.array(messageArbitrary, { maxLength: 3 }), (messages) => {
      const decoded = decodeSendMessageRequest(requestOf(...messages));
      assert.equal(decoded.length, messages.length);
      for (const [index, message] of messages.entries()) {
        const seen = decoded[index]!;
        const system = withoutNone(message.systemProperties ?? systemOf({}));
        assert.equal(seen.topicName, message.topic?.name ?? '');
        assert.equal(seen.topicNamespace, message.topic?.resourceNamespace ?? '');
        assert.deepEqual(Buffer.from(seen.body), Buffer.from(message.body));
        assert.equal(seen.userPropertyCount, message.userProperties.size);
        const propertyBytes = [...message.userProperties].flat().map((text) => Buffer.byteLength(text));
        assert.equal(
          seen.userPropertyBytes,
          propertyBytes.reduce((sum, size) => sum + size, 0),
        );
        assert.equal(seen.tag, system.tag);
        assert.equal(seen.tagBytes, Buffer.byteLength(system.tag ?? ''));
        assert.equal(seen.keyCount, system.keys.length);
        assert.equal(seen.keyBytes, Buffer.byteLength(system.keys.join('')));
        assert.equal(seen.messageId, system.messageId);
        assert.equal(seen.bodyEncoding, system.bodyEncoding);
        assert.equal(seen.messageType, system.messageType);
        assert.equal(seen.bornTimestampMs, timestampMs(system.bornTimestamp));
        assert.equal(seen.bornHost, system.bornHost);
        assert.equal(seen.deliveryTimestampMs, timestampMs(system.deliveryTimestamp));
        assert.equal(seen.messageGroup, system.messageGroup);
        assert.equal(seen.messageGroupBytes, Buffer.byteLength(system.messageGroup ?? ''));
        assert.equal(seen.recoveryDurationMs, timestampMs(system.orphanedTransactionRecoveryDuration));
        assert.equal(seen.liteTopic, system.liteTopic);
        assert.equal(seen.priority, system.priority);

        assert.deepEqual(Message.decode(Uint8Array.from(seen.rest)), { ...message, systemProperties: undefined });
        assert.deepEqual(SystemProperties.decode(seen.system), {
          ...system,
          bodyDigest: undefined,
          storeTimestamp: undefined,
          storeHost: '',
          receiptHandle: undefined,
          queueId: 0,
          queueOffset: undefined,
          invisibleDuration: undefined,
          deliveryAttempt: undefined,
          deadLetterQueue: undefined,
        });
      }
    }),
    { numRuns: 300 },
  );
});

test('leaves bytes where they are when nothing lies between', () => {
  const message = messageOf({ body: Buffer.from('body'), systemProperties: undefined });
  const bytes = Buffer.concat([
    field(
      1,
      Buffer.concat([
        Message.encode(message).finish(),
        field(3, SystemProperties.encode(systemOf({ tag: 'a', messageId: 'b' })).finish()),
      ]),
    ),
  ]);
  const seen = decodeSendMessageRequest(bytes)[0]!;
  assert.equal(seen.rest.buffer, bytes.buffer);
  assert.equal(seen.system.buffer, bytes.buffer);
  assert.equal(seen.body.buffer, bytes.buffer);
});

test('merges what comes twice, and keeps what it does not know', () => {
  const unknown = field(100, Buffer.from('new'));
  const system = (parts: Partial<SystemProperties>): Buffer =>
    field(3, Buffer.concat([SystemProperties.encode(systemOf(parts)).finish(), field(90, Buffer.from('new, too'))]));
  const topic = (parts: Partial<Resource>): Buffer =>
    field(1, Resource.encode({ resourceNamespace: '', name: '', ...parts }).finish());
  const bytes = field(
    1,
    Buffer.concat([
      topic({ name: 'first', resourceNamespace: 'ns' }),
      system({ tag: 'first', keys: ['a'], bornTimestamp: { seconds: 5n, nanos: 7_000_000 }, queueOffset: 5n }),
      unknown,
      field(4, Buffer.from('first body')),
      system({ tag: 'second', keys: ['b'], bornTimestamp: { seconds: 6n, nanos: 0 }, receiptHandle: 'stolen' }),
      topic({ name: 'second' }),
      field(4, Buffer.from('second body')),
    ]),
  );
  const seen = decodeSendMessageRequest(bytes)[0]!;
  assert.deepEqual([seen.topicName, seen.topicNamespace], ['second', 'ns']);
  assert.deepEqual([seen.tag, seen.keyCount, seen.bornTimestampMs], ['second', 2, 6007]);
  assert.equal(Buffer.from(seen.body).toString(), 'second body');
  assert.ok(Buffer.from(seen.rest).includes(unknown));
  const stored = SystemProperties.decode(seen.system);
  assert.deepEqual(stored.keys, ['a', 'b']);
  assert.deepEqual([stored.tag, stored.receiptHandle, stored.queueOffset], ['second', undefined, undefined]);
  assert.equal(Buffer.from(seen.system).toString('latin1').split('new, too').length, 3);
});

test('names the first user property that is refused', () => {
  const offending = (...pairs: [string, string][]): string | undefined =>
    decodeOne(messageOf({ userProperties: new Map(pairs) })).offendingPropertyKey;
  assert.equal(offending(['color', 'red'], ['size', 'größer']), undefined);
  for (const name of RESERVED_PROPERTY_NAMES) {
    assert.equal(offending(['a', 'b'], [name, 'x']), name);
    assert.equal(
      offending([`${name}x`, 'x'], [name.toLowerCase() === name ? 'y' : name.toLowerCase(), 'x']),
      undefined,
    );
  }
  assert.equal(offending(['a', 'line\nbreak'], ['KEYS', '']), 'a');
  assert.equal(offending(['tab\t', '']), 'tab\t');
  assert.equal(offending(['a', 'next line \u0085']), 'a');
  assert.equal(offending(['a', 'delete \u007f']), 'a');
  assert.equal(offending(['a', 'no-break space \u00a0']), undefined);
});

test('names of JavaScript objects are names like others', () => {
  for (const name of ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty']) {
    const message = messageOf({ userProperties: new Map([[name, name]]) });
    const seen = decodeOne(message);
    assert.equal(seen.offendingPropertyKey, undefined);
    assert.equal(seen.userPropertyBytes, 2 * name.length);
    assert.deepEqual(Message.decode(seen.rest).userProperties, new Map([[name, name]]));
  }
});

test('names the first key that is refused', () => {
  const offending = (...keys: string[]): string | undefined =>
    decodeOne(messageOf({ systemProperties: systemOf({ keys }) })).offendingKey;
  assert.equal(offending('a', 'schlüssel', '鍵'), undefined);
  assert.equal(offending('a', ' ', '\t'), ' ');
  assert.equal(offending('a', 'b\u0000'), 'b\u0000');
  assert.equal(offending('\u3000'), '\u3000');
});

test('an empty tag, key or message group is none', () => {
  const system = systemOf({ tag: '', keys: ['', 'a', ''], messageGroup: '', messageId: 'id' });
  const seen = decodeOne(messageOf({ systemProperties: system }));
  assert.equal(seen.tag, undefined);
  assert.equal(seen.messageGroup, undefined);
  assert.equal(seen.keyCount, 1);
  assert.deepEqual(SystemProperties.decode(seen.system), systemOf({ keys: ['a'], messageId: 'id' }));
});

test('a request that was refused leaves nothing behind', () => {
  const system = systemOf({ messageId: 'id' });
  const good = messageOf({
    topic: { name: 'a', resourceNamespace: '' },
    body: Buffer.from('body'),
    systemProperties: system,
  });
  const whole = requestOf(good, good);
  for (let size = 1; size < whole.length; size++) {
    try {
      decodeSendMessageRequest(whole.subarray(0, size));
    } catch (error) {
      assert.ok(error instanceof WireError);
    }
    const [first, second, ...others] = decodeSendMessageRequest(whole);
    assert.deepEqual([first!.topicName, first!.messageId, first!.rest, others], ['a', 'id', second!.rest, []]);
    const rest = Message.encode({ ...good, systemProperties: undefined }).finish();
    assert.deepEqual(Buffer.from(first!.rest), Buffer.from(rest));
  }
});

test('texts that are not UTF-8 are refused', () => {
  const bad = Buffer.from([0x61, 0xff]);
  const inSystem = (fieldNumber: number): Buffer => field(3, field(fieldNumber, bad));
  const parts: Buffer[] = [
    field(1, field(1, bad)),
    field(1, field(2, bad)),
    field(2, field(1, bad)),
    field(2, field(2, bad)),
    ...[1, 2, 3, 8, 17, 18, 21].map(inSystem),
  ];
  for (const part of parts) assert.throws(() => decodeSendMessageRequest(field(1, part)), WireError);
});

test('every cut is an error or a request, never anything else', () => {
  fc.assert(
    fc.property(messageArbitrary, messageArbitrary, (first, second) => {
      const whole = requestOf(first, second);
      const firstEnd = requestOf(first).length;
      for (let length = 0; length < whole.length; length++) {
        const cut = whole.subarray(0, length);
        if (length === 0 || length === firstEnd)
          assert.equal(decodeSendMessageRequest(cut).length, length === 0 ? 0 : 1);
        else assert.throws(() => decodeSendMessageRequest(cut), WireError);
      }
    }),
    { numRuns: 20 },
  );
});

test('what is taken from altered bytes can be decoded; all else is an error', () => {
  fc.assert(
    fc.property(messageArbitrary, fc.nat(), fc.integer({ min: 0, max: 255 }), (message, where, byte) => {
      const bytes = Uint8Array.from(requestOf(message));
      bytes[where % bytes.length] = byte;
      let decoded: IncomingMessage[];
      try {
        decoded = decodeSendMessageRequest(bytes);
      } catch (error) {
        if (error instanceof WireError) return;
        throw error;
      }
      for (const seen of decoded) {
        assert.equal(mergedTopic(seen.rest).name, seen.topicName);
        assert.equal(Message.decode(seen.rest).body.length, seen.body.length);
        assert.equal(SystemProperties.decode(seen.system).tag, seen.tag);
      }
    }),
    { numRuns: 1000, endOnFailure: true },
  );
});

test('a request of countless empty messages costs nothing', () => {
  const empty = (count: number): Buffer => Buffer.alloc(2 * count, Buffer.from([0x0a, 0x00]));
  assert.equal(decodeSendMessageRequest(empty(4096)).length, 4096);
  assert.throws(() => decodeSendMessageRequest(empty(10_000_000)), WireError);
});

test('messages are checked with the documented codes', () => {
  const nowMs = 1_800_000_000_000;
  const codeOf = (message: Partial<Message>, system: Partial<SystemProperties> = {}): string => {
    const seen = decodeOne(
      messageOf({ body: Buffer.from('x'), systemProperties: systemOf({ messageId: 'id', ...system }), ...message }),
    );
    try {
      checkMessage(seen, DEFAULT_MESSAGE_LIMITS, nowMs);
      return 'OK';
    } catch (error) {
      if (error instanceof MqError) return error.code;
      throw error;
    }
  };
  const at = (ms: number): { seconds: bigint; nanos: number } => ({
    seconds: BigInt(Math.floor(ms / 1000)),
    nanos: (((ms % 1000) + 1000) % 1000) * 1e6,
  });
  const table: [string, Partial<Message>, Partial<SystemProperties>?][] = [
    ['OK', {}],
    ['OK', { body: Buffer.alloc(4 * 1024 * 1024) }],
    ['MESSAGE_BODY_TOO_LARGE', { body: Buffer.alloc(4 * 1024 * 1024 + 1) }],
    ['MESSAGE_BODY_EMPTY', { body: Buffer.alloc(0) }],
    ['OK', { userProperties: new Map(Array.from({ length: 128 }, (_, index) => [`k${index}`, ''])) }],
    ['MESSAGE_PROPERTIES_TOO_LARGE', { userProperties: new Map(Array.from({ length: 129 }, (_, n) => [`k${n}`, ''])) }],
    ['OK', { userProperties: new Map([['k', 'v'.repeat(16 * 1024 - 1)]]) }],
    ['MESSAGE_PROPERTIES_TOO_LARGE', { userProperties: new Map([['k', 'v'.repeat(16 * 1024)]]) }],
    [
      'MESSAGE_PROPERTIES_TOO_LARGE',
      { userProperties: new Map([['k', 'v'.repeat(16 * 1024 - 2)]]) },
      { tag: 't', keys: ['k'] },
    ],
    ['ILLEGAL_MESSAGE_PROPERTY_KEY', { userProperties: new Map([['UNIQ_KEY', '1']]) }],
    ['ILLEGAL_MESSAGE_ID', {}, { messageId: ' ' }],
    ['ILLEGAL_MESSAGE_ID', {}, { messageId: '' }],
    ['ILLEGAL_MESSAGE_ID', {}, { messageId: '\t\u3000\n' }],
    ['OK', {}, { messageId: '\u0001' }],
    ['OK', {}, { messageId: 'ü' }],
    ['OK', {}, { tag: '', keys: [''], messageGroup: '' }],
    ['ILLEGAL_MESSAGE_TAG', {}, { tag: ' ' }],
    ['ILLEGAL_MESSAGE_TAG', {}, { tag: 'a|b' }],
    ['ILLEGAL_MESSAGE_TAG', {}, { tag: 'a\u0000' }],
    ['ILLEGAL_MESSAGE_KEY', {}, { keys: ['a', ' '] }],
    ['OK', {}, { liteTopic: '' }],
    ['OK', {}, { liteTopic: 'x'.repeat(64) }],
    ['ILLEGAL_LITE_TOPIC', {}, { liteTopic: 'x'.repeat(65) }],
    ['ILLEGAL_LITE_TOPIC', {}, { liteTopic: 'a.b' }],
    ['ILLEGAL_LITE_TOPIC', {}, { liteTopic: ' ', messageGroup: 'g' }],
    ['ILLEGAL_MESSAGE_GROUP', {}, { messageGroup: ' ' }],
    ['OK', {}, { messageGroup: 'g'.repeat(63) }],
    ['ILLEGAL_MESSAGE_GROUP', {}, { messageGroup: 'g'.repeat(64) }],
    ['ILLEGAL_MESSAGE_GROUP', {}, { messageGroup: 'ü'.repeat(32) }],
    ['OK', {}, { deliveryTimestamp: at(nowMs + 24 * 3600_000) }],
    ['OK', {}, { deliveryTimestamp: at(1) }],
    ['OK', {}, { deliveryTimestamp: at(nowMs + 100 * 365 * 24 * 3600_000) }],
    ['ILLEGAL_DELIVERY_TIME', {}, { deliveryTimestamp: { seconds: 10n ** 18n, nanos: 0 } }],
    ['ILLEGAL_DELIVERY_TIME', {}, { deliveryTimestamp: { seconds: -(10n ** 18n), nanos: 0 } }],
    ['ILLEGAL_DELIVERY_TIME', {}, { deliveryTimestamp: { seconds: 1n, nanos: -1 } }],
    ['BAD_REQUEST', {}, { bornTimestamp: { seconds: 1n, nanos: 1_000_000_000 } }],
    ['OK', {}, { orphanedTransactionRecoveryDuration: { seconds: 3600n, nanos: 0 } }],
    ['BAD_REQUEST', {}, { orphanedTransactionRecoveryDuration: { seconds: 3600n, nanos: 1_000_000 } }],
    ['BAD_REQUEST', {}, { priority: -1 }],
  ];
  for (const [code, message, system] of table)
    assert.equal(codeOf(message, system), code, `${code} ${inspect(system)}`);
});

test('a send holds messages of one topic', () => {
  const topic = (name: string, resourceNamespace = ''): Message => messageOf({ topic: { name, resourceNamespace } });
  const check = (...messages: Message[]): void => checkSameTopic(decodeSendMessageRequest(requestOf(...messages)));
  check(topic('a'), topic('a'));
  check(topic('a', 'tenant'), topic('a', 'other'), topic('a'));
  for (const messages of [[], [topic('a'), topic('b')], [topic('a', 'tenant'), topic('b', 'tenant')]]) {
    assert.throws(
      () => check(...messages),
      (error: unknown) => error instanceof MqError && error.code === 'MESSAGE_CORRUPTED',
    );
  }
});
