// Every script of package.json begins here: installs what is missing, then runs the script on Node 24.
// Runs on the Node that the machine has (20 or later), before anything is installed: Node's own modules only.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { delimiter, dirname } from 'node:path';
import { findNode, install, isInstalled, nodeMissing, ROOT } from './install.mjs';

const [script, ...scriptArguments] = process.argv.slice(2);

try {
  if (!isInstalled()) await install();
} catch (error) {
  fail(`the dependencies could not be installed: ${error.message}`);
}
const node = findNode();
if (node === undefined) fail(nodeMissing());

const child = spawn(node, ['--conditions=@orbitmq/source', `${ROOT}/${script}`, ...scriptArguments], {
  stdio: 'inherit',
  env: { ...process.env, PATH: `${dirname(node)}${delimiter}${ROOT}/node_modules/.bin${delimiter}${process.env.PATH}` },
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  // A terminal sends Ctrl-C to the child as well.
  process.on(signal, () => (signal === 'SIGINT' && process.stdin.isTTY ? undefined : child.kill(signal)));
}
// A parent that is killed tells nobody: then it ends here as well, instead of going on unseen.
const parent = process.ppid;
setInterval(() => process.ppid === parent || child.kill('SIGTERM'), 500).unref();
child.once('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));

function fail(message) {
  console.error(`orbitmq: ${message}`);
  process.exit(1);
}
