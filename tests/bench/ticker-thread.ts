import { parentPort, workerData } from 'node:worker_threads';

/** What the thread of a `Ticker` is told. */
export interface TickerThreadData {
  /** Monotonic, as `process.hrtime` has it, which all threads share. */
  readonly beginNs: bigint;
  readonly intervalMs: number;
  /** How late each tick was, in milliseconds, gets written here; its length is the number of ticks. */
  readonly lateMs: Float64Array;
}

const NS_PER_MS = 1e6;
const { beginNs, intervalMs, lateMs } = workerData as TickerThreadData;
const port = parentPort!;
const nobody = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));

function sinceBeginMs(): number {
  return Number(process.hrtime.bigint() - beginNs) / NS_PER_MS;
}

for (let tick = 0; tick < lateMs.length; tick++) {
  const dueMs = tick * intervalMs;
  const leftMs = dueMs - sinceBeginMs();
  if (leftMs > 0) Atomics.wait(nobody, 0, 0, leftMs);
  lateMs[tick] = Math.max(0, sinceBeginMs() - dueMs);
  port.postMessage(undefined);
}
