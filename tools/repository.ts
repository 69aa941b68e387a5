import { fileURLToPath } from 'node:url';

/** The repository's root, without a slash at its end. */
export const ROOT = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');

/** Programs that are built into one file each. */
export const APPS = ['namesrv', 'broker', 'replica', 'mqadmin'] as const;
/** One of `APPS`. */
export type App = (typeof APPS)[number];

/**
 * Flags with which the programs run: no `__proto__` tricks, no code from strings, and no more than 48 MiB for what has just been
 * made (three times a semi-space): nearly all of it is garbage soon, and of more V8's helper threads would mark more. The whole
 * heap is looked at when it has tripled, not some 10 MiB after the last time: buffers of sockets and disks, which count as heap,
 * come to that several times a second.
 */
export const NODE_FLAGS = [
  '--disable-proto=throw',
  '--disallow-code-generation-from-strings',
  '--max-semi-space-size=16',
  '--heap-growing-percent=200',
] as const;

/** Command line that runs a program: its bundle, or its sources as they are. */
export function appCommand(app: App, from: 'bundle' | 'source'): string[] {
  return from === 'bundle'
    ? [process.execPath, ...NODE_FLAGS, `${ROOT}/apps/${app}/dist/main.js`]
    : [process.execPath, '--conditions=@orbitmq/source', `${ROOT}/apps/${app}/src/main.ts`];
}
