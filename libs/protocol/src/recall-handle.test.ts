import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { brokerNameOfRecallHandle, RecallHandleCodec } from './recall-handle.ts';

const codec = new RecallHandleCodec('broker-a', Buffer.alloc(32, 1));

test('a recall handle says what it was made of, and where it belongs', () => {
  const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  fc.assert(
    fc.property(uint32, uint32, fc.integer({ min: 0, max: 2 ** 48 - 1 }), uint32, (topicUid, slot, id, epoch) => {
      const text = codec.encode({ topicUid, slot, id, epoch });
      assert.deepEqual(codec.decode(text), { topicUid, slot, id, epoch });
      assert.equal(brokerNameOfRecallHandle(text), 'broker-a');
    }),
  );
});

test('a forged, altered or foreign recall handle is refused', () => {
  const text = codec.encode({ topicUid: 1, slot: 2, id: 3, epoch: 4 });
  const other = new RecallHandleCodec('broker-a', Buffer.alloc(32, 2)).encode({
    topicUid: 1,
    slot: 2,
    id: 3,
    epoch: 4,
  });
  for (let at = 0; at < text.length; at++) {
    const altered = `${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`;
    assert.throws(() => codec.decode(altered), { code: 'BAD_REQUEST' });
  }
  for (const wrong of ['', ' ', 'x', other, `${text}A`, '€', 'A'.repeat(100_000)]) {
    assert.throws(() => codec.decode(wrong), { code: 'BAD_REQUEST' });
  }
  assert.throws(() => brokerNameOfRecallHandle('v1 topic broker 1 id'), { code: 'BAD_REQUEST' });
});
