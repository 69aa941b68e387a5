import type { LoadResult } from '../load-run.ts';
import { median, readWaitedMs } from '../measure.ts';
import { type Figures, type MeasuredLoad, measureLoad, medianLoad } from '../measurement.ts';
import { type OpenLoadResult, runOpenLoad } from '../open-load.ts';
import { type Scenario, ScenarioTargets } from '../scenario.ts';
import { runSendLoad } from '../send-load.ts';
import { SendRequestTemplate } from '../send-template.ts';

const NAME = 'steady';
const TOPIC = 'bench-steady';
const CONNECTIONS = 16;
const WARM_UP_CALLS = 16;

/** Latency of sends that come at a fixed rate, whatever becomes of those before. */
export const steady: Scenario = {
  name: NAME,
  summary: 'sends at a fixed rate that wait for nobody: latency from the moment for which each was planned',
  async run(context) {
    const { options } = context;
    const { bodyBytes, durationMs, roundCount, warmUpMs, callsPerSecond } = options;
    for (const flushDiskType of options.flushDiskTypes) {
      await ScenarioTargets.use(NAME, context, { flushDiskType }, async (targets) => {
        const template = new SendRequestTemplate({ topic: TOPIC, bodyBytes });
        for (const target of targets.brokers) {
          await target.createTopic(TOPIC, 'NORMAL');
          const { port } = target;
          await runSendLoad({ port, template, concurrency: WARM_UP_CALLS, durationMs: warmUpMs, hasTelemetry: true });
        }
        for (const target of targets.brokers) {
          const load = { port: target.port, template, callsPerSecond, connectionCount: CONNECTIONS, durationMs };
          const rounds: MeasuredLoad[] = [];
          const added: Figures[] = [];
          for (let round = 0; round < roundCount; round++) {
            const run = async (): Promise<LoadResult> => {
              const waitedMs = readWaitedMs(target.pids);
              const result = await runOpenLoad(load);
              added.push(latenessFigures(result, readWaitedMs(target.pids) - waitedMs));
              return result;
            };
            rounds.push(await measureLoad(target, run));
          }
          const { figures, failure } = medianLoad(rounds);
          const name = `${callsPerSecond} sends/s, ${flushDiskType}`;
          targets.add(target, name, { figures: { ...figures, ...mediansOf(added) }, failure });
        }
      });
    }
  },
};

/** What of the latencies is whose: the server's, the generator's, the machine's. */
function latenessFigures(result: OpenLoadResult, serverWaitedMs: number): Figures {
  const [answerP50Ms, answerP99Ms] = result.answerTimes.quantiles([0.5, 0.99]);
  const [lateP50Ms, lateP99Ms] = result.lateness.quantiles([0.5, 0.99]);
  const [idleLateP99Ms] = result.idleLateness.quantiles([0.99]);
  return {
    maxMs: result.latencies.quantiles([1])[0]!,
    answerP50Ms: answerP50Ms!,
    answerP99Ms: answerP99Ms!,
    lateP50Ms: lateP50Ms!,
    lateP99Ms: lateP99Ms!,
    idleLateP99Ms: idleLateP99Ms!,
    serverWaitedShare: serverWaitedMs / result.elapsedMs,
  };
}

function mediansOf(rounds: readonly Figures[]): Figures {
  return Object.fromEntries(Object.keys(rounds[0]!).map((name) => [name, median(rounds.map((round) => round[name]!))]));
}
