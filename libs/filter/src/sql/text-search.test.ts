import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { textSearch } from './text-search.ts';

/** Long enough that the engine's search is not used. */
const PADDING = 'ab'.repeat(40_000);

test('both searches find what is there', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 40 });
  const wanted = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(text, wanted, (some, part) => {
      const find = textSearch(part);
      assert.equal(find(some), some.includes(part));
      for (const long of [`${PADDING}${some}`, `${some}${PADDING}`]) assert.equal(find(long), long.includes(part));
    }),
  );
});
