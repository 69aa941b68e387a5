import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CommitLogHistory } from './commit-log-history.ts';

const SEED_FIRST = Number(process.env.SEED ?? 1);
const SEED_COUNT = Number(process.env.SEEDS ?? 300);

describe('commit log on a simulated disk', () => {
  it(`keeps its promises in ${SEED_COUNT} histories`, async () => {
    let recordCount = 0;
    let cutCount = 0;
    for (let seed = SEED_FIRST; seed < SEED_FIRST + SEED_COUNT; seed++) {
      const history = new CommitLogHistory(seed);
      try {
        await history.run();
      } catch (error) {
        throw new Error(
          `seed ${seed}; repeat: SEED=${seed} SEEDS=1 node --conditions=@orbitmq/source --test tests/sim/commit-log.test.ts`,
          {
            cause: error,
          },
        );
      }
      recordCount += history.recordCount;
      cutCount += history.cutCount;
    }
    // The histories are only worth something when there is something in them.
    assert.ok(recordCount > 10 * SEED_COUNT, `${recordCount} records`);
    assert.ok(SEED_COUNT < 50 || cutCount > 0, 'no tail was ever cut');
  });
});
