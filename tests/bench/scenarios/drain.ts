import { setTimeout as sleep } from 'node:timers/promises';
import { measureLoad, peakRssMib, rssMib } from '../measurement.ts';
import { runReceiveLoad } from '../receive-load.ts';
import { freshGroup, type Scenario, type ScenarioContext, ScenarioTargets } from '../scenario.ts';
import { runSendLoad } from '../send-load.ts';
import { SendRequestTemplate } from '../send-template.ts';
import type { BenchTarget } from '../targets.ts';

const NAME = 'drain';
const TOPIC = 'bench-drain';
const BODY_BYTES = 256;
const PER_REQUEST = 32;
const RECEIVES = 16;

/** A consumer comes to a lag of millions. */
export const drain: Scenario = {
  name: NAME,
  summary: 'a lag of 5,000,000 messages is worked off: rate and RSS (a tenth of it for the original)',
  run: (context) =>
    ScenarioTargets.use(NAME, context, { flushDiskType: 'ASYNC_FLUSH' }, (targets) => measure(context, targets)),
};

async function measure({ options }: ScenarioContext, targets: ScenarioTargets): Promise<void> {
  for (const target of targets.brokers) {
    const count = Math.ceil(target.name === 'apache' ? options.lagCount / 10 : options.lagCount);
    await target.createTopic(TOPIC, 'NORMAL');
    await layUp(targets, target, count);
    const each = { acknowledge: 'each', durationMs: 3 * options.durationMs, countMax: count } as const;
    await work(targets, target, `lag of ${count}, acknowledged one by one`, each);
    const all = { acknowledge: 'batch', durationMs: 900_000, countMax: count } as const;
    await work(targets, target, `lag of ${count} to its end, batches acknowledged`, all);
  }
}

async function layUp(targets: ScenarioTargets, target: BenchTarget, count: number): Promise<void> {
  const template = new SendRequestTemplate({ topic: TOPIC, bodyBytes: BODY_BYTES, messageCount: PER_REQUEST });
  const load = { port: target.port, template, concurrency: 64, countMax: count, hasTelemetry: true };
  const [{ figures, failure }, peakMib] = await peakRssMib(target, () => measureLoad(target, () => runSendLoad(load)));
  targets.add(target, `${count} messages sent, ${PER_REQUEST} in a call`, {
    figures: { ...figures, peakMib },
    failure,
  });
  await sleep(2_000);
}

async function work(
  targets: ScenarioTargets,
  target: BenchTarget,
  name: string,
  bounds: { acknowledge: 'each' | 'batch'; durationMs: number; countMax: number },
): Promise<void> {
  const rssBeforeMib = rssMib(target);
  const readsBefore = await target.metric('orbitmq_storage_disk_reads_total');
  const [{ figures, failure }, peakMib] = await peakRssMib(target, () =>
    measureLoad(target, () =>
      runReceiveLoad({
        port: target.port,
        brokerName: target.brokerName,
        topic: TOPIC,
        groups: [freshGroup()],
        concurrency: RECEIVES,
        ...bounds,
      }),
    ),
  );
  const reads = ((await target.metric('orbitmq_storage_disk_reads_total')) ?? Number.NaN) - (readsBefore ?? 0);
  targets.add(target, name, {
    figures: { ...figures, diskReadsPerMessage: reads / figures.messageCount, rssBeforeMib, peakMib },
    failure,
  });
}
