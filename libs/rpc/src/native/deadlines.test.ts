import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { MovedClock } from '../contract/harness.ts';
import { Deadlines, type Expiring } from './deadlines.ts';

class Entry implements Expiring {
  previousExpiring: Expiring | undefined;
  nextExpiring: Expiring | undefined;
  deadlineSlot: number | undefined;
  readonly #onExpire: () => void;

  constructor(onExpire: () => void) {
    this.#onExpire = onExpire;
  }

  expire(): void {
    this.#onExpire();
  }
}

describe('Deadlines', () => {
  it('end what is due, soon after and never before', () => {
    const clock = new MovedClock();
    const deadlines = new Deadlines(clock);
    const startMs = clock.monotonicMs();
    const expired = new Map<number, number>();
    for (const delayMs of [1_000, 5, 5, 40, 3_600_000, 12, 1e15]) {
      const entry = new Entry(() => expired.set(delayMs, clock.monotonicMs() - startMs));
      deadlines.add(entry, startMs + delayMs);
    }
    for (let step = 0; step < 2_000; step++) clock.move(1);
    assert.deepEqual([...expired.keys()], [5, 12, 40, 1_000]);
    for (const [delayMs, atMs] of expired) assert.ok(atMs >= delayMs && atMs <= delayMs + 9, `${delayMs} at ${atMs}`);
    clock.move(3_600_000);
    assert.equal(expired.size, 5);
  });

  it('forget what is removed, wherever it stands', () => {
    const clock = new MovedClock();
    const deadlines = new Deadlines(clock);
    const expired: number[] = [];
    const entries = Array.from({ length: 5 }, (_, n) => new Entry(() => expired.push(n)));
    for (const entry of entries) deadlines.add(entry, clock.monotonicMs() + 50);
    for (const n of [4, 2, 0, 0]) deadlines.remove(entries[n]!);
    clock.move(100);
    assert.deepEqual(expired.sort(), [1, 3]);
    deadlines.remove(entries[1]!);
  });

  it('are the same however far away they are, one or all of them, and however late the timer', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ delayMs: fc.oneof(fc.nat(100), fc.nat(40_000)), isRemoved: fc.boolean() })),
        fc.array(fc.oneof(fc.nat(50), fc.nat(20_000)), { minLength: 1 }),
        (calls, moves) => {
          const clock = new MovedClock();
          const deadlines = new Deadlines(clock);
          const startMs = clock.monotonicMs();
          const expired: number[] = [];
          const entries = calls.map(({ delayMs }, n) => {
            const entry = new Entry(() => expired.push(n));
            deadlines.add(entry, startMs + delayMs);
            return entry;
          });
          for (const [n, entry] of entries.entries()) if (calls[n]!.isRemoved) deadlines.remove(entry);
          for (const move of moves) clock.move(move);
          const passedMs = clock.monotonicMs() - startMs;
          for (const [n, { delayMs, isRemoved }] of calls.entries()) {
            if (isRemoved || delayMs > passedMs) assert.ok(!expired.includes(n), `${delayMs} after ${passedMs}`);
            else if (delayMs + 16 <= passedMs) assert.ok(expired.includes(n), `${delayMs} after ${passedMs}`);
          }
        },
      ),
    );
  });

  it('end soon what is added while others expire and is due already, though more is due later', () => {
    const clock = new MovedClock();
    const deadlines = new Deadlines(clock);
    const startMs = clock.monotonicMs();
    let isExpired = false;
    const late = new Entry(() => {
      isExpired = true;
    });
    deadlines.add(new Entry(() => deadlines.add(late, startMs)), startMs + 8);
    deadlines.add(new Entry(() => {}), startMs + 4_000);
    for (let step = 0; step < 30; step++) clock.move(1);
    assert.ok(isExpired);
  });

  it('may be added to while others expire, and be closed', () => {
    const clock = new MovedClock();
    const deadlines = new Deadlines(clock);
    let count = 0;
    const again = (): void => {
      count++;
      deadlines.add(new Entry(again), clock.monotonicMs() + 10);
    };
    again();
    for (let step = 0; step < 100; step++) clock.move(1);
    assert.ok(count >= 5 && count <= 10, `${count}`);
    deadlines.close();
    const before = count;
    for (let step = 0; step < 100; step++) clock.move(1);
    assert.equal(count, before);
  });
});
