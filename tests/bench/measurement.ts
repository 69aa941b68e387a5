import { setTimeout as sleep } from 'node:timers/promises';
import type { LoadResult } from './load-run.ts';
import { median, readRssBytes, readUsage } from './measure.ts';
import type { BenchTarget, TargetName } from './targets.ts';

/** What was going on before is over by then. */
const SETTLE_MS = 300;
/** A load generator that is busy for a greater share of the time may be what bounds the rate. */
const BUSY_SHARE_MAX = 0.85;

/** Figures of one measurement by their names, which end in their units. */
export type Figures = Readonly<Record<string, number>>;

/** One line of the results of a scenario. */
export interface Measurement {
  readonly scenario: string;
  readonly target: TargetName | 'engine';
  /** What was measured. */
  readonly name: string;
  readonly figures: Figures;
  /** The text of one failure. */
  readonly failure: string | undefined;
}

/** Figures that every load has. CPU, bytes and failures are those of the load alone. */
export interface LoadFigures {
  readonly messagesPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  /** Per message, of all server processes together. */
  readonly serverCpuMicroseconds: number;
  /** Per message. */
  readonly generatorCpuMicroseconds: number;
  /** Share of the time in which the generator was busy; near 1, it bounds the rate. */
  readonly generatorBusyShare: number;
  /** Per message, what the server processes made the kernel write to the disk. */
  readonly writtenBytes: number;
  readonly rssMib: number;
  readonly messageCount: number;
  readonly failureCount: number;
}

/** Figures of a load, and the text of one failure. */
export interface MeasuredLoad {
  readonly figures: LoadFigures;
  readonly failure: string | undefined;
}

/** Runs a load on one target and looks at what its processes use meanwhile. */
export async function measureLoad(target: BenchTarget, run: () => Promise<LoadResult>): Promise<MeasuredLoad> {
  await sleep(SETTLE_MS);
  const before = readUsage(target.pids);
  const result = await run();
  const after = readUsage(target.pids);
  const [p50Ms, p99Ms, p999Ms] = result.latencies.quantiles([0.5, 0.99, 0.999]);
  const figures = {
    messagesPerSecond: (result.messageCount / result.elapsedMs) * 1000,
    p50Ms: p50Ms!,
    p99Ms: p99Ms!,
    p999Ms: p999Ms!,
    serverCpuMicroseconds: (after.cpuMicroseconds - before.cpuMicroseconds) / result.messageCount,
    generatorCpuMicroseconds: result.generatorCpuMicroseconds / result.messageCount,
    generatorBusyShare: result.generatorCpuMicroseconds / (result.elapsedMs * 1000),
    writtenBytes: (after.writtenBytes - before.writtenBytes) / result.messageCount,
    rssMib: rssMib(target),
    messageCount: result.messageCount,
    failureCount: result.failureCount,
  };
  return { figures, failure: result.failure };
}

/** The medians of several rounds; of failures the sum. */
export function medianLoad(rounds: readonly MeasuredLoad[]): MeasuredLoad {
  const figures = Object.fromEntries(
    (Object.keys(rounds[0]!.figures) as (keyof LoadFigures)[]).map((name) => [
      name,
      median(rounds.map((round) => round.figures[name])),
    ]),
  ) as Record<keyof LoadFigures, number>;
  const failureCount = rounds.reduce((sum, round) => sum + round.figures.failureCount, 0);
  const failure = rounds.find((round) => round.failure !== undefined)?.failure;
  return { figures: { ...figures, failureCount }, failure };
}

/** Resident memory of all processes of a target. */
export function rssMib(target: BenchTarget): number {
  return readRssBytes(target.pids) / 2 ** 20;
}

/** Runs `work` and gives the most memory that the target had meanwhile, looking ten times a second. */
export async function peakRssMib<T>(target: BenchTarget, work: () => Promise<T>): Promise<[result: T, mib: number]> {
  let mib = rssMib(target);
  const timer = setInterval(() => {
    mib = Math.max(mib, rssMib(target));
  }, 100);
  try {
    return [await work(), mib];
  } finally {
    clearInterval(timer);
  }
}

/** One line for people. */
export function measurementLine({ target, name, figures, failure }: Measurement): string {
  const parts = Object.entries(figures).map(([key, value]) => `${key} ${shortNumber(value)}`);
  const busy = figures.generatorBusyShare ?? 0;
  const notes = [
    ...(busy > BUSY_SHARE_MAX ? ['THE LOAD GENERATOR WAS BUSY: the rate may be its own'] : []),
    ...(failure === undefined ? [] : [failure.slice(0, 160)]),
  ];
  return `${target.padEnd(8)} ${name}: ${[...parts, ...notes].join(', ')}`;
}

function shortNumber(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (Number.isInteger(value)) return String(value);
  return value.toFixed(Math.abs(value) < 10 ? 2 : Math.abs(value) < 1000 ? 1 : 0);
}
