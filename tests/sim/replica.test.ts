import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ReplicaHistory } from './replica-history.ts';

const SEED_FIRST = Number(process.env.SEED ?? 1);
const SEED_COUNT = Number(process.env.SEEDS ?? 100);

describe('two copies of a log on simulated disks', () => {
  it(`D6, R1, R4: keep what is confirmed, and become equal, in ${SEED_COUNT} histories`, async () => {
    const counts = { confirmed: 0, cut: 0, promotion: 0 };
    for (let seed = SEED_FIRST; seed < SEED_FIRST + SEED_COUNT; seed++) {
      const history = new ReplicaHistory(seed);
      try {
        await history.run();
      } catch (cause) {
        throw new Error(
          `seed ${seed}; repeat: SEED=${seed} SEEDS=1 node --conditions=@orbitmq/source --test tests/sim/replica.test.ts`,
          { cause },
        );
      }
      counts.confirmed += history.confirmedCount;
      counts.cut += history.cutCount;
      counts.promotion += history.promotionCount;
    }
    // The histories are only worth something when there is something in them.
    assert.ok(counts.confirmed > 10 * SEED_COUNT, `${counts.confirmed} records confirmed`);
    assert.ok(SEED_COUNT < 50 || (counts.cut > 10 && counts.promotion > 10), JSON.stringify(counts));
  });
});
