import { measureLoad, medianLoad } from '../measurement.ts';
import type { Scenario } from '../scenario.ts';
import { ScenarioTargets } from '../scenario.ts';
import { runSendLoad } from '../send-load.ts';
import { SendRequestTemplate } from '../send-template.ts';

const NAME = 'batches';
const TOPIC = 'bench-batches';
const MESSAGES_PER_CALL = 32;
const WARM_UP_CALLS = 16;

/** Sends of many messages in a call. */
export const batches: Scenario = {
  name: NAME,
  summary: 'sends of 32 messages in a call: how many megabytes of bodies a second of the server’s CPU stores',
  async run(context) {
    const { options } = context;
    const { bodyBytes, concurrencies, durationMs, roundCount, warmUpMs } = options;
    for (const flushDiskType of options.flushDiskTypes) {
      await ScenarioTargets.use(NAME, context, { flushDiskType }, async (targets) => {
        const template = new SendRequestTemplate({ topic: TOPIC, bodyBytes, messageCount: MESSAGES_PER_CALL });
        const send = (port: number, concurrency: number, limitMs: number) =>
          runSendLoad({ port, template, concurrency, durationMs: limitMs, hasTelemetry: true });
        for (const target of targets.brokers) {
          await target.createTopic(TOPIC, 'NORMAL');
          await send(target.port, WARM_UP_CALLS, warmUpMs);
        }
        for (const concurrency of concurrencies) {
          for (const target of targets.brokers) {
            const rounds = [];
            for (let round = 0; round < roundCount; round++) {
              rounds.push(await measureLoad(target, () => send(target.port, concurrency, durationMs)));
            }
            const { figures, failure } = medianLoad(rounds);
            const megabytesPerCpuSecond = bodyBytes / figures.serverCpuMicroseconds;
            const megabytesPerSecond = (figures.messagesPerSecond * bodyBytes) / 1e6;
            targets.add(target, `${concurrency} calls of ${MESSAGES_PER_CALL}, ${flushDiskType}`, {
              figures: { megabytesPerCpuSecond, megabytesPerSecond, ...figures },
              failure,
            });
          }
        }
      });
    }
  },
};
