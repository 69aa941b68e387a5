import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { MqError, seededRandom } from '@orbitmq/base';
import fc from 'fast-check';
import { brokerNameOfHandle, type ReceiptHandle, ReceiptHandleCodec, ReceiptHandleOrigin } from './receipt-handle.ts';

const secret = seededRandom(7).bytes(32);
const HANDLE: ReceiptHandle = { groupUid: 3, topicUid: 4, queueId: 5, queueOffset: 6, leaseId: 7, epoch: 8 };
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

const isRefused = (run: () => unknown): void => {
  assert.throws(
    run,
    (error: unknown) =>
      error instanceof MqError && error.code === 'INVALID_RECEIPT_HANDLE' && error.message.length < 500,
  );
};

test('a handle gives back what it was made from', () => {
  fc.assert(
    fc.property(
      fc.stringMatching(/^[!-~]{1,127}$/),
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc.record(
        {
          groupUid: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
          topicUid: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
          queueId: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
          queueOffset: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
          leaseId: fc.maxSafeNat(),
          epoch: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
        },
        { noNullPrototype: true },
      ),
      (brokerName, key, handle) => {
        const codec = new ReceiptHandleCodec(brokerName, key);
        const text = codec.encode(handle);
        assert.match(text, /^[A-Za-z0-9_-]+$/);
        assert.deepEqual(codec.decode(text), handle);
        assert.deepEqual(new ReceiptHandleCodec(brokerName, key).decode(text), handle, 'also after a restart');
        const line = Buffer.from(`> ${text} <`);
        assert.deepEqual(codec.decodeAt(line, 2, line.length - 2), handle);
        assert.equal(brokerNameOfHandle(text), brokerName);

        const bytes = Buffer.from(text, 'base64url');
        const mac = createHmac('sha256', key).update(bytes.subarray(0, -16)).digest().subarray(0, 16);
        assert.deepEqual(bytes.subarray(-16), mac);
      },
    ),
  );
});

test('every altered character is refused', () => {
  for (const brokerName of ['broker-a', 'broker-ab', 'broker-abc']) {
    const codec = new ReceiptHandleCodec(brokerName, secret);
    const text = codec.encode(HANDLE);
    for (let index = 0; index < text.length; index++) {
      for (const character of ALPHABET) {
        if (character === text[index]) continue;
        isRefused(() => codec.decode(text.slice(0, index) + character + text.slice(index + 1)));
      }
      isRefused(() => codec.decode(text.slice(0, index)));
      isRefused(() => codec.decode(`${text.slice(0, index)} ${text.slice(index)}`));
    }
    for (const tail of ['A', '=', '==', ' ', '\n', '\u0000', text]) isRefused(() => codec.decode(text + tail));
  }
});

test('handles of another broker or shard are refused', () => {
  const codec = new ReceiptHandleCodec('broker-a', secret);
  isRefused(() => codec.decode(new ReceiptHandleCodec('broker-b', secret).encode(HANDLE)));
  isRefused(() => codec.decode(new ReceiptHandleCodec('broker-ab', secret).encode(HANDLE)));
  isRefused(() => codec.decode(new ReceiptHandleCodec('broker-a', seededRandom(8).bytes(32)).encode(HANDLE)));
});

test('any other text is refused', () => {
  const codec = new ReceiptHandleCodec('broker-a', secret);
  const texts = ['', 'A', 'AQ', 'AQA', '%', '+/+/', 'A'.repeat(1_000_000), '1 1700000000000 60000 1 0 broker-a 0 12'];
  for (const text of texts) {
    isRefused(() => codec.decode(text));
    isRefused(() => brokerNameOfHandle(text));
  }
  fc.assert(fc.property(fc.string(), (text) => isRefused(() => codec.decode(text))));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 250 }), (bytes) => {
      isRefused(() => codec.decodeAt(Buffer.from(bytes), 0, bytes.length));
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 250 }), (bytes) => {
      isRefused(() => codec.decode(Buffer.from(bytes).toString('base64url')));
    }),
  );
});

test('a handle is known by its beginning as that of its broker, and of no other', () => {
  const name = fc.stringMatching(/^[!-~]{1,127}$/);
  // Names that differ in their last bits only, or by what follows them.
  const alike = name.chain((one) =>
    fc.tuple(fc.constant(one), fc.oneof(name, fc.constantFrom(...[...'abcd'].map((end) => one.slice(0, -1) + end)))),
  );
  fc.assert(
    fc.property(alike, fc.nat(), ([one, other], number) => {
      const text = new ReceiptHandleCodec(one, secret).encode({ ...HANDLE, queueOffset: number });
      const bytes = Buffer.from(`<${text}>`);
      assert.equal(new ReceiptHandleOrigin(one).isOf(bytes, 1, 1 + text.length), true);
      assert.equal(new ReceiptHandleOrigin(other).isOf(bytes, 1, 1 + text.length), one === other);
      assert.equal(new ReceiptHandleOrigin(one).isOf(bytes, 1, 3), false);
    }),
  );
});
