/** Types of what the tests use of `powerloss.mjs`. */

export interface PowerlossJob {
  readonly at: number;
  readonly policy: string;
  readonly seed: number;
  /** Acknowledgements that were seen before this moment of `process.hrtime.bigint()` must hold. */
  readonly deadline: bigint;
}

export interface PowerlossOutcome {
  readonly tried: number;
  readonly possible: number;
  readonly bad: readonly (PowerlossJob & { readonly error: string; readonly dir: string })[];
}

export function buildShim(directory?: string): string;
export function shimEnv(
  options: { root: string; log?: string; rules?: string },
  env?: NodeJS.ProcessEnv,
): NodeJS.ProcessEnv;
export function explore(options: {
  log: string;
  out: string;
  base?: string;
  max?: number;
  seed?: number;
  step?: number;
  policies?: readonly string[];
  names?: 'strict' | 'ext4';
  fsyncgate?: boolean;
  stopAt?: number;
  check: (directory: string, job: PowerlossJob) => Promise<void> | void;
}): Promise<PowerlossOutcome>;
export function verify(options: { root: string; log: string; base?: string }): {
  readonly diff: readonly string[];
  readonly ops: number;
  readonly writes: number;
  readonly syncs: number;
  readonly mmaps: number;
};
