import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Random, seededRandom } from '@orbitmq/base';
import { MovedClock } from '../contract/harness.ts';
import { type Ageing, ConnectionAges } from './connection-ages.ts';

const AGE_MS = 60_000;

/** Watches connections, and keeps at which age each was told of. */
class Watched {
  readonly clock = new MovedClock();
  readonly agesMs = new Map<Ageing, number>();
  readonly ages: ConnectionAges<Ageing>;

  constructor(random: Random = seededRandom(1), ageMsMax = AGE_MS) {
    const onOld = (connection: Ageing): void => {
      assert.equal(this.agesMs.has(connection), false);
      this.agesMs.set(connection, this.clock.monotonicMs() - connection.openedAtMs);
    };
    this.ages = new ConnectionAges({ ageMsMax, clock: this.clock, random, onOld });
  }

  open(): Ageing {
    const connection = { openedAtMs: this.clock.monotonicMs() };
    this.ages.add(connection);
    return connection;
  }

  pass(durationMs: number, stepMs = 10): void {
    for (let passedMs = 0; passedMs < durationMs; passedMs += stepMs) this.clock.move(stepMs);
  }
}

describe('ConnectionAges', () => {
  it('spreads connections that were opened together over a fifth of the age', () => {
    const watched = new Watched();
    for (let n = 0; n < 200; n++) watched.open();
    watched.pass(1.2 * AGE_MS);
    const agesMs = [...watched.agesMs.values()];
    assert.equal(agesMs.length, 200);
    for (const ageMs of agesMs) assert.ok(ageMs >= 0.9 * AGE_MS && ageMs <= 1.102 * AGE_MS, `${ageMs}`);
    for (let tenth = 0; tenth < 10; tenth++) {
      const fromMs = (0.9 + 0.02 * tenth) * AGE_MS;
      const count = agesMs.filter((ageMs) => ageMs >= fromMs && ageMs < fromMs + 0.02 * AGE_MS).length;
      assert.ok(count >= 5 && count <= 40, `${count} of 200 in part ${tenth}`);
    }
  });

  it('tells of each at its own time, however many come and go', () => {
    const watched = new Watched();
    const kept: Ageing[] = [];
    for (let n = 0; n < 500; n++) {
      const connection = watched.open();
      if (n % 3 === 0) watched.ages.remove(connection);
      else kept.push(connection);
      watched.pass(100);
    }
    watched.pass(1.2 * AGE_MS);
    assert.deepEqual(new Set(watched.agesMs.keys()), new Set(kept));
    for (const ageMs of watched.agesMs.values()) assert.ok(ageMs >= 0.9 * AGE_MS && ageMs <= 1.102 * AGE_MS);
  });

  it('tells of nobody where no age is set, or after the end', () => {
    for (const watched of [new Watched(seededRandom(1), Number.POSITIVE_INFINITY), new Watched()]) {
      watched.open();
      watched.ages.close();
      watched.pass(2 * AGE_MS, 1_000);
      assert.equal(watched.agesMs.size, 0);
    }
  });
});
