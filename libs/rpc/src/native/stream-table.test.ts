import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { StreamTable } from './stream-table.ts';

describe('the streams of a connection', () => {
  it('are found as in a map, whatever comes and goes', () => {
    // Numbers that meet in one place are as likely as those that follow each other.
    const id = fc.oneof(
      fc.integer({ min: 1, max: 80 }),
      fc.integer({ min: 0, max: 40 }).map((count) => count * 64 + 1),
      fc.integer({ min: 1, max: 2 ** 31 - 1 }),
    );
    const step = fc.record({ id, kind: fc.constantFrom('set', 'set', 'delete', 'get') });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const [table, map] = [new StreamTable<string>(), new Map<number, string>()];
        for (const [index, step] of steps.entries()) {
          if (step.kind === 'delete') assert.equal(table.delete(step.id), map.delete(step.id));
          if (step.kind === 'set') {
            table.set(step.id, `${index}`);
            map.set(step.id, `${index}`);
          }
          assert.equal(table.get(step.id), map.get(step.id));
          assert.equal(table.size, map.size);
        }
        const inOrder = [...map].sort(([one], [other]) => one - other);
        assert.deepEqual(
          table.values(),
          inOrder.map(([, value]) => value),
        );
        for (const [known, value] of map) assert.equal(table.get(known), value);
        table.clear();
        assert.deepEqual([table.size, table.values()], [0, []]);
      }),
    );
  });

  it('are found when another one goes that stood in their place, also around the end of the table', () => {
    const IDS = [1, 17, 33, 3, 19, 15, 31, 13];
    // Four fit into the smallest table, of eight places.
    const all = fc.shuffledSubarray(IDS, { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(all, fc.shuffledSubarray([0, 1, 2, 3]), (ids, goners) => {
        const table = new StreamTable<number>();
        for (const id of ids) table.set(id, id);
        const left = new Set(ids);
        for (const goner of goners) {
          assert.ok(table.delete(ids[goner]!));
          left.delete(ids[goner]!);
          for (const id of IDS) assert.equal(table.get(id), left.has(id) ? id : undefined);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('may be a thousand, and all go', () => {
    const table = new StreamTable<number>();
    for (let round = 0; round < 3; round++) {
      for (let id = 1; id < 2000; id += 2) table.set(id, id);
      assert.equal(table.size, 1000);
      for (let id = 1; id < 2000; id += 2) assert.ok(table.delete(id));
      assert.deepEqual([table.size, table.get(1)], [0, undefined]);
    }
  });
});
