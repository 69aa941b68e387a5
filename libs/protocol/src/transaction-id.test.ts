import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MqError } from '@orbitmq/base';
import fc from 'fast-check';
import { brokerNameOfHandle, ReceiptHandleCodec } from './receipt-handle.ts';
import { brokerNameOfTransaction, TransactionIdCodec } from './transaction-id.ts';

const SECRET = Buffer.alloc(32, 5);
const codec = new TransactionIdCodec('broker-a', SECRET);
const refused = (use: () => unknown): void =>
  assert.throws(use, (error) => error instanceof MqError && error.code === 'INVALID_TRANSACTION_ID');

const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const ids = fc.record({ topicUid: uint32, slot: uint32, id: fc.integer({ min: 0, max: 2 ** 48 - 1 }), epoch: uint32 });

test('an id says what it was made of, and which message it belongs to', () => {
  fc.assert(
    fc.property(ids, fc.string(), ({ topicUid, slot, id: halfId, epoch }, messageId) => {
      const id = { topicUid, slot, id: halfId, epoch };
      const text = codec.encode(id, messageId);
      const { isOf, ...read } = codec.decode(text);
      assert.deepEqual(read, id);
      assert.equal(isOf(messageId), true);
      assert.equal(isOf(`${messageId}x`), false);
      assert.equal(brokerNameOfTransaction(text), 'broker-a');
    }),
  );
});

test('no other text passes', () => {
  const text = codec.encode({ topicUid: 1, slot: 2, id: 3, epoch: 4 }, 'm');
  for (let index = 0; index < text.length; index++) {
    const other = text[index] === 'A' ? 'B' : 'A';
    refused(() => codec.decode(text.slice(0, index) + other + text.slice(index + 1)));
  }
  for (const wrong of ['', ' ', text.slice(1), `${text}A`, `${text}=`, 'ünsinn', 'A'.repeat(10_000)]) {
    refused(() => codec.decode(wrong));
    refused(() => brokerNameOfTransaction(wrong));
  }
  refused(() => new TransactionIdCodec('broker-b', SECRET).decode(text));
  refused(() => new TransactionIdCodec('broker-a', Buffer.alloc(32, 6)).decode(text));
});

test('a receipt handle is no transaction id, nor the other way round', () => {
  const handle = new ReceiptHandleCodec('broker-a', SECRET).encode({
    groupUid: 1,
    topicUid: 2,
    queueId: 3,
    queueOffset: 4,
    leaseId: 5,
    epoch: 6,
  });
  refused(() => codec.decode(handle));
  assert.throws(() => brokerNameOfHandle(codec.encode({ topicUid: 1, slot: 2, id: 3, epoch: 4 }, 'm')), MqError);
});
