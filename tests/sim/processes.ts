import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const here = dirname(fileURLToPath(import.meta.url));

/** A mutant that makes a history go on for ever has been noticed, too. Milliseconds. */
const MUTANT_TIMEOUT_MS = 90_000;

/**
 * Runs histories in a process of its own (see `run.ts`); gives what it says, and whether all promises held.
 * @param mutant name of a small wrong that is put into the engine
 */
export async function runHistories(
  args: readonly string[],
  mutant?: string,
): Promise<{ readonly held: boolean; readonly output: string }> {
  const hooks = mutant === undefined ? [] : ['--import', join(here, 'mutate.ts')];
  const command = ['--conditions=@orbitmq/source', ...hooks, join(here, 'run.ts'), ...args];
  if (mutant !== undefined) command.push('--mutant', mutant);
  try {
    const timeout = mutant === undefined ? 0 : MUTANT_TIMEOUT_MS;
    const { stdout } = await promisify(execFile)(process.execPath, command, { timeout, killSignal: 'SIGKILL' });
    return { held: true, output: stdout };
  } catch (error) {
    const { stdout, stderr, killed } = error as { stdout?: string; stderr?: string; killed?: boolean };
    if (killed) return { held: false, output: `no end: a history goes on after ${MUTANT_TIMEOUT_MS} ms` };
    return { held: false, output: `${stdout ?? ''}${stderr ?? ''}${stdout === undefined ? String(error) : ''}` };
  }
}
