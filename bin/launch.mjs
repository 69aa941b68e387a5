// What mqnamesrv, mqbroker and mqadmin do when they are called by name: run the program's bundle on Node 24.
// Runs on the Node that the machine has (20 or later): Node's own modules only.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import nodeModule from 'node:module';
import { constants } from 'node:os';
import { basename } from 'node:path';
import { pathToFileURL } from 'node:url';
import { findNode, nodeMissing, ROOT } from '../tools/install.mjs';
import { nodeFlags, SAFE_FLAGS } from '../tools/node-flags.mjs';
import { whenNpxIsGone } from '../tools/npx.mjs';

const END_WITH_PARENT = new URL('../tools/end-with-parent.mjs', import.meta.url).href;

/** Runs `apps/<app>/dist/main.js` in this process when it is a Node 24 with the right flags, else in one that is. */
export async function launch(app) {
  const bundle = `${ROOT}/apps/${app}/dist/main.js`;
  if (!existsSync(bundle)) fail(`it has not been built yet: run "npm run build" in ${ROOT} first`);
  const node = findNode();
  if (node === undefined) fail(nodeMissing());
  if (node === process.execPath && SAFE_FLAGS.every((flag) => process.execArgv.includes(flag))) {
    nodeModule.enableCompileCache();
    whenNpxIsGone(calledName(), (signal) => process.kill(process.pid, signal));
    // The program reads its arguments behind the name of its file.
    process.argv[1] = bundle;
    await import(pathToFileURL(bundle).href);
    return;
  }
  runElsewhere(node, [...nodeFlags(), '--import', END_WITH_PARENT, bundle, ...process.argv.slice(2)]);
}

function runElsewhere(node, nodeArguments) {
  const child = spawn(node, nodeArguments, { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] });
  whenNpxIsGone(calledName(), (signal) => child.kill(signal));
  child.once('error', (error) => fail(error.message));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => (signal === 'SIGINT' && process.stdin.isTTY ? undefined : child.kill(signal)));
  }
  child.once('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

/** `mqbroker` */
function calledName() {
  return basename(process.argv[1] ?? 'orbitmq', '.mjs');
}

function fail(message) {
  console.error(`${calledName()}: ${message}`);
  process.exit(1);
}
