import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { explore, type PowerlossJob, type PowerlossOutcome, shimEnv, verify } from '../faults/powerloss/powerloss.mjs';

/** Why the recorder can't be used here, or false. For the `skip` of a test. */
export const powerlossSkip: string | false =
  process.platform === 'linux' && spawnSync('gcc', ['--version']).status === 0
    ? false
    : 'the recorder of file operations needs Linux and gcc';

/** How a recorded program ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

/**
 * A directory whose file operations are recorded while programs run on it, and from which the states after a loss of power
 * are computed. The program appends to files outside of it what its clients have seen.
 */
export class PowerlossLab {
  /** Everything of this lab; gone after `dispose`. */
  readonly home: string;
  /** The data that is recorded. */
  readonly root: string;
  readonly #log: string;
  readonly #rules: string;

  constructor(name: string) {
    this.home = mkdtempSync(join(tmpdir(), `orbitmq-${name}-`));
    this.root = join(this.home, 'data');
    this.#log = join(this.home, 'log');
    this.#rules = join(this.home, 'rules');
    mkdirSync(this.root);
    this.setRules([]);
  }

  /** I/O faults from now on, one a line, in the language of `tests/faults/powerloss/README.md`. */
  setRules(rules: readonly string[]): void {
    writeFileSync(this.#rules, rules.map((rule) => `${rule}\n`).join(''));
  }

  /** The environment with which a program is recorded: for those who start it themselves. */
  environment(): NodeJS.ProcessEnv {
    return shimEnv({ root: this.root, log: this.#log, rules: this.#rules });
  }

  /** Runs a program of Node under the recorder to its end. */
  record(args: readonly string[]): Promise<Ended> {
    return run(args, this.environment());
  }

  /** @throws Error when the program has written in a way that the recorder does not see */
  checkComplete(): { readonly writes: number; readonly syncs: number } {
    const { diff, writes, syncs } = verify({ root: this.root, log: this.#log });
    if (diff.length > 0) throw new Error(`the record is not complete: ${diff[0]}`);
    return { writes, syncs };
  }

  /**
   * Lays out states after a loss of power and checks each.
   * @param check rejects when the state is not as it must be; it may change the directory
   * @throws Error with what repeats the first state that fails
   */
  async explore(
    options: { readonly max: number; readonly seed: number; readonly names: 'strict' | 'ext4' },
    check: (directory: string, job: PowerlossJob) => Promise<void>,
  ): Promise<PowerlossOutcome> {
    const outcome = await explore({ log: this.#log, out: join(this.home, 'states'), ...options, check });
    const bad = outcome.bad[0];
    if (bad !== undefined) {
      const which = `policy ${bad.policy} at line ${bad.at}, state seed ${bad.seed} (seed ${options.seed}, names ${options.names})`;
      throw new Error(`${which}: ${bad.error}`);
    }
    return outcome;
  }

  dispose(): void {
    rmSync(this.home, { recursive: true, force: true });
  }
}

/** Runs a program of Node to its end, with the sources of this repository. */
export function run(args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--conditions=@orbitmq/source', ...args], {
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let stderr = '';
    child.stderr.on('data', (data) => {
      stderr += data;
    });
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, stderr }));
  });
}
