import { setTimeout as sleep } from 'node:timers/promises';
import { Latencies } from '../measure.ts';
import { measureLoad, peakRssMib } from '../measurement.ts';
import { runReceiveLoad } from '../receive-load.ts';
import { freshGroup, type Scenario, type ScenarioContext, ScenarioTargets } from '../scenario.ts';
import { runSendLoad } from '../send-load.ts';
import { readStamp, SendRequestTemplate } from '../send-template.ts';
import type { BenchTarget } from '../targets.ts';

const NAME = 'groups';
const TOPIC = 'bench-groups';
/** Messages a second that all groups get as they come. */
const LIVE_RATE = 40;
/** Behind those that are read: more than a broker keeps of the log's end in memory. */
const BEHIND_BYTES = 24 * 2 ** 20;

/** Many groups read one topic: a backlog that has left the memory, and messages as they come. */
export const groups: Scenario = {
  name: NAME,
  summary: '100 groups on one topic: a backlog read by all, and messages as they come',
  run: (context) =>
    ScenarioTargets.use(NAME, context, { flushDiskType: 'ASYNC_FLUSH' }, (targets) => measure(context, targets)),
};

async function measure({ options }: ScenarioContext, targets: ScenarioTargets): Promise<void> {
  const { bodyBytes, groupCount, groupMessageCount } = options;
  for (const target of targets.brokers) {
    const { port } = target;
    await target.createTopic(TOPIC, 'NORMAL');
    const template = new SendRequestTemplate({ topic: TOPIC, bodyBytes });
    const countMax = groupMessageCount + Math.ceil(BEHIND_BYTES / bodyBytes);
    await runSendLoad({ port, template, concurrency: 64, countMax, hasTelemetry: true });
  }
  const names = Array.from({ length: groupCount }, freshGroup);
  for (const target of targets.brokers) {
    await backlog(targets, target, names, groupMessageCount);
    await live(targets, target, Array.from({ length: groupCount }, freshGroup), 3 * options.durationMs);
  }
}

async function backlog(
  targets: ScenarioTargets,
  target: BenchTarget,
  names: readonly string[],
  messageCount: number,
): Promise<void> {
  const readsBefore = await target.metric('orbitmq_storage_disk_reads_total');
  const [{ figures, failure }, peakMib] = await peakRssMib(target, () =>
    measureLoad(target, () =>
      runReceiveLoad({
        port: target.port,
        brokerName: target.brokerName,
        topic: TOPIC,
        groups: names,
        concurrency: 1,
        countMax: names.length * messageCount,
        durationMs: 120_000,
      }),
    ),
  );
  const reads = ((await target.metric('orbitmq_storage_disk_reads_total')) ?? Number.NaN) - (readsBefore ?? 0);
  targets.add(target, `backlog of ${messageCount} read by ${names.length} groups`, {
    figures: { ...figures, diskReadsPerMessage: reads / figures.messageCount, peakMib },
    failure,
  });
}

/** Each message goes to every group as it comes. */
async function live(
  targets: ScenarioTargets,
  target: BenchTarget,
  names: readonly string[],
  durationMs: number,
): Promise<void> {
  const topic = `${TOPIC}-live`;
  await target.createTopic(topic, 'NORMAL');
  const template = new SendRequestTemplate({ topic, bodyBytes: 1024 });
  const late = new Latencies();
  const receiving = measureLoad(target, () =>
    runReceiveLoad({
      port: target.port,
      brokerName: target.brokerName,
      topic,
      groups: names,
      concurrency: 1,
      durationMs: durationMs + 2_000,
      onMessage: (response) => late.add(Date.now() - (readStamp(response) ?? Number.NaN)),
    }),
  );
  // All groups are waiting before the first message comes.
  await sleep(1_500);
  const load = { port: target.port, template, concurrency: 4, rate: LIVE_RATE, hasTelemetry: true };
  const sent = await runSendLoad({ ...load, durationMs });
  const { figures, failure } = await receiving;
  const [p50Ms, p99Ms, p999Ms] = late.quantiles([0.5, 0.99, 0.999]);
  targets.add(target, `${LIVE_RATE} messages/s as they come, to ${names.length} groups`, {
    figures: {
      ...figures,
      deliveredShare: figures.messageCount / (sent.messageCount * names.length),
      p50Ms: p50Ms!,
      p99Ms: p99Ms!,
      p999Ms: p999Ms!,
    },
    failure: failure ?? sent.failure,
  });
}
