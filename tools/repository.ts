import { fileURLToPath } from 'node:url';
import { nodeFlags } from './node-flags.mjs';

/** The repository's root, without a slash at its end. */
export const ROOT = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');

/** Programs that are built into one file each. */
export const APPS = ['namesrv', 'broker', 'replica', 'mqadmin'] as const;
/** One of `APPS`. */
export type App = (typeof APPS)[number];

/** Flags with which the programs run. */
export const NODE_FLAGS: readonly string[] = nodeFlags();

/** Command line that runs a program: its bundle, or its sources as they are. */
export function appCommand(app: App, from: 'bundle' | 'source'): string[] {
  return from === 'bundle'
    ? [process.execPath, ...NODE_FLAGS, `${ROOT}/apps/${app}/dist/main.js`]
    : [process.execPath, '--conditions=@orbitmq/source', `${ROOT}/apps/${app}/src/main.ts`];
}
