import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { runHistories } from './processes.ts';
import { REPLICA_MUTANTS } from './replica-mutants.ts';

const HISTORIES = 300;
/** Histories within which every mutant must have been noticed. */
const MUTANT_HISTORIES = 200;
const PROCESSES = 2;

describe('simulated histories of two copies of a log', { concurrency: PROCESSES }, () => {
  test(`D6, R1, R4: keep what is confirmed, and become equal, seeds 0 to ${HISTORIES - 1}`, async () => {
    const { held, output } = await runHistories(['--replica', '--count', String(HISTORIES)]);
    assert.ok(held, output);
  });

  for (const { name } of REPLICA_MUTANTS) {
    test(`notice a mutant: ${name}`, async () => {
      const args = ['--replica', '--count', String(MUTANT_HISTORIES)];
      const { held, output } = await runHistories(args, name.split(':')[0]!);
      assert.ok(!held, `${MUTANT_HISTORIES} histories went by and nothing was noticed`);
      assert.match(output, /^(seed \d+|no end): /, output);
    });
  }
});
