import { rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MIB } from '@orbitmq/base';
import type { Member } from '../../cluster.ts';
import { replicationOf, waitForInSync } from '../../replication-state.ts';
import type { LoadResult } from '../load-run.ts';
import { median, readUsage } from '../measure.ts';
import { type LoadFigures, type MeasuredLoad, measureLoad, medianLoad } from '../measurement.ts';
import { freshGroup, type Scenario, type ScenarioContext } from '../scenario.ts';
import { runSendLoad } from '../send-load.ts';
import { SendRequestTemplate } from '../send-template.ts';
import { type BenchTarget, type BrokerRole, isNoop, startTarget } from '../targets.ts';

const NAME = 'replication';
const TOPIC = 'bench-replicated';
/** Calls that are open while a fresh slave catches up. */
const CATCH_UP_CALLS = 64;
/** Messages in a call while a log is laid up. */
const LAYING_UP_COUNT = 12;
/** How often a slave is asked how far it is. */
const LOOK_MS = 100;
const CATCH_UP_MS_MAX = 600_000;

/** Sends with and without a slave, and how quickly a fresh slave gets the log. */
export const replication: Scenario = {
  name: NAME,
  summary: 'sends to a broker alone, with a slave, and with one that is waited for; catching up of a fresh slave',
  async run(context) {
    const sides: Side[] = [];
    try {
      for (const name of context.options.targets) {
        if (isNoop(name)) continue;
        for (const pairedAs of [undefined, 'ASYNC_MASTER', 'SYNC_MASTER'] as const) {
          if (name === 'apache' && pairedAs !== 'SYNC_MASTER') continue;
          const settings = { flushDiskType: 'ASYNC_FLUSH', ...(pairedAs === undefined ? {} : { pairedAs }) } as const;
          sides.push({ target: await startTarget(name, settings), pairedAs });
        }
      }
      await compare(context, sides);
      for (const side of sides) {
        const pair = side.target.slave?.pair;
        if (pair !== undefined && side.pairedAs === 'ASYNC_MASTER') await catchUp(context, side, pair);
      }
    } finally {
      for (const { target } of sides) await target.stop();
    }
  },
};

/** A server with or without a slave. */
interface Side {
  readonly target: BenchTarget;
  readonly pairedAs: BrokerRole | undefined;
}

type Pair = NonNullable<NonNullable<BenchTarget['slave']>['pair']>;

/** A load, and what the slave spent on it. */
interface PairLoad {
  readonly load: MeasuredLoad;
  readonly slaveCpuMicroseconds: number;
  /** Per message, what the slave read: of its connection, and of its files as far as it has forgotten them. */
  readonly slaveReadBytes: number;
}

async function compare({ options, results }: ScenarioContext, sides: readonly Side[]): Promise<void> {
  for (const { target } of sides) {
    await target.createTopic(TOPIC, 'NORMAL');
    await send(target, { concurrency: CATCH_UP_CALLS, durationMs: options.warmUpMs, bodyBytes: options.bodyBytes });
  }
  for (const concurrency of options.concurrencies) {
    const rounds = new Map<Side, PairLoad[]>();
    for (let round = 0; round < options.roundCount; round++) {
      for (const side of sides) {
        const { durationMs, bodyBytes } = options;
        const load = await measurePair(side.target, () => send(side.target, { concurrency, durationMs, bodyBytes }));
        rounds.set(side, [...(rounds.get(side) ?? []), load]);
      }
    }
    const alone = rounds.values().next().value;
    for (const [{ target, pairedAs }, loads] of rounds) {
      const { figures, failure } = medianLoad(loads.map(({ load }) => load));
      results.add({
        scenario: NAME,
        target: target.name,
        name: `send at ${concurrency}, ${pairedAs ?? 'no slave'}`,
        figures: { ...figures, ...slaveFigures(loads), rateOfAlone: median(ratesOf(loads, alone ?? loads)) },
        failure,
      });
    }
  }
}

/** Rates as shares of those of the first side in the same round. */
function ratesOf(loads: readonly PairLoad[], alone: readonly PairLoad[]): number[] {
  const rate = ({ load }: PairLoad): number => load.figures.messagesPerSecond;
  return loads.map((load, round) => rate(load) / rate(alone[round]!));
}

function slaveFigures(loads: readonly PairLoad[]): Record<string, number> {
  const slaveCpuMicroseconds = median(loads.map((load) => load.slaveCpuMicroseconds));
  if (Number.isNaN(slaveCpuMicroseconds)) return {};
  return { slaveCpuMicroseconds, slaveReadBytes: median(loads.map((load) => load.slaveReadBytes)) };
}

async function measurePair(target: BenchTarget, run: () => Promise<LoadResult>): Promise<PairLoad> {
  const { slave } = target;
  const before = slave && readUsage([slave.pid]);
  const load = await measureLoad(target, run);
  const after = slave && readUsage([slave.pid]);
  const { messageCount } = load.figures;
  const spent = (what: 'cpuMicroseconds' | 'readBytes'): number =>
    before === undefined || after === undefined ? Number.NaN : (after[what] - before[what]) / messageCount;
  return { load, slaveCpuMicroseconds: spent('cpuMicroseconds'), slaveReadBytes: spent('readBytes') };
}

function send(
  target: BenchTarget,
  how: { concurrency: number; bodyBytes: number; durationMs?: number; countMax?: number; messageCount?: number },
): Promise<LoadResult> {
  const { bodyBytes, messageCount = 1, ...bounds } = how;
  const template = new SendRequestTemplate({ topic: TOPIC, bodyBytes, messageCount });
  return runSendLoad({ port: target.port, template, hasTelemetry: true, ...bounds });
}

/** A fresh slave gets the whole log: of a master that rests, and of one that takes sends. */
async function catchUp({ options, results }: ScenarioContext, { target }: Side, pair: Pair): Promise<void> {
  const { bodyBytes, catchUpBytes, durationMs } = options;
  for (;;) {
    const missingBytes = catchUpBytes - Number((await replicationOf(pair.master))?.endOffset ?? 0);
    if (missingBytes <= 0) break;
    const countMax = Math.ceil(missingBytes / bodyBytes);
    await send(target, { concurrency: CATCH_UP_CALLS, bodyBytes, messageCount: LAYING_UP_COUNT, countMax });
  }
  await waitForInSync(pair.master, 2);
  const add = (name: string, figures: Record<string, number>, failure?: string) =>
    results.add({ scenario: NAME, target: target.name, name, figures, failure });
  add('the disk, one after the other', { mbPerSecond: await diskRate(dirname(pair.slave.dataDirectory)) });
  add('a fresh slave of a master at rest', await refill(target, pair));
  const concurrency = CATCH_UP_CALLS;
  const quiet = await measureLoad(target, () => send(target, { concurrency, bodyBytes, durationMs }));
  const load: { ended?: Promise<MeasuredLoad> } = {};
  const bounds = { concurrency, bodyBytes, durationMs: 2 * durationMs };
  const figures = await refill(target, pair, () => {
    load.ended = measureLoad(target, () => send(target, bounds));
  });
  const beside = await load.ended!;
  add(
    'a fresh slave beside sends at 64',
    { ...figures, ...sendFigures(quiet.figures, beside.figures) },
    beside.failure,
  );
}

function sendFigures(quiet: LoadFigures, beside: LoadFigures): Record<string, number> {
  const { messagesPerSecond, p99Ms, generatorBusyShare } = beside;
  return {
    ...{ messagesPerSecond, p99Ms, generatorBusyShare },
    ...{ messagesPerSecondBefore: quiet.messagesPerSecond, p99MsBefore: quiet.p99Ms },
  };
}

/** Takes everything from the slave, starts it, and looks how quickly it has what the master had when it began. */
async function refill(
  target: BenchTarget,
  { master, slave }: Pair,
  onStart = (): void => {},
): Promise<Record<string, number>> {
  await slave.stop();
  rmSync(slave.dataDirectory, { recursive: true, force: true });
  await waitForInSync(master, 1);
  slave.start();
  const { storedBytes: firstBytes } = await look(master, (storedBytes) => storedBytes > 0);
  const beginMs = performance.now();
  onStart();
  const masterBefore = readUsage(target.pids);
  const slaveBefore = readUsage([slave.pid!]);
  const endBytes = Number((await replicationOf(master))!.endOffset);
  await look(master, (storedBytes) => storedBytes >= endBytes);
  const elapsedMs = performance.now() - beginMs;
  const megabytes = (endBytes - firstBytes) / 1e6;
  const masterMs = (readUsage(target.pids).cpuMicroseconds - masterBefore.cpuMicroseconds) / 1000;
  const slaveMs = (readUsage([slave.pid!]).cpuMicroseconds - slaveBefore.cpuMicroseconds) / 1000;
  await waitForInSync(master, 2);
  return {
    mbPerSecond: megabytes / (elapsedMs / 1000),
    masterCpuMsPerMb: masterMs / megabytes,
    slaveCpuMsPerMb: slaveMs / megabytes,
    megabytes,
  };
}

/** Waits until the slave has stored what is wanted, as its master knows. */
async function look(master: Member, isWanted: (storedBytes: number) => boolean): Promise<{ storedBytes: number }> {
  const endMs = performance.now() + CATCH_UP_MS_MAX;
  for (;;) {
    const follower = (await replicationOf(master))?.followers[0];
    const storedBytes = Number(follower?.storedOffset ?? 0);
    if (isWanted(storedBytes)) return { storedBytes };
    if (performance.now() > endMs) throw new Error(`the slave is at ${storedBytes} after ${CATCH_UP_MS_MAX} ms`);
    await sleep(LOOK_MS);
  }
}

/** Megabytes a second that the disk takes of one file, with the fsync at its end. */
async function diskRate(directory: string): Promise<number> {
  const path = join(directory, `disk-${freshGroup()}`);
  const bytes = Buffer.alloc(MIB, 'disk');
  const count = 256;
  const file = await open(path, 'w');
  try {
    const beginMs = performance.now();
    for (let index = 0; index < count; index++) await file.write(bytes);
    await file.sync();
    return (count * MIB) / 1000 / (performance.now() - beginMs);
  } finally {
    await file.close();
    rmSync(path);
  }
}
