import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { MUTANTS } from './mutants.ts';

const here = dirname(fileURLToPath(import.meta.url));
const HISTORIES = 1000;
/** Histories within which every mutant must have been noticed. */
const MUTANT_HISTORIES = 150;
const PROCESSES = 2;

/** Runs histories in a process of its own; gives what it says, and whether all promises held. */
async function run(args: readonly string[], mutant?: string): Promise<{ held: boolean; output: string }> {
  const hooks = mutant === undefined ? [] : ['--import', join(here, 'mutate.ts')];
  const command = ['--conditions=@orbitmq/source', ...hooks, join(here, 'run.ts'), ...args];
  if (mutant !== undefined) command.push('--mutant', mutant);
  try {
    const { stdout } = await promisify(execFile)(process.execPath, command);
    return { held: true, output: stdout };
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    return { held: false, output: `${stdout ?? ''}${stderr ?? ''}${stdout === undefined ? String(error) : ''}` };
  }
}

describe('simulated histories of a shard', { concurrency: PROCESSES }, () => {
  for (let part = 0; part < PROCESSES; part++) {
    const count = HISTORIES / PROCESSES;
    test(`keep all promises, seeds ${part * count} to ${(part + 1) * count - 1}`, async () => {
      const { held, output } = await run(['--from', String(part * count), '--count', String(count)]);
      assert.ok(held, output);
    });
  }

  for (const { name } of MUTANTS) {
    test(`notice a mutant: ${name}`, async () => {
      const { held, output } = await run(['--count', String(MUTANT_HISTORIES)], name.split(':')[0]!);
      assert.ok(!held, `${MUTANT_HISTORIES} histories went by and nothing was noticed`);
      assert.match(output, /^seed \d+: /, output);
    });
  }
});
