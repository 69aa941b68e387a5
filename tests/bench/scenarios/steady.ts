import type { LoadResult } from '../load-run.ts';
import { median } from '../measure.ts';
import { measureLoad, medianLoad } from '../measurement.ts';
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
          const results: OpenLoadResult[] = [];
          const rounds = [];
          for (let round = 0; round < roundCount; round++) {
            const run = async (): Promise<LoadResult> => {
              results.push(await runOpenLoad(load));
              return results.at(-1)!;
            };
            rounds.push(await measureLoad(target, run));
          }
          const { figures, failure } = medianLoad(rounds);
          const worst = (share: number, of: 'latencies' | 'lateness'): number =>
            median(results.map((result) => result[of].quantiles([share])[0]!));
          const added = { maxMs: worst(1, 'latencies'), lateP99Ms: worst(0.99, 'lateness') };
          const name = `${callsPerSecond} sends/s, ${flushDiskType}`;
          targets.add(target, name, { figures: { ...figures, ...added }, failure });
        }
      });
    }
  },
};
