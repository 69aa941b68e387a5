import { spawnSync } from 'node:child_process';
import { ROOT } from './repository.ts';

/** Lints everything, or formats it with `--fix`. */
const fix = process.argv.includes('--fix');
const commands = [
  // Module boundaries are checked against the graph of projects, which this puts into the cache.
  ['nx', 'show', 'projects'],
  ['biome', ...(fix ? ['check', '--write'] : ['ci']), '.'],
  ['eslint', ...(fix ? ['--fix'] : []), '.'],
];
for (const [program, ...rest] of commands) {
  console.log(`${program} ${rest.join(' ')}`);
  const { status } = spawnSync(`${ROOT}/node_modules/.bin/${program}`, rest, {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, NX_DAEMON: 'false' },
  });
  if (status !== 0) process.exitCode = 1;
}
