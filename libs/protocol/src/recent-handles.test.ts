import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { KEPT_BYTES, RecentHandles } from './recent-handles.ts';

/** As a part of others, to which it has no right. */
function handleOf(content: number): Buffer {
  return Buffer.concat([Buffer.from('name'), Buffer.alloc(KEPT_BYTES, content), Buffer.from('more')]);
}

test('knows what was noted last at a place, and nothing else', () => {
  const places = fc.constantFrom(0, 1, 255, 256, 16_383, 16_384, -1, 2 ** 31 - 1, -(2 ** 31));
  fc.assert(
    fc.property(fc.array(fc.tuple(places, fc.nat(3)), { maxLength: 20 }), (notes) => {
      const recent = new RecentHandles();
      const last = new Map<number, number>();
      for (const [place, content] of notes) {
        recent.note(handleOf(content), 4, place);
        last.set(place & 16_383, content);
      }
      for (const place of [0, 1, 2, 255, 256, 16_383]) {
        for (const content of [0, 1, 2, 3]) {
          assert.equal(recent.has(handleOf(content), 4, place), last.get(place) === content);
        }
      }
    }),
  );
});

test('tells every bit', () => {
  const recent = new RecentHandles();
  recent.note(handleOf(7), 4, 5);
  for (let bit = 0; bit < KEPT_BYTES * 8; bit++) {
    const altered = handleOf(7);
    altered[4 + (bit >>> 3)]! ^= 1 << (bit & 7);
    assert.equal(recent.has(altered, 4, 5), false);
  }
  assert.ok(recent.has(handleOf(7), 4, 5));
});

test('does not know what nobody has noted, be it zeros', () => {
  const recent = new RecentHandles();
  recent.note(handleOf(1), 4, 5);
  assert.equal(recent.has(handleOf(0), 4, 6), false);
  assert.equal(recent.has(handleOf(0), 4, 6_000), false);
});
