import { setTimeout as sleep } from 'node:timers/promises';
import type { ServiceProcess } from './service-process.ts';

/** Times between the end of a service and its next start. */
export interface RestartPauses {
  readonly shortestMs: number;
  /** Pauses double up to this while the service ends soon after each start. */
  readonly longestMs: number;
  /** What has run so long has not ended soon. */
  readonly soonMs: number;
}

const PAUSES: RestartPauses = { shortestMs: 500, longestMs: 10_000, soonMs: 5_000 };

/**
 * Starts a running service again whenever it fails or is killed, as a service manager would. Settles when it was stopped
 * in order, after which it stays so.
 *
 * @param stopping from then on nothing is started any more
 * @param say is told what happens, for people
 */
export async function keepRunning(
  service: ServiceProcess,
  stopping: AbortSignal,
  say: (text: string) => void,
  pauses: RestartPauses = PAUSES,
): Promise<void> {
  let pauseMs = pauses.shortestMs;
  for (;;) {
    const startedMs = performance.now();
    const { code } = await service.ended;
    if (stopping.aborted) return;
    if (code === 0) {
      say(`${service.name} was stopped; it stays so until the next start.`);
      return;
    }
    if (performance.now() - startedMs > pauses.soonMs) pauseMs = pauses.shortestMs;
    say(`${service.name} ${service.describeEnd()}; it is started again. Its log is ${service.options.logFile}.`);
    await sleep(pauseMs);
    if (stopping.aborted) return;
    service.start();
    pauseMs = Math.min(2 * pauseMs, pauses.longestMs);
  }
}
