import type { ChildProcess } from 'node:child_process';
import { constants } from 'node:os';

const running = new Set<ChildProcess>();
let guarded = false;

/** Kills a child when this process ends before it. */
export function endWithThisProcess(child: ChildProcess): void {
  guard();
  const forget = (): void => void running.delete(child);
  running.add(child);
  child.once('exit', forget);
  child.once('error', forget);
}

function guard(): void {
  if (guarded) return;
  guarded = true;
  process.on('exit', () => {
    for (const child of running) child.kill('SIGKILL');
  });
  // A signal that nobody handles would end this process without the event above.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    if (process.listenerCount(signal) === 0) process.once(signal, () => process.exit(128 + constants.signals[signal]));
  }
}
