import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LITE_MUTANTS } from './lite-mutants.ts';
import { runHistories } from './processes.ts';

const HISTORIES = 100;
/** Histories within which every mutant must have been noticed. */
const MUTANT_HISTORIES = 100;
const PROCESSES = 2;

describe('simulated histories of lite topics', { concurrency: PROCESSES }, () => {
  for (let part = 0; part < PROCESSES; part++) {
    const count = HISTORIES / PROCESSES;
    test(`keep all promises, seeds ${part * count} to ${(part + 1) * count - 1}`, async () => {
      const range = ['--from', String(part * count), '--count', String(count)];
      const { held, output } = await runHistories(['--lite', ...range]);
      assert.ok(held, output);
    });
  }

  for (const { name } of LITE_MUTANTS) {
    test(`notice a mutant: ${name}`, async () => {
      const args = ['--lite', '--count', String(MUTANT_HISTORIES)];
      const { held, output } = await runHistories(args, name.split(':')[0]!);
      assert.ok(!held, `${MUTANT_HISTORIES} histories went by and nothing was noticed`);
      assert.match(output, /^(seed \d+|no end): /, output);
    });
  }
});
