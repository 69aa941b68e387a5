import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { OpenCalls } from './open-calls.ts';

it('open calls are those that were added and not removed', () => {
  const step = fc.record({ index: fc.nat(9), isAdded: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const calls = Array.from({ length: 10 }, (_, index) => ({ index, openSlot: -1 }));
      const [open, expected] = [new OpenCalls<(typeof calls)[number]>(), new Set<number>()];
      for (const { index, isAdded } of steps) {
        if (isAdded) {
          open.add(calls[index]!);
          expected.add(index);
        } else {
          open.delete(calls[index]!);
          expected.delete(index);
        }
      }
      const found = Array.from(open, ({ index }) => index).sort();
      assert.deepEqual(found, [...expected].sort());
    }),
  );
});
