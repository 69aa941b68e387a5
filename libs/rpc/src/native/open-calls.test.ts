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

it('open calls may end in any order', () => {
  const order = fc.shuffledSubarray([0, 1, 2, 3, 4, 5], { minLength: 6 });
  fc.assert(
    fc.property(order, (indexes) => {
      const calls = indexes.map((index) => ({ index, openSlot: -1 }));
      const open = new OpenCalls<(typeof calls)[number]>();
      for (const call of calls.toSorted((one, other) => one.index - other.index)) open.add(call);
      for (const [count, call] of calls.entries()) {
        open.delete(call);
        const left = calls.slice(count + 1).map(({ index }) => index);
        assert.deepEqual(Array.from(open, ({ index }) => index).sort(), left.sort());
      }
    }),
  );
});
