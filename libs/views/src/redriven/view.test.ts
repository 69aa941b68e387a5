import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RedrivenView } from './view.ts';

test('it remembers what a set remembers, also over snapshots', () => {
  const offset = fc.integer({ min: 0, max: 40 });
  fc.assert(
    fc.property(fc.array(offset), offset, (offsets, minOffset) => {
      const view = new RedrivenView();
      const plain = new Set<number>();
      for (const each of offsets) {
        view.applyRedrive(7, each);
        plain.add(each);
      }
      const restored = new RedrivenView();
      restored.restore(view.snapshot());
      restored.applyTrim(7, minOffset);
      for (let each = 0; each <= 41; each++) {
        assert.equal(view.has(7, each), plain.has(each));
        if (each >= minOffset) assert.equal(restored.has(7, each), plain.has(each));
      }
      assert.equal(view.has(8, 1), false);
    }),
  );
});

test('neighbours are kept as one run', () => {
  const view = new RedrivenView();
  for (const offset of [5, 1, 3, 2, 4]) view.applyRedrive(1, offset);
  assert.equal(view.snapshot().length, 4 + 8 + 12);
  view.applyQueueDeletion(1);
  assert.equal(view.snapshot().length, 4);
});
