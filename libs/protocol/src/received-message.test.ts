import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  DigestType,
  Encoding,
  type Message,
  MessageType,
  SystemProperties,
} from './gen/apache/rocketmq/v2/definition.ts';
import { ReceiveMessageResponse, SendMessageRequest } from './gen/apache/rocketmq/v2/service.ts';
import type { IncomingMessage } from './incoming-message.ts';
import { deriveMessageType } from './message-type.ts';
import { encodeReceiveDeliveryTimestamp, encodeReceivedMessage, encodeReceiveStatus } from './received-message.ts';
import { decodeSendMessageRequest } from './send-request.ts';
import { encodeStoredSystem, type StoringFacts } from './stored-system.ts';
import { readMessageGroup, readMessageId, readTag } from './system-properties.ts';
import { messageArbitrary, messageOf, systemOf } from './test-messages.ts';

const FACTS: StoringFacts = {
  messageType: MessageType.NORMAL,
  bornTimestampMs: 1_800_000_000_123,
  bornHost: '192.0.2.7',
  storeHost: '192.0.2.1:10911',
};
const incoming = (message: Message): IncomingMessage =>
  decodeSendMessageRequest(SendMessageRequest.encode({ messages: [message] }).finish())[0]!;
const timeOf = (ms: number): { seconds: bigint; nanos: number } => ({
  seconds: BigInt(Math.floor(ms / 1000)),
  nanos: (ms % 1000) * 1_000_000,
});

test('a message is delivered as it was sent, with what the server knows', () => {
  fc.assert(
    fc.property(
      messageArbitrary,
      fc.record({
        receiptHandle: fc.string({ maxLength: 200 }),
        queueId: fc.integer({ min: 0, max: 65535 }),
        queueOffset: fc.maxSafeNat(),
        deliveryAttempt: fc.integer({ min: 1, max: 1000 }),
        storeTimestampMs: fc.integer({ min: 0, max: 2 ** 48 }),
        invisibleMs: fc.option(fc.integer({ min: 0, max: 2 ** 31 }), { nil: undefined }),
      }),
      (message, delivery) => {
        const seen = incoming(message);
        const messageType = deriveMessageType(seen);
        const stored = { rest: seen.rest, system: encodeStoredSystem(seen, { ...FACTS, messageType }) };
        const response = ReceiveMessageResponse.decode(Uint8Array.from(encodeReceivedMessage(stored, delivery)));
        const sent = message.systemProperties ?? systemOf({});
        assert.deepEqual(response, {
          status: undefined,
          deliveryTimestamp: undefined,
          message: {
            ...message,
            systemProperties: {
              ...sent,
              bodyDigest: {
                type: DigestType.MD5,
                checksum: createHash('md5').update(message.body).digest('hex').toUpperCase(),
              },
              bodyEncoding: sent.bodyEncoding === 0 ? Encoding.IDENTITY : sent.bodyEncoding,
              messageType,
              bornTimestamp: sent.bornTimestamp ?? timeOf(FACTS.bornTimestampMs),
              bornHost: sent.bornHost === '' ? FACTS.bornHost : sent.bornHost,
              storeTimestamp: timeOf(delivery.storeTimestampMs),
              storeHost: FACTS.storeHost,
              receiptHandle: delivery.receiptHandle,
              queueId: delivery.queueId,
              queueOffset: BigInt(delivery.queueOffset),
              deliveryAttempt: delivery.deliveryAttempt,
              invisibleDuration: delivery.invisibleMs === undefined ? undefined : timeOf(delivery.invisibleMs),
              deadLetterQueue: undefined,
            },
          },
        });
        assert.equal(readTag(stored.system), sent.tag);
        assert.equal(readMessageGroup(stored.system), sent.messageGroup);
        assert.equal(readMessageId(stored.system), sent.messageId);
      },
    ),
    { numRuns: 300 },
  );
});

test('nothing is written twice', () => {
  const seen = incoming(
    messageOf({ body: Buffer.from('x'), systemProperties: systemOf({ receiptHandle: 'stolen', queueOffset: 9n }) }),
  );
  const stored = encodeStoredSystem(seen, FACTS);
  const expected = systemOf({
    bodyDigest: { type: DigestType.MD5, checksum: createHash('md5').update('x').digest('hex').toUpperCase() },
    bodyEncoding: Encoding.IDENTITY,
    messageType: MessageType.NORMAL,
    bornTimestamp: timeOf(FACTS.bornTimestampMs),
    bornHost: FACTS.bornHost,
    storeHost: FACTS.storeHost,
  });
  assert.equal(stored.length, SystemProperties.encode(expected).finish().length);
});

test('hosts may be names of any script', () => {
  const stored = encodeStoredSystem(incoming(messageOf({})), { ...FACTS, bornHost: 'größe', storeHost: 'bücher:1' });
  const system = SystemProperties.decode(stored);
  assert.deepEqual([system.bornHost, system.storeHost], ['größe', 'bücher:1']);
});

test('the type follows from what a message carries', () => {
  const typeOf = (parts: Partial<SystemProperties>): MessageType =>
    deriveMessageType(incoming(messageOf({ systemProperties: systemOf(parts) })));
  const all: Partial<SystemProperties> = {
    messageType: MessageType.TRANSACTION,
    deliveryTimestamp: timeOf(5),
    messageGroup: 'g',
    priority: 0,
    liteTopic: 'l',
  };
  assert.equal(typeOf(all), MessageType.TRANSACTION);
  assert.equal(typeOf({ ...all, messageType: MessageType.NORMAL }), MessageType.DELAY);
  assert.equal(typeOf({ messageGroup: 'g', priority: 0, liteTopic: 'l' }), MessageType.FIFO);
  assert.equal(typeOf({ priority: 0, liteTopic: 'l' }), MessageType.PRIORITY);
  assert.equal(typeOf({ liteTopic: 'l' }), MessageType.LITE);
  assert.equal(typeOf({ messageType: MessageType.FIFO }), MessageType.NORMAL);
  assert.equal(typeOf({}), MessageType.NORMAL);
});

test('statuses and delivery times are what the generated decoder reads', () => {
  const none = { status: undefined, message: undefined, deliveryTimestamp: undefined };
  assert.deepEqual(ReceiveMessageResponse.decode(encodeReceiveStatus(40401, 'nichts gefunden für „x“')), {
    ...none,
    status: { code: 40401, message: 'nichts gefunden für „x“' },
  });
  for (const timestampMs of [0, 1, 1000, 1_800_000_000_123]) {
    assert.deepEqual(ReceiveMessageResponse.decode(encodeReceiveDeliveryTimestamp(timestampMs)), {
      ...none,
      deliveryTimestamp: timeOf(timestampMs),
    });
  }
});
