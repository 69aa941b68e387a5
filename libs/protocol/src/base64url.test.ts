import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeBase64url } from './base64url.ts';

/** As the function under test, in the plainest way: what Node would write again as it came. */
function plainly(text: Buffer): Buffer | undefined {
  const bytes = Buffer.from(text.toString('latin1'), 'base64url');
  return bytes.toString('base64url') === text.toString('latin1') ? bytes : undefined;
}

function decode(text: Buffer): Buffer | undefined {
  // Behind other bytes and in front of others, none of which may be touched or read.
  const source = Buffer.concat([Buffer.from('AA'), text, Buffer.from('AA')]);
  const target = Buffer.alloc(text.length + 3, 0xee);
  const size = decodeBase64url(source, 2, 2 + text.length, target);
  if (size < 0) return undefined;
  assert.ok(target.subarray(size).every((byte) => byte === 0xee));
  return target.subarray(0, size);
}

test('gives the bytes of every text that an encoder writes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      assert.deepEqual(decode(Buffer.from(Buffer.from(bytes).toString('base64url'))), Buffer.from(bytes));
    }),
  );
});

test('takes no other text', () => {
  const letters = fc.constantFrom(...Buffer.from('AZaz09-_+/=. \n\0\x7f\x80\xff', 'latin1'));
  const texts = fc.oneof(fc.uint8Array({ maxLength: 12 }), fc.array(letters, { maxLength: 9 }));
  fc.assert(
    fc.property(texts, (bytes) => assert.deepEqual(decode(Buffer.from(bytes)), plainly(Buffer.from(bytes)))),
    { numRuns: 5_000 },
  );
});
