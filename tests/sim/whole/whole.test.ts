import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { runHistories } from '../processes.ts';
import { WHOLE_MUTANTS } from './whole-mutants.ts';

const HISTORIES = 2000;
/** Histories within which every mutant must have been noticed. */
const MUTANT_HISTORIES = 100;
const PROCESSES = 2;

describe('simulated histories of everything at once', { concurrency: PROCESSES }, () => {
  for (let part = 0; part < PROCESSES; part++) {
    const count = HISTORIES / PROCESSES;
    test(`keep all promises, seeds ${part * count} to ${(part + 1) * count - 1}`, async () => {
      const range = ['--from', String(part * count), '--count', String(count)];
      const { held, output } = await runHistories(['--whole', ...range]);
      assert.ok(held, output);
    });
  }

  for (const { name } of WHOLE_MUTANTS) {
    test(`notice a mutant: ${name}`, async () => {
      const args = ['--whole', '--count', String(MUTANT_HISTORIES)];
      const { held, output } = await runHistories(args, name.split(':')[0]!);
      assert.ok(!held, `${MUTANT_HISTORIES} histories went by and nothing was noticed`);
      assert.match(output, /^(seed \d+|no end): /, output);
    });
  }
});
