import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MUTANTS } from './mutants.ts';
import { runHistories } from './processes.ts';

const HISTORIES = 100;
/** Histories within which every mutant must have been noticed. */
const MUTANT_HISTORIES = 100;
const TIMED_HISTORIES = 40;
const PROCESSES = 2;

describe('simulated histories of a shard', { concurrency: PROCESSES }, () => {
  for (let part = 0; part < PROCESSES; part++) {
    const count = HISTORIES / PROCESSES;
    test(`keep all promises, seeds ${part * count} to ${(part + 1) * count - 1}`, async () => {
      const { held, output } = await runHistories(['--from', String(part * count), '--count', String(count)]);
      assert.ok(held, output);
    });
  }

  test(`keep the promises of timed messages, seeds 0 to ${TIMED_HISTORIES - 1}`, async () => {
    const { held, output } = await runHistories(['--timed', '--count', String(TIMED_HISTORIES)]);
    assert.ok(held, output);
  });

  for (const { name } of MUTANTS) {
    test(`notice a mutant: ${name}`, async () => {
      const { held, output } = await runHistories(['--count', String(MUTANT_HISTORIES)], name.split(':')[0]!);
      assert.ok(!held, `${MUTANT_HISTORIES} histories went by and nothing was noticed`);
      assert.match(output, /^(seed \d+|no end): /, output);
    });
  }
});
