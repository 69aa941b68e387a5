import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LastText } from './last-text.ts';
import { WireError } from './wire-error.ts';

test('texts are those of their bytes, whatever came before', () => {
  const text = fc.oneof(fc.constantFrom('', 'a', 'b', 'ab', 'ä'), fc.string({ unit: 'grapheme', maxLength: 300 }));
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat({ max: 5 }), text)), (texts) => {
      const last = new LastText();
      for (const [start, wanted] of texts) {
        const bytes = Buffer.concat([Buffer.alloc(start), Buffer.from(wanted), Buffer.alloc(1)]);
        assert.equal(last.read(bytes, start, bytes.length - 1), wanted);
        bytes.fill(0x78); // it has bytes of its own
      }
    }),
  );
});

test('what is no text is refused, and forgotten', () => {
  const last = new LastText();
  const bytes = Buffer.from([0x61, 0xff]);
  assert.equal(last.read(bytes, 0, 1), 'a');
  assert.throws(() => last.read(bytes, 1, 2), WireError);
  assert.throws(() => last.read(bytes, 1, 2), WireError);
  assert.equal(last.read(bytes, 0, 1), 'a');
});
