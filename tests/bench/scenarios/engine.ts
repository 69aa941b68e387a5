import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ROOT } from '@orbitmq/tools';
import type { Results, Scenario } from '../scenario.ts';

const NAME = 'engine';

/** The benches beside the code, and what they are told; `DIRECTORY` stands for an empty one. */
const BENCHES: readonly (readonly string[])[] = [
  ['libs/storage/src/log.bench.ts', 'DIRECTORY'],
  ['libs/shard/src/shard.bench.ts', 'DIRECTORY', 'send'],
  ['libs/shard/src/shard.bench.ts', 'DIRECTORY', 'drain'],
  ['libs/shard/src/shard.bench.ts', 'DIRECTORY', 'groups'],
  ['libs/messaging/src/filters.bench.ts', 'DIRECTORY'],
  ['libs/shard/src/shard.bench.ts', 'DIRECTORY', 'transactions'],
  ['libs/shard/src/shard.bench.ts', 'DIRECTORY', 'restart'],
  ['libs/shard/src/shard.bench.ts', 'DIRECTORY', 'topics'],
  ['libs/shard/src/timers.bench.ts', '--directory', 'DIRECTORY'],
  ['libs/protocol/src/send-request.bench.ts'],
  ['libs/filter/src/sql/sql-expression.bench.ts'],
];

/** What the transport would hide: the benches of the libraries, each in a process of its own. */
export const engine: Scenario = {
  name: NAME,
  summary: 'the benches of the libraries, without gRPC: log, shard, timers, wire, SQL',
  async run({ results }) {
    for (const [program, ...args] of BENCHES) {
      const directory = mkdtempSync(join(tmpdir(), 'orbitmq-bench-'));
      const told = args.map((argument) => (argument === 'DIRECTORY' ? directory : argument));
      await runBench(results, program!, told).finally(() => rmSync(directory, { recursive: true, force: true }));
    }
  },
};

/** Takes the lines of JSON that a bench prints; other lines are shown as they are. */
async function runBench(results: Results, program: string, args: readonly string[]): Promise<void> {
  results.print(`# ${[program, ...args].join(' ')}`);
  const child = spawn(process.execPath, ['--conditions=@orbitmq/source', '--expose-gc', join(ROOT, program), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const killAtExit = () => child.kill('SIGKILL');
  process.once('exit', killAtExit);
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
  for await (const line of createInterface({ input: child.stdout })) {
    const { name, ...figures } = line.startsWith('{') ? (JSON.parse(line) as Record<string, number | string>) : {};
    if (typeof name !== 'string') results.print(line);
    else results.add({ scenario: NAME, target: 'engine', name, figures: numbersOf(figures), failure: undefined });
  }
  const code = await closed;
  process.off('exit', killAtExit);
  if (code !== 0) throw new Error(`${program} ended with ${code}`);
}

function numbersOf(figures: Readonly<Record<string, unknown>>): Record<string, number> {
  const numbers = Object.entries(figures).filter((entry): entry is [string, number] => typeof entry[1] === 'number');
  return Object.fromEntries(numbers);
}
