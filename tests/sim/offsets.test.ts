import { test } from 'node:test';
import { OffsetHistory } from './offset-history.ts';

const HISTORIES = 200;

test(`simulated histories of offsets that are set and messages that are sent again, seeds 0 to ${HISTORIES - 1}`, async () => {
  for (let seed = 0; seed < HISTORIES; seed++) {
    try {
      await new OffsetHistory(seed).run();
    } catch (error) {
      throw new Error(
        `seed ${seed}; again: node --conditions=@orbitmq/source tests/sim/run.ts --offsets --seed ${seed}`,
        {
          cause: error,
        },
      );
    }
  }
});
