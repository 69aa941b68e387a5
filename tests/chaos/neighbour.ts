import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const PAUSE_MS = 10;

/**
 * Makes a call again and again for as long as `work` takes.
 * @param pid of the process that answers the call
 * @returns milliseconds that the slowest call took, without those in which the server or the caller could have run but got no CPU: a
 * busy machine is not the server's fault
 */
export async function slowestCallMs(call: () => Promise<unknown>, pid: number, work: Promise<void>): Promise<number> {
  let isOver = false;
  const over = work.finally(() => {
    isOver = true;
  });
  let slowestMs = 0;
  while (!isOver) {
    const startedMs = performance.now();
    const waitedBeforeMs = cpuWaitMs(pid) + cpuWaitMs(process.pid);
    await call();
    const waitedMs = cpuWaitMs(pid) + cpuWaitMs(process.pid) - waitedBeforeMs;
    slowestMs = Math.max(slowestMs, performance.now() - startedMs - waitedMs);
    await sleep(PAUSE_MS);
  }
  await over;
  return slowestMs;
}

/** How long the main thread of a process has waited for a CPU so far; 0 where the kernel does not tell. */
function cpuWaitMs(pid: number): number {
  const path = `/proc/${pid}/schedstat`;
  return existsSync(path) ? Number(readFileSync(path, 'latin1').split(' ')[1]) / 1e6 : 0;
}
