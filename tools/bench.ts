import { spawnSync } from 'node:child_process';
import { ROOT } from './repository.ts';

/** Runs the benchmark of whole paths; its options are in tests/bench/README.md. */
const command = ['--conditions=@orbitmq/source', `${ROOT}/tests/bench/main.ts`, ...process.argv.slice(2)];
process.exitCode = spawnSync(process.execPath, command, { cwd: ROOT, stdio: 'inherit' }).status ?? 1;
