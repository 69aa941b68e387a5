import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TextCache } from './text-cache.ts';

test('a text is that of its bytes, whatever was kept before', () => {
  const cache = new TextCache();
  const texts = fc.array(
    fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), fc.constantFrom('orders', 'orders-2')),
  );
  fc.assert(
    fc.property(texts, fc.nat(5), (names, start) => {
      for (const name of names) {
        const bytes = Buffer.concat([Buffer.alloc(start, 0x20), Buffer.from(name), Buffer.from('!')]);
        const end = bytes.length - 1;
        const expected = bytes.toString('utf8', start, end);
        assert.equal(cache.textOf(bytes, start, end), expected);
        assert.equal(cache.textOf(bytes, start, end), expected);
      }
    }),
  );
});

test('texts that share a place are told apart', () => {
  const cache = new TextCache();
  for (let n = 10_000; n < 15_000; n++) {
    const bytes = Buffer.from(`orders-${n}`);
    assert.equal(cache.textOf(bytes, 0, bytes.length), `orders-${n}`);
  }
});

test('what is kept does not change with the bytes that it came in', () => {
  const cache = new TextCache();
  const bytes = Buffer.from('orders');
  assert.equal(cache.textOf(bytes, 0, 6), 'orders');
  bytes.write('ordered');
  assert.equal(cache.textOf(Buffer.from('orders'), 0, 6), 'orders');
});
