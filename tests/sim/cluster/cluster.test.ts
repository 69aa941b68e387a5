import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { runHistories } from '../processes.ts';
import { CLUSTER_MUTANTS } from './cluster-mutants.ts';

const HISTORIES = Number(process.env.SEEDS ?? 5000);
/** Histories within which every mutant must have been noticed. */
const MUTANT_HISTORIES = 400;
const PROCESSES = 2;

describe('simulated histories of a shard on several machines', { concurrency: PROCESSES }, () => {
  for (let part = 0; part < PROCESSES; part++) {
    const count = Math.ceil(HISTORIES / PROCESSES);
    test(`R1, R2, R4, R11: keep all promises, seeds ${part * count} to ${(part + 1) * count - 1}`, async () => {
      const range = ['--from', String(part * count), '--count', String(count)];
      const { held, output } = await runHistories(['--cluster', ...range]);
      assert.ok(held, output);
    });
  }

  for (const { name } of CLUSTER_MUTANTS) {
    test(`notice a mutant: ${name}`, async () => {
      const args = ['--cluster', '--count', String(MUTANT_HISTORIES)];
      const { held, output } = await runHistories(args, name.split(':')[0]!);
      assert.ok(!held, `${MUTANT_HISTORIES} histories went by and nothing was noticed`);
      assert.match(output, /^(seed \d+|no end): /, output);
    });
  }
});
