import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleApps } from './bundle.ts';
import { ROOT } from './repository.ts';
import type { TestRecord } from './test-record.ts';

/** One thing that a test run does. Steps run one after the other; a failed one does not stop the rest. */
export interface TestStep {
  readonly name: string;
  readonly says: string;
  run(): Promise<readonly TestRecord[]>;
}

/** A step of programs that pass when their exit code is 0. @param commands by title */
export function check(name: string, says: string, commands: Readonly<Record<string, readonly string[]>>): TestStep {
  return {
    name,
    says,
    async run() {
      const records: TestRecord[] = [];
      for (const [title, command] of Object.entries(commands)) {
        const code = await execute(command);
        records.push({ outcome: code === 0 ? 'passed' : 'failed', name: `${name}: ${title}` });
      }
      return records;
    },
  };
}

/** Which files of node:test are run, and how. */
export interface TestFilesOptions {
  readonly patterns: readonly string[];
  /** Test files that run at the same time. */
  readonly concurrency: number;
  /** For one test. */
  readonly timeoutMs: number;
  /** They need the programs as they are shipped. */
  readonly bundles?: boolean;
  /** Only tests whose names, beginning with those of what they are in, match one of these; default all. */
  readonly namePatterns?: readonly string[];
  /** Variables for every file. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** A step of files of node:test; when there is none, it has failed. */
export function testFiles(name: string, says: string, options: TestFilesOptions): TestStep {
  return {
    name,
    says,
    async run() {
      const files: string[] = [];
      for await (const file of glob([...options.patterns], {
        cwd: ROOT,
        exclude: (path) => path.includes('node_modules'),
      })) {
        files.push(file);
      }
      if (files.length === 0)
        return [{ outcome: 'failed', name: `${name}: no test file matches ${options.patterns.join(' ')}` }];
      if (options.bundles) await bundleApps();
      return runTestFiles(files.sort(), options);
    },
  };
}

async function runTestFiles(
  files: readonly string[],
  { concurrency, timeoutMs, namePatterns = [], environment }: TestFilesOptions,
): Promise<readonly TestRecord[]> {
  const directory = mkdtempSync(join(tmpdir(), 'orbitmq-test-'));
  try {
    const recordFile = join(directory, 'records.jsonl');
    const code = await execute(
      [
        process.execPath,
        '--conditions=@orbitmq/source',
        `--import=${ROOT}/tools/end-of-tests.ts`,
        `--import=${ROOT}/tools/property-seed.ts`,
        '--test',
        `--test-concurrency=${concurrency}`,
        `--test-timeout=${timeoutMs}`,
        ...namePatterns.map((pattern) => `--test-name-pattern=${pattern}`),
        `--test-reporter=${ROOT}/tools/test-reporter.ts`,
        '--test-reporter-destination=stdout',
        `--test-reporter=${ROOT}/tools/test-record.ts`,
        `--test-reporter-destination=${recordFile}`,
        ...files,
      ],
      environment,
    );
    const lines = readFileSync(recordFile, 'utf8').split('\n').filter(Boolean);
    const records = lines.map((line) => JSON.parse(line) as TestRecord);
    if (code !== 0 && records.every(({ outcome }) => outcome !== 'failed')) {
      return [...records, { outcome: 'failed', name: `the test runner ended with exit code ${code}` }];
    }
    return records;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function execute(command: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const [program, ...rest] = command;
    const child = spawn(program!, rest, {
      cwd: ROOT,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: {
        ...process.env,
        NX_DAEMON: 'false',
        NX_NO_CLOUD: 'true',
        NX_TUI: 'false',
        FORCE_COLOR: '0',
        ...environment,
      },
    });
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

/**
 * Runs steps, and tells how they went; the last line counts the tests of all.
 * @param wanted names of steps; all when there is none
 * @returns exit code of the process
 */
export async function runSteps(all: readonly TestStep[], wanted: readonly string[]): Promise<number> {
  const unknown = wanted.filter((name) => !all.some((step) => step.name === name));
  if (unknown.length > 0) {
    console.error(`there is no step ${unknown.join(', ')}: there are ${all.map((step) => step.name).join(', ')}`);
    return 1;
  }
  const steps = wanted.length === 0 ? all : all.filter((step) => wanted.includes(step.name));
  const startedMs = performance.now();
  const records: TestRecord[] = [];
  for (const [index, step] of steps.entries()) {
    console.log(`[${index + 1}/${steps.length}] ${step.name}: ${step.says}`);
    const stepStartedMs = performance.now();
    const found = await runStep(step);
    records.push(...found);
    console.log(`[${index + 1}/${steps.length}] ${step.name}: ${summary(found)} (${elapsed(stepStartedMs)})\n`);
  }
  for (const record of records.filter(({ outcome }) => outcome === 'skipped'))
    console.log(`skipped: ${record.name}${record.reason ? ` (${record.reason})` : ''}`);
  for (const record of records.filter(({ outcome }) => outcome === 'failed')) console.log(`failed: ${record.name}`);
  console.log(`all steps took ${elapsed(startedMs)}`);
  console.log(summary(records));
  return records.some(({ outcome }) => outcome === 'failed') ? 1 : 0;
}

/** A step that can't even run has failed; the others go on. */
async function runStep(step: TestStep): Promise<readonly TestRecord[]> {
  try {
    return await step.run();
  } catch (error) {
    console.error(error);
    return [
      {
        outcome: 'failed',
        name: `${step.name}: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`,
      },
    ];
  }
}

function summary(records: readonly TestRecord[]): string {
  const count = (outcome: TestRecord['outcome']): number =>
    records.filter((record) => record.outcome === outcome).length;
  return `${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped`;
}

function elapsed(startedMs: number): string {
  return `${((performance.now() - startedMs) / 1000).toFixed(1)} s`;
}
