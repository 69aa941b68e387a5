import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { NONE } from '../progress/entry-slab.ts';
import { KeyHash } from './key-hash.ts';
import { SentKeysView } from './view.ts';

interface Sent {
  readonly low: number;
  readonly high: number;
  readonly offset: number;
  readonly timeMs: number;
}

describe('keys of what was sent', () => {
  test('finds what a plain list finds, over snapshots, for any history', () => {
    const step = fc.record({ low: fc.nat(40), high: fc.nat(2), waitMs: fc.nat(30), snapshot: fc.boolean() });
    // So many entries before their numbers begin anew.
    const before = fc.oneof(fc.constant(2 ** 32), fc.nat(100), fc.nat(300));
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 300 }),
        fc.integer({ min: 1, max: 60 }),
        before,
        (steps, countMax, left) => {
          const options = { windowMs: 200, countMax };
          let view = new SentKeysView(options, -left);
          const list: Sent[] = [];
          let nowMs = 0;
          for (const [index, { low, high, waitMs, snapshot }] of steps.entries()) {
            nowMs += waitMs;
            const wanted = list
              .slice(-countMax)
              .findLast((sent) => sent.low === low && sent.high === high && nowMs - sent.timeMs < 200);
            if (index % 3 === 0) view.bringNear(Uint32Array.of(low, high, low + 1, high, 99, 0), 1 + (index % 2));
            const found = view.find(low, high, nowMs);
            assert.equal(found === NONE ? undefined : view.physicalOffset(found), wanted?.offset);
            view.applySent(low, high, index * 8, index, nowMs);
            list.push({ low, high, offset: index * 8, timeMs: nowMs });
            if (!snapshot) continue;
            const bytes = view.snapshot();
            view = new SentKeysView(options);
            view.restore(bytes);
            assert.deepEqual(view.snapshot(), bytes);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test('walks all entries of one hash from the newest to the oldest, and grows as it must', () => {
    for (const firstNumber of [0, -1, -500, -5500]) checkWalk(firstNumber);
  });

  function checkWalk(firstNumber: number): void {
    const view = new SentKeysView({ windowMs: 1e6, countMax: 5000 }, firstNumber);
    for (let index = 0; index < 6000; index++) view.applySent(index % 100, 7, index * 8, index, index);
    assert.equal(view.count, 5000);
    let entry = view.find(42, 7, 6000);
    for (let index = 5942; index >= 1000; index -= 100) {
      assert.deepEqual([view.physicalOffset(entry), view.slot(entry)], [index * 8, index]);
      entry = view.findNext(entry, 6000);
    }
    assert.equal(entry, NONE);
    assert.equal(view.find(42, 7, 6000, 5943 * 8), NONE, 'only what lies behind is wanted');
    assert.equal(view.find(42, 8, 6000), NONE);
  }

  test('finds the newest of each hash however often places are used again, and nothing that was forgotten', () => {
    const countMax = 700;
    for (const firstNumber of [0, -1000, -3000]) {
      const view = new SentKeysView({ windowMs: 1e6, countMax }, firstNumber);
      const newest = new Map<number, number>();
      for (let index = 0; index < 5000; index++) {
        // Few buckets, and a part of all hashes comes again.
        const low = Math.imul(index % 900 < 450 ? index : index % 97, 2_654_435_761) & 0x1fc7;
        view.bringNear(Uint32Array.of(low, 0), 1);
        view.applySent(low, 0, index * 8, index, index);
        newest.set(low, index);
        const asked = Math.imul(index, 48_271) & 0x1fc7;
        const wanted = newest.get(asked);
        const found = view.find(asked, 0, index);
        const isKept = wanted !== undefined && index - wanted < countMax;
        assert.equal(found === NONE ? undefined : view.slot(found), isKept ? wanted : undefined);
        assert.equal(view.mayHold(asked, 0), isKept);
      }
    }
  });

  test('what is frozen stays what it was, however much is sent until it is copied', () => {
    const numbers = {
      beforeCount: fc.nat(3000),
      betweenCount: fc.nat(3000),
      windowMs: fc.integer({ min: 1, max: 4000 }),
    };
    const options = fc.record({ ...numbers, countMax: fc.constantFrom(1, 7, 1000, 1024, 1025, 1800, 2048, 5000) });
    fc.assert(
      fc.property(options, ({ beforeCount, betweenCount, windowMs, countMax }) => {
        const view = new SentKeysView({ windowMs, countMax });
        let sentCount = 0;
        const send = (count: number): void => {
          for (const end = sentCount + count; sentCount < end; sentCount++) {
            view.applySent(sentCount * 7, sentCount, sentCount * 8, sentCount, sentCount);
          }
        };
        send(beforeCount);
        const wanted = view.snapshot();
        const frozen = [view.freeze(), view.freeze()];
        send(betweenCount);
        for (const bytes of frozen) {
          const copied = new Uint8Array(bytes.sizeBytes);
          bytes.copy(0, copied);
          assert.deepEqual(copied, wanted);
        }
      }),
      { numRuns: 200 },
    );
  });

  test('remembers nothing when it is off', () => {
    const view = new SentKeysView({ windowMs: 0, countMax: 10 });
    view.applySent(1, 1, 8, 0, 0);
    assert.deepEqual([view.isOff, view.count, view.find(1, 1, 0)], [true, 0, NONE]);
  });

  test('hashes of keys that are alike are far apart, and belong to one shard', () => {
    const [hash, other] = [new KeyHash(), new KeyHash()];
    other.seed(Buffer.from('another shard has another secret'));
    const seen = new Set<string>();
    for (let index = 0; index < 20_000; index++) {
      const key = Buffer.from(`01AABBCCDDEEFF1234${index.toString(16).padStart(16, '0')}`);
      for (const space of [1, 2]) {
        hash.of(space, key, 0, key.length);
        seen.add(`${hash.low}/${hash.high}`);
        other.of(space, key, 0, key.length);
        assert.ok(other.low !== hash.low || other.high !== hash.high);
      }
    }
    assert.equal(seen.size, 40_000);
    const lows = new Set([...seen].map((text) => Number(text.split('/')[0]) % 1024));
    assert.equal(lows.size, 1024, 'all buckets are used');
  });
});
