/** What clients keep and hand back: it comes back as it was made, and nothing else passes, to the last bit. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MqError } from '@orbitmq/base';
import fc from 'fast-check';
import {
  encodeClientMessageId,
  encodeOffsetMessageId,
  parseClientMessageId,
  parseOffsetMessageId,
  parseUniqueKey,
} from './message-id.ts';
import { brokerNameOfRecallHandle, RecallHandleCodec } from './recall-handle.ts';
import { brokerNameOfHandle, ReceiptHandleCodec } from './receipt-handle.ts';
import { brokerNameOfTransaction, TransactionIdCodec } from './transaction-id.ts';

const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const uint48 = fc.integer({ min: 0, max: 2 ** 48 - 1 });
const brokerName = fc.stringMatching(/^[!-~]{1,127}$/);
const secret = fc.uint8Array({ minLength: 32, maxLength: 32 });
const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.base64String({ maxLength: 300 }),
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString('base64url')),
  fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString('hex')),
);

interface Kind {
  readonly code: string;
  /** Texts of random content by a shard of this name and secret. */
  texts(name: string, secret: Uint8Array): fc.Arbitrary<string>;
  decode(name: string, secret: Uint8Array, text: string): unknown;
  brokerNameOf(text: string): string;
}

const KINDS: Readonly<Record<string, Kind>> = {
  'receipt handle': {
    code: 'INVALID_RECEIPT_HANDLE',
    texts: (name, key) =>
      fc
        .record({
          groupUid: uint32,
          topicUid: uint32,
          queueId: fc.nat(65_535),
          queueOffset: uint48,
          leaseId: uint48,
          epoch: uint32,
        })
        .map((handle) => new ReceiptHandleCodec(name, key).encode(handle)),
    decode: (name, key, text) => new ReceiptHandleCodec(name, key).decode(text),
    brokerNameOf: brokerNameOfHandle,
  },
  'recall handle': {
    code: 'BAD_REQUEST',
    texts: (name, key) =>
      fc
        .record({ topicUid: uint32, slot: uint32, id: uint48, epoch: uint32 })
        .map((handle) => new RecallHandleCodec(name, key).encode(handle)),
    decode: (name, key, text) => new RecallHandleCodec(name, key).decode(text),
    brokerNameOf: brokerNameOfRecallHandle,
  },
  'transaction id': {
    code: 'INVALID_TRANSACTION_ID',
    texts: (name, key) =>
      fc
        .tuple(fc.record({ topicUid: uint32, slot: uint32, id: uint48, epoch: uint32 }), fc.string())
        .map(([id, messageId]) => new TransactionIdCodec(name, key).encode(id, messageId)),
    decode: (name, key, text) => new TransactionIdCodec(name, key).decode(text),
    brokerNameOf: brokerNameOfTransaction,
  },
};

/** A shard, and a text of its own. */
const made = ({ texts }: Kind): fc.Arbitrary<{ name: string; key: Uint8Array; text: string }> =>
  fc.tuple(brokerName, secret).chain(([name, key]) => texts(name, key).map((text) => ({ name, key, text })));

for (const [title, kind] of Object.entries(KINDS)) {
  const isRefused = (run: () => unknown): void =>
    assert.throws(run, (error) => error instanceof MqError && error.code === kind.code && error.message.length < 600);

  describe(`a ${title}`, () => {
    test('is read by the shard that made it, and by no other', () => {
      fc.assert(
        fc.property(made(kind), brokerName, secret, ({ name, key, text }, otherName, otherKey) => {
          kind.decode(name, key, text);
          assert.equal(kind.brokerNameOf(text), name);
          if (otherName !== name) isRefused(() => kind.decode(otherName, key, text));
          if (Buffer.compare(otherKey, key) !== 0) isRefused(() => kind.decode(name, otherKey, text));
        }),
      );
    });

    test('is refused when any bit of it has turned', () => {
      fc.assert(
        fc.property(made(kind), fc.nat(), ({ name, key, text }, dice) => {
          const bytes = Buffer.from(text, 'base64url');
          const bit = dice % (bytes.length * 8);
          bytes[bit >>> 3]! ^= 1 << (bit & 7);
          isRefused(() => kind.decode(name, key, bytes.toString('base64url')));
          const letters = Buffer.from(text, 'latin1');
          const place = dice % (letters.length * 8);
          letters[place >>> 3]! ^= 1 << (place & 7);
          isRefused(() => kind.decode(name, key, letters.toString('latin1')));
        }),
        { numRuns: 500 },
      );
    });

    test('is no other text, and no text does harm', () => {
      fc.assert(
        fc.property(anyText, (text) => {
          isRefused(() => kind.decode('broker-a', Buffer.alloc(32, 1), text));
          try {
            kind.brokerNameOf(text);
          } catch (error) {
            assert.ok(error instanceof MqError && error.code === kind.code);
          }
        }),
        { numRuns: 500 },
      );
    });

    test('is none of another kind', () => {
      for (const other of Object.values(KINDS)) {
        if (other === kind) continue;
        fc.assert(
          fc.property(made(other), ({ name, key, text }) => {
            isRefused(() => kind.decode(name, key, text));
            isRefused(() => kind.brokerNameOf(text));
          }),
        );
      }
    });
  });
}

describe('message ids', () => {
  test('a 5.x client id says what it was made of', () => {
    const parts = fc.record(
      {
        macAddress: fc
          .uint8Array({ minLength: 6, maxLength: 6 })
          .map((bytes) => Buffer.from(bytes).toString('hex').toUpperCase()),
        processId: fc.nat(65_535),
        bornTimestampMs: uint32.map((seconds) => Date.UTC(2021, 0, 1) + seconds * 1000),
        sequence: uint32,
      },
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(parts, (id) => {
        const text = encodeClientMessageId(id);
        assert.match(text, /^01[0-9A-F]{32}$/);
        assert.deepEqual(parseClientMessageId(text), id);
        assert.equal(parseUniqueKey(text), undefined);
        assert.equal(parseOffsetMessageId(text), undefined);
      }),
    );
  });

  test('any text is an id as a whole, or none', () => {
    const hexText = fc
      .constantFrom(32, 34, 56)
      .chain((length) =>
        fc.string({ unit: fc.constantFrom(...'0123456789abcdefABCDEFx'), minLength: length, maxLength: length }),
      );
    fc.assert(
      fc.property(fc.oneof(anyText, hexText), (text) => {
        const client = parseClientMessageId(text);
        if (client !== undefined) assert.equal(encodeClientMessageId(client), text.toUpperCase());
        const place = parseOffsetMessageId(text);
        if (place !== undefined) assert.equal(encodeOffsetMessageId(place), text.toUpperCase());
        const key = parseUniqueKey(text);
        assert.equal(key !== undefined, /^(?:[0-9a-f]{32}|[0-9a-f]{56})$/i.test(text));
        if (place !== undefined) assert.ok(key !== undefined, 'both look alike');
      }),
      { numRuns: 1_000 },
    );
  });
});
