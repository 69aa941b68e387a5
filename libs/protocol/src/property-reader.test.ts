import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Message, MessageType } from './gen/apache/rocketmq/v2/definition.ts';
import { SendMessageRequest } from './gen/apache/rocketmq/v2/service.ts';
import { PropertyReader } from './property-reader.ts';
import type { StoredMessage } from './received-message.ts';
import { decodeSendMessageRequest } from './send-request.ts';
import { messageArbitrary, messageOf, systemOf } from './test-messages.ts';
import { WireError } from './wire/wire-error.ts';

function stored(message: Message): StoredMessage {
  const [incoming] = decodeSendMessageRequest(SendMessageRequest.encode({ messages: [message] }).finish());
  return { system: incoming!.system, rest: incoming!.rest };
}

function read(message: StoredMessage, name: string): string | undefined {
  const reader = new PropertyReader([name]);
  reader.open(message);
  return reader.get(name);
}

test('user properties are found by their names', () => {
  const longName = 'n'.repeat(40);
  const message = stored(
    messageOf({
      topic: { resourceNamespace: '', name: 'orders' },
      userProperties: new Map([
        ['a', '1'],
        ['ab', 'größe 😀'],
        ['empty', ''],
        ['__proto__', 'p'],
        ['constructor', 'c'],
        [longName, 'long'],
        ['ä', 'no name'],
      ]),
      body: Buffer.from('\u0012\u0003a=x'),
    }),
  );
  const names = ['a', 'ab', 'b', 'empty', '__proto__', 'constructor', 'toString', longName, `${longName}n`, 'TAGS'];
  const reader = new PropertyReader(names);
  reader.open(message);
  const expected = ['1', 'größe 😀', undefined, '', 'p', 'c', undefined, 'long', undefined, undefined];
  for (let round = 0; round < 2; round++) assert.deepEqual(names.map(reader.get), expected);
  assert.equal(reader.get('ä'), undefined, 'a name that was not chosen');
});

test('system properties have the names of RocketMQ', () => {
  const message = stored(
    messageOf({
      systemProperties: systemOf({
        tag: 'TagA',
        keys: ['k1', 'k2'],
        messageId: '01AB',
        messageGroup: 'group-7',
        messageType: MessageType.TRANSACTION,
        deliveryTimestamp: { seconds: 1_800_000_000n, nanos: 123_000_000 },
        bornTimestamp: { seconds: 1_700_000_000n, nanos: 5_000_000 },
        bornHost: 'host-1',
        traceContext: 'trace',
        orphanedTransactionRecoveryDuration: { seconds: 30n, nanos: 999_000_000 },
        liteTopic: 'lite',
        priority: 3,
      }),
    }),
  );
  const expected: Readonly<Record<string, string | undefined>> = {
    TAGS: 'TagA',
    KEYS: 'k1 k2',
    UNIQ_KEY: '01AB',
    __SHARDINGKEY: 'group-7',
    TRAN_MSG: 'true',
    TIMER_DELIVER_MS: '1800000000123',
    BORN_TIMESTAMP: '1700000000005',
    __BORNHOST: 'host-1',
    TRACE_CONTEXT: 'trace',
    CHECK_IMMUNITY_TIME_IN_SECONDS: '30',
    __LITE_TOPIC: 'lite',
    _SYS_MSG_PRIORITY_: '3',
    MSG_REGION: undefined,
  };
  for (const [name, value] of Object.entries(expected)) assert.equal(read(message, name), value, name);
  for (const name of Object.keys(expected)) assert.equal(read(stored(messageOf({})), name), undefined, name);
});

test('the system stands above a user property, and is stood in for by one', () => {
  const userProperties = new Map([['__SHARDINGKEY', 'mine']]);
  const both = messageOf({ userProperties, systemProperties: systemOf({ messageGroup: 'group' }) });
  assert.equal(read(stored(both), '__SHARDINGKEY'), 'group');
  assert.equal(read(stored(messageOf({ userProperties })), '__SHARDINGKEY'), 'mine');
});

test('one reader tells messages apart and lets go of them', () => {
  const of = (value: string, tag: string): StoredMessage =>
    stored(messageOf({ userProperties: new Map([['a', value]]), systemProperties: systemOf({ tag }) }));
  const reader = new PropertyReader(['a', 'TAGS', 'b']);
  assert.equal(reader.get('a'), undefined);
  reader.open(of('1', 'x'));
  assert.deepEqual(['a', 'TAGS', 'b'].map(reader.get), ['1', 'x', undefined]);
  reader.open(stored(messageOf({ userProperties: new Map([['b', '2']]) })));
  assert.deepEqual(['a', 'TAGS', 'b'].map(reader.get), [undefined, undefined, '2']);
  reader.close();
  reader.open(of('3', 'y'));
  assert.deepEqual(['b', 'TAGS', 'a'].map(reader.get), [undefined, 'y', '3']);
});

test('any message has the properties that were sent', () => {
  fc.assert(
    fc.property(messageArbitrary, fc.string({ maxLength: 5 }), (message, other) => {
      const bytes = stored(message);
      const names = [...message.userProperties.keys(), other].filter((name) => /^[a-zA-Z_$][\w$]*$/.test(name));
      const reader = new PropertyReader(names);
      reader.open(bytes);
      for (const name of names) assert.equal(reader.get(name), message.userProperties.get(name));
      assert.equal(read(bytes, 'TAGS'), message.systemProperties?.tag);
      assert.equal(read(bytes, 'UNIQ_KEY') ?? '', message.systemProperties?.messageId ?? '');
    }),
  );
});

test('bytes that are no message end in a WireError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.uint8Array({ maxLength: 60 }), (system, rest) => {
      for (const name of ['a', 'TAGS', 'KEYS', 'BORN_TIMESTAMP', 'TRAN_MSG']) {
        try {
          const value = read({ system, rest }, name);
          assert.ok(value === undefined || typeof value === 'string');
        } catch (error) {
          assert.ok(error instanceof WireError);
        }
      }
    }),
  );
});
