import type { LoadResult } from '../load-run.ts';
import { median, readUsage } from '../measure.ts';
import { type MeasuredLoad, measureLoad, medianLoad } from '../measurement.ts';
import { runReceiveLoad } from '../receive-load.ts';
import { freshGroup, type Scenario, type ScenarioContext } from '../scenario.ts';
import { runSendLoad } from '../send-load.ts';
import { SendRequestTemplate } from '../send-template.ts';
import { type BenchRelay, type BenchTarget, startTarget } from '../targets.ts';

const NAME = 'relay';
const SENT = 'bench-relayed';
const RECEIVED = 'bench-relayed-backlog';
const WARM_UP_CALLS = 64;
/** Messages in a call while a backlog is laid up. */
const LAYING_UP_COUNT = 12;

/** What a detour by the name server costs. */
export const relay: Scenario = {
  name: NAME,
  summary: 'sends, and receives with acknowledgement, by the name server and to the broker itself',
  async run(context) {
    for (const name of context.options.targets) {
      const target = await startTarget(name, { flushDiskType: 'ASYNC_FLUSH' });
      try {
        if (target.relay !== undefined) await compare(context, target, target.relay);
      } finally {
        await target.stop();
      }
    }
  },
};

type Way = 'direct' | 'relayed';
const WAYS: readonly Way[] = ['direct', 'relayed'];

/** A load by one of the ways, and what the name server spent on it. */
interface WayLoad {
  readonly load: MeasuredLoad;
  readonly relayCpuMicroseconds: number;
}

async function compare({ options, results }: ScenarioContext, target: BenchTarget, relay: BenchRelay): Promise<void> {
  const { bodyBytes, durationMs, backlogCount, warmUpMs } = options;
  await target.createTopic(SENT, 'NORMAL');
  await target.createTopic(RECEIVED, 'NORMAL');
  const portOf = (way: Way): number => (way === 'direct' ? target.port : relay.port);
  const send = (way: Way, concurrency: number, limitMs: number): Promise<LoadResult> => {
    const template = new SendRequestTemplate({ topic: SENT, bodyBytes });
    return runSendLoad({ port: portOf(way), template, concurrency, durationMs: limitMs, hasTelemetry: true });
  };
  const receive = (way: Way, concurrency: number): Promise<LoadResult> => {
    const whom = { port: portOf(way), brokerName: target.brokerName, topic: RECEIVED, groups: [freshGroup()] };
    return runReceiveLoad({ ...whom, concurrency, durationMs, countMax: backlogCount });
  };
  for (const way of WAYS) await send(way, WARM_UP_CALLS, warmUpMs / WAYS.length);
  await layUp(target, backlogCount, bodyBytes);
  for (const concurrency of options.concurrencies) {
    for (const [operation, run] of [
      ['send', (way: Way) => send(way, concurrency, durationMs)],
      ['receive+ack', (way: Way) => receive(way, concurrency)],
    ] as const) {
      const rounds: Record<Way, WayLoad[]> = { direct: [], relayed: [] };
      for (let round = 0; round < options.roundCount; round++) {
        for (const way of WAYS) rounds[way].push(await measure(target, relay, () => run(way)));
      }
      for (const way of WAYS) {
        const { figures, failure } = medianLoad(rounds[way].map(({ load }) => load));
        const added = way === 'direct' ? {} : relayFigures(rounds);
        const name = `${operation} at ${concurrency}, ${way}`;
        results.add({ scenario: NAME, target: target.name, name, figures: { ...figures, ...added }, failure });
      }
    }
  }
}

async function layUp(target: BenchTarget, count: number, bodyBytes: number): Promise<void> {
  const template = new SendRequestTemplate({ topic: RECEIVED, bodyBytes, messageCount: LAYING_UP_COUNT });
  await runSendLoad({ port: target.port, template, concurrency: WARM_UP_CALLS, countMax: count, hasTelemetry: true });
}

async function measure(target: BenchTarget, relay: BenchRelay, run: () => Promise<LoadResult>): Promise<WayLoad> {
  const before = readUsage([relay.pid]).cpuMicroseconds;
  const load = await measureLoad(target, run);
  const spent = readUsage([relay.pid]).cpuMicroseconds - before;
  return { load, relayCpuMicroseconds: spent / load.figures.messageCount };
}

/** What the relayed way has more, and its rate as a share of the other's, by rounds. */
function relayFigures(rounds: Record<Way, readonly WayLoad[]>): Record<string, number> {
  const byRound = (figure: (relayed: WayLoad, direct: WayLoad) => number): number =>
    median(rounds.relayed.map((relayed, round) => figure(relayed, rounds.direct[round]!)));
  const added = (name: 'p50Ms' | 'p99Ms'): number =>
    byRound((relayed, direct) => relayed.load.figures[name] - direct.load.figures[name]);
  return {
    relayCpuMicroseconds: byRound((relayed) => relayed.relayCpuMicroseconds),
    rateOfDirect: byRound(
      (relayed, direct) => relayed.load.figures.messagesPerSecond / direct.load.figures.messagesPerSecond,
    ),
    addedP50Ms: added('p50Ms'),
    addedP99Ms: added('p99Ms'),
  };
}
