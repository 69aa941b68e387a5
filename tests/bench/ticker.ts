import { Worker } from 'node:worker_threads';
import { Latencies } from './measure.ts';
import type { TickerThreadData } from './ticker-thread.ts';

/** Time for the thread to start. */
const LEAD_MS = 200;
const NS_PER_MS = 1e6;

/**
 * Calls at a fixed rate, by a thread that does nothing but sleep. Timers of an event loop are up to 2 ms late by
 * themselves, as they count whole milliseconds; a sleeping thread is woken within 0.1 ms where a core is free.
 */
export class Ticker {
  /** When the first tick is due, by `performance.now()`. */
  readonly beginMs: number;
  readonly #lateMs: Float64Array;
  readonly #thread: Worker;

  constructor(options: { readonly intervalMs: number; readonly tickCount: number; readonly onTick: () => void }) {
    const { intervalMs, tickCount, onTick } = options;
    this.#lateMs = new Float64Array(new SharedArrayBuffer(tickCount * Float64Array.BYTES_PER_ELEMENT)).fill(Number.NaN);
    const beginNs = process.hrtime.bigint() + BigInt(LEAD_MS * NS_PER_MS);
    this.beginMs = performance.now() + LEAD_MS;
    const workerData: TickerThreadData = { beginNs, intervalMs, lateMs: this.#lateMs };
    this.#thread = new Worker(new URL('./ticker-thread.ts', import.meta.url), { workerData });
    this.#thread.on('message', onTick);
  }

  /** How late the thread itself was, which has nothing else to do: what the machine adds to whatever sleeps. */
  get lateness(): Latencies {
    const lateness = new Latencies();
    for (const lateMs of this.#lateMs) if (!Number.isNaN(lateMs)) lateness.add(lateMs);
    return lateness;
  }

  async stop(): Promise<void> {
    await this.#thread.terminate();
  }
}
