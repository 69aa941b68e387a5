// Runs on the Node that the machine has (20 or later), before anything is installed: Node's own modules only.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The repository's root, without a slash at its end. */
export const ROOT = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');

const NODE_MAJOR_MIN = 24;

/** Path of a Node that runs TypeScript by itself: this one, or the one that the project brings along; undefined when there is none. */
export function findNode() {
  if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR_MIN) return process.execPath;
  const own = `${ROOT}/node_modules/node-${process.platform}-${process.arch}/bin/node`;
  return existsSync(own) ? own : undefined;
}

/** What to say when `findNode` finds none. */
export function nodeMissing() {
  return `this needs Node ${NODE_MAJOR_MIN}; here is ${process.version}, and the project brings its own Node only for Linux on x64 and arm64: install Node ${NODE_MAJOR_MIN} and try again`;
}

/** Whether node_modules holds what package-lock.json says, by name and version. */
export function isInstalled() {
  const wanted = readJson(`${ROOT}/package-lock.json`);
  const found = readJson(`${ROOT}/node_modules/.package-lock.json`);
  if (!wanted || !found) return false;
  return Object.entries(wanted.packages).every(([path, entry]) => {
    if (!path.startsWith('node_modules/')) return true;
    const installed = found.packages[path];
    return installed ? installed.version === entry.version : entry.optional === true || entry.peer === true;
  });
}

/** Installs exactly what package-lock.json says, and tells how it goes. Throws when npm fails. */
export async function install() {
  const startedMs = Date.now();
  const seconds = () => `${Math.round((Date.now() - startedMs) / 1000)} s`;
  console.log('Installing dependencies (npm ci): about a minute, once.');
  const ticker = setInterval(() => console.log(`  still installing, ${seconds()} …`), 10_000);
  try {
    await run(process.env.npm_execpath?.endsWith('.js') ? [process.execPath, process.env.npm_execpath] : ['npm'], [
      'ci',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
    ]);
  } finally {
    clearInterval(ticker);
  }
  console.log(`Dependencies are installed (${seconds()}).`);
}

function run([program, ...before], after) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...before, ...after], { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] });
    child.once('error', reject);
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`npm ci ended with exit code ${code}`))));
  });
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}
