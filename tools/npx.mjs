// What npx starts outlives it: npx ends by a signal without passing it on to more than its shell. Node's own modules only.
import { readFileSync } from 'node:fs';

const LOOK_MS = 250;

/**
 * Calls `end` once the npx that has started `program`, which this is, is gone: with SIGTERM when it was stopped, with SIGKILL when it was
 * killed. Whoever else has started it, also a script under npx, may go and leave it running.
 */
export function whenNpxIsGone(program, end) {
  const { npm_command: command, npm_lifecycle_script: script } = process.env;
  if (command !== 'exec' || script?.replaceAll("'", '') !== program) return;
  const shell = process.ppid;
  const npx = parentOf(shell);
  const timer = setInterval(() => {
    const isStopped = process.ppid !== shell;
    // The shell between them ends by what stops npx, and outlives it when it is killed.
    if (!isStopped && parentOf(shell) === npx) return;
    clearInterval(timer);
    end(isStopped ? 'SIGTERM' : 'SIGKILL');
  }, LOOK_MS).unref();
}

/** Process id of the parent of `processId`, where Linux tells. */
function parentOf(processId) {
  try {
    // "pid (name) state parent …"; a name may hold blanks and parentheses.
    return readFileSync(`/proc/${processId}/stat`, 'latin1').split(') ').at(-1).split(' ')[1];
  } catch {
    return undefined;
  }
}
