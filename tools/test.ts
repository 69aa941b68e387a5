import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleApps } from './bundle.ts';
import { ROOT } from './repository.ts';
import type { TestRecord } from './test-record.ts';

/** One thing that `npm test` does. Steps run one after the other; a failed one does not stop the rest. */
interface Step {
  readonly name: string;
  readonly says: string;
  run(): Promise<readonly TestRecord[]>;
}

const BIN = `${ROOT}/node_modules/.bin`;

/** A program that passes when its exit code is 0. */
function check(name: string, says: string, commands: Readonly<Record<string, readonly string[]>>): Step {
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

interface TestOptions {
  readonly patterns: readonly string[];
  /** Test files that run at the same time. */
  readonly concurrency: number;
  /** For one test. */
  readonly timeoutMs: number;
  /** They need the programs as they are shipped. */
  readonly bundles?: boolean;
}

/** Files of node:test. */
function tests(name: string, says: string, options: TestOptions): Step {
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

async function runTestFiles(files: readonly string[], options: TestOptions): Promise<readonly TestRecord[]> {
  const directory = mkdtempSync(join(tmpdir(), 'orbitmq-test-'));
  try {
    const recordFile = join(directory, 'records.jsonl');
    const code = await execute([
      process.execPath,
      '--conditions=@orbitmq/source',
      '--test',
      `--test-concurrency=${options.concurrency}`,
      `--test-timeout=${options.timeoutMs}`,
      `--test-reporter=${ROOT}/tools/test-reporter.ts`,
      '--test-reporter-destination=stdout',
      `--test-reporter=${ROOT}/tools/test-record.ts`,
      `--test-reporter-destination=${recordFile}`,
      ...files,
    ]);
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

function execute(command: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const [program, ...rest] = command;
    const child = spawn(program!, rest, {
      cwd: ROOT,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, NX_DAEMON: 'false', NX_NO_CLOUD: 'true', NX_TUI: 'false', FORCE_COLOR: '0' },
    });
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

const script = (name: string): readonly string[] => [
  process.execPath,
  '--conditions=@orbitmq/source',
  `${ROOT}/tools/${name}`,
];
const MINUTE_MS = 60_000;

const STEPS: readonly Step[] = [
  check('lint', 'format, lint rules, module boundaries, foreign packages', {
    biome: [`${BIN}/biome`, 'ci', '--colors=off', '.'],
    // Module boundaries are checked against this graph, which then lies in the cache.
    'project graph': [`${BIN}/nx`, 'show', 'projects', '--json'],
    'module boundaries': [`${BIN}/eslint`, '.'],
    'foreign packages': script('supply.ts'),
  }),
  check('typecheck', 'all projects, strict', { tsc: [`${BIN}/tsc`, '-b'] }),
  check('generated', 'generated code and reference pages are those of their sources', {
    protocol: [...script('gen-proto.ts'), '--check'],
    reference: [...script('gen-docs.ts'), '--check'],
  }),
  tests('unit', 'beside the sources', {
    patterns: ['libs/*/src/**/*.test.ts', 'apps/*/src/**/*.test.ts', 'tools/**/*.test.ts'],
    concurrency: 2,
    timeoutMs: 2 * MINUTE_MS,
    bundles: true,
  }),
  tests('sim', 'the engine over a simulated disk, by seed', {
    patterns: ['tests/sim/**/*.test.ts'],
    concurrency: 2,
    timeoutMs: 10 * MINUTE_MS,
  }),
  tests('e2e', 'real processes', {
    patterns: ['tests/e2e/**/*.test.ts', 'tests/compare/**/*.test.ts', 'tests/*.test.ts'],
    concurrency: 1,
    timeoutMs: 5 * MINUTE_MS,
    bundles: true,
  }),
  tests('chaos', 'kill, power loss, broken disks, hostile clients', {
    patterns: ['tests/chaos/**/*.test.ts', 'tests/faults/**/*.test.ts'],
    concurrency: 1,
    timeoutMs: 10 * MINUTE_MS,
    bundles: true,
  }),
  tests('interop', 'official clients of other languages', {
    patterns: ['tests/interop/**/*.test.ts'],
    concurrency: 1,
    timeoutMs: 10 * MINUTE_MS,
    bundles: true,
  }),
];

async function main(): Promise<number> {
  const wanted = process.argv.slice(2);
  const unknown = wanted.filter((name) => !STEPS.some((step) => step.name === name));
  if (unknown.length > 0) {
    console.error(`there is no step ${unknown.join(', ')}: there are ${STEPS.map((step) => step.name).join(', ')}`);
    return 1;
  }
  const steps = wanted.length === 0 ? STEPS : STEPS.filter((step) => wanted.includes(step.name));
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
async function runStep(step: Step): Promise<readonly TestRecord[]> {
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

process.exitCode = await main();
