import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FrozenBytes } from './frozen-bytes.ts';

test('frozen bytes are those of the beginning, whenever the memory changes and however they are copied', () => {
  const runs = fc.array(fc.uint8Array({ maxLength: 30 }), { maxLength: 6 });
  fc.assert(
    fc.property(runs, fc.integer({ min: 1, max: 40 }), fc.nat(8), (memory, partBytes, changedAfter) => {
      const wanted = Buffer.concat(memory);
      const frozen = new FrozenBytes(memory);
      assert.equal(frozen.sizeBytes, wanted.length);
      const copied: Uint8Array[] = [];
      for (let at = 0; at < wanted.length; at += partBytes) {
        if (copied.length === changedAfter) {
          frozen.keep();
          for (const run of memory) run.fill(0xee);
          frozen.keep();
        }
        const part = new Uint8Array(Math.min(partBytes, wanted.length - at));
        frozen.copy(at, part);
        copied.push(part);
      }
      assert.deepEqual(Buffer.concat(copied), wanted);
    }),
  );
});

test('frozen bytes that nobody asks for any more hold no memory', () => {
  const frozen = new FrozenBytes([Buffer.from('abc')]);
  frozen.release();
  frozen.keep();
  const target = new Uint8Array(3);
  frozen.copy(0, target);
  assert.deepEqual([...target], [0, 0, 0]);
});
