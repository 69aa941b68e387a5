import type { Clock } from '@orbitmq/base';

/** Waits until a client has taken enough for more; false when it takes nothing for `patienceMs`. */
export function isTaken(clock: Clock, drained: Promise<void>, patienceMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = clock.setTimer(patienceMs, () => resolve(false));
    void drained.then(() => {
      timer.cancel();
      resolve(true);
    });
  });
}
