import { spawnSync } from 'node:child_process';
import { ROOT } from './repository.ts';

/** Makes everything that is generated: protocol code, reference pages, and values of the chart. `--check` only compares. */
for (const script of ['gen-proto.ts', 'gen-docs.ts', 'gen-chart.ts']) {
  console.log(script);
  const command = ['--conditions=@orbitmq/source', `${ROOT}/tools/${script}`, ...process.argv.slice(2)];
  const { status } = spawnSync(process.execPath, command, { cwd: ROOT, stdio: 'inherit' });
  if (status !== 0) process.exitCode = 1;
}
