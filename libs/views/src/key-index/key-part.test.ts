import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { KEY_WORDS, KeyPart } from './key-part.ts';

test('entries are sorted by hash and then by place, also where hashes are alike', () => {
  const half = fc.oneof(fc.constantFrom(0, 1, 0x80000000, 0xffffffff, 0x01000000, 0x01000001), fc.nat(0xffffffff));
  const entry = fc.record({ low: half, high: half, place: fc.nat(50) });
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 200 }), (entries) => {
      const part = new KeyPart(80);
      for (const { low, high, place } of entries) part.add(low, high, 80 + place * 8);
      const found: number[][] = [];
      for (const cells of part.sorted()) {
        for (let at = 0; at < cells.length; at += KEY_WORDS) found.push([...cells.subarray(at, at + KEY_WORDS)]);
      }
      const expected = entries.map(({ low, high, place }) => [high, low, place]);
      expected.sort((one, other) => one[0]! - other[0]! || one[1]! - other[1]! || one[2]! - other[2]!);
      assert.deepEqual(found, expected);
    }),
  );
});
