import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { Latencies } from '../measure.ts';
import { measureLoad, peakRssMib, rssMib } from '../measurement.ts';
import { runReceiveLoad } from '../receive-load.ts';
import { freshGroup, type Scenario, type ScenarioContext, ScenarioTargets } from '../scenario.ts';
import { runSendLoad } from '../send-load.ts';
import { readStamp, SendRequestTemplate } from '../send-template.ts';
import type { BenchTarget } from '../targets.ts';

const NAME = 'timers';
const HOUR_MS = 3_600_000;
const CALLS = 64;
/** Timed messages a second while their lateness is measured. */
const TIMED_RATE = 500;
/** So many that it is the broker's lateness that is measured, not how quickly consumers settle what they have. */
const LATENESS_RECEIVES = 64;
/** How far ahead the messages are sent whose lateness is measured. */
const AHEAD_MS_MIN = 1_000;
const AHEAD_MS_MAX = 3_000;
/** By then all of a burst have been sent. */
const BURST_AHEAD_MS = 60_000;
const TIMED = 'bench-timed';
/** One for each measurement: a new group begins with the first message. */
const LATE_BESIDE_SOME = 'bench-late-some';
const LATE_BESIDE_ALL = 'bench-late-all';
const BURST = 'bench-burst';
const OTHER = 'bench-other';

/** Sends, memory of many that wait, lateness while others are sent, and a burst that is due at one moment. */
export const timers: Scenario = {
  name: NAME,
  summary: 'timed sends, a million that wait (RSS), lateness under load, a burst that is due at once',
  run: (context) =>
    ScenarioTargets.use(NAME, context, { flushDiskType: 'ASYNC_FLUSH' }, (targets) => measure(context, targets)),
};

async function measure({ options }: ScenarioContext, targets: ScenarioTargets): Promise<void> {
  const { bodyBytes, durationMs } = options;
  for (const target of targets.brokers) {
    for (const topic of [TIMED, LATE_BESIDE_SOME, LATE_BESIDE_ALL, BURST]) await target.createTopic(topic, 'DELAY');
    await target.createTopic(OTHER, 'NORMAL');
    await send(target, distant(bodyBytes), { durationMs: options.warmUpMs });
    await send(target, new SendRequestTemplate({ topic: OTHER, bodyBytes }), { durationMs: options.warmUpMs });
  }
  await targets.compare(`plain send at ${CALLS}`, (target) =>
    send(target, new SendRequestTemplate({ topic: OTHER, bodyBytes }), { durationMs }),
  );
  await targets.compare(`timed send at ${CALLS}`, (target) => send(target, distant(bodyBytes), { durationMs }));
  for (const target of targets.brokers) {
    await burst(targets, target, options.burstCount);
    await layUp(targets, target, target.name === 'apache' ? options.pendingCount / 10 : options.pendingCount);
    await lateness(targets, target, { topic: LATE_BESIDE_SOME, durationMs: 3 * durationMs, otherRate: 1_000 });
    await lateness(targets, target, { topic: LATE_BESIDE_ALL, durationMs: 3 * durationMs, otherRate: undefined });
  }
}

/** Due in an hour or two. */
function distant(bodyBytes: number): SendRequestTemplate {
  const dueMs = Date.now() + HOUR_MS;
  return new SendRequestTemplate({
    topic: TIMED,
    bodyBytes,
    deliveryTimestampMs: () => dueMs + Math.random() * HOUR_MS,
  });
}

function send(
  target: BenchTarget,
  template: SendRequestTemplate,
  bounds: { durationMs?: number; countMax?: number; rate?: number; concurrency?: number },
) {
  const { port } = target;
  return runSendLoad({ port, template, concurrency: CALLS, hasTelemetry: true, ...bounds });
}

async function layUp(targets: ScenarioTargets, target: BenchTarget, count: number): Promise<void> {
  const beforeMib = rssMib(target);
  const template = distant(256);
  const { figures, failure } = await measureLoad(target, () => send(target, template, { countMax: count }));
  await sleep(2_000);
  const afterMib = rssMib(target);
  const bytesPerTimer = ((afterMib - beforeMib) * 2 ** 20) / count;
  targets.add(target, `${count} that wait`, {
    figures: { ...figures, rssBeforeMib: beforeMib, rssMib: afterMib, bytesPerTimer },
    failure,
  });
}

/** From the delivery time to the consumer, while timed and other messages are sent. */
async function lateness(
  targets: ScenarioTargets,
  target: BenchTarget,
  load: { topic: string; durationMs: number; otherRate: number | undefined },
): Promise<void> {
  const late = new Latencies();
  const timed = new SendRequestTemplate({
    topic: load.topic,
    bodyBytes: 256,
    deliveryTimestampMs: () => Math.floor(Date.now() + AHEAD_MS_MIN + Math.random() * (AHEAD_MS_MAX - AHEAD_MS_MIN)),
  });
  const other = new SendRequestTemplate({ topic: OTHER, bodyBytes: 1024 });
  const loop = monitorEventLoopDelay({ resolution: 1 });
  const firedBefore = await firing(target);
  loop.enable();
  const [sent, others] = await Promise.all([
    send(target, timed, { durationMs: load.durationMs, rate: TIMED_RATE, concurrency: 8 }),
    send(target, other, { durationMs: load.durationMs, concurrency: 16, ...rateOf(load.otherRate) }),
    runReceiveLoad({
      port: target.port,
      brokerName: target.brokerName,
      topic: load.topic,
      groups: [freshGroup()],
      concurrency: LATENESS_RECEIVES,
      durationMs: load.durationMs,
      onMessage: (response) => late.add(Date.now() - (readStamp(response) ?? Number.NaN)),
    }),
  ]);
  loop.disable();
  const fired = await firing(target);
  const [p50Ms, p99Ms, p999Ms, maxMs] = late.quantiles([0.5, 0.99, 0.999, 1]);
  const cpu = sent.generatorCpuMicroseconds;
  targets.add(target, `lateness beside ${load.otherRate ?? 'as many as go'} sends/s`, {
    figures: {
      timedCount: late.count,
      p50Ms: p50Ms!,
      p99Ms: p99Ms!,
      p999Ms: p999Ms!,
      maxMs: maxMs!,
      firedLatenessMeanMs: (fired.latenessMs - firedBefore.latenessMs) / (fired.count - firedBefore.count),
      otherMessagesPerSecond: (others.messageCount / others.elapsedMs) * 1000,
      generatorBusyShare: cpu / (sent.elapsedMs * 1000),
      generatorLoopDelayP99Ms: loop.percentile(99) / 1e6,
    },
    failure: sent.failure ?? others.failure,
  });
  // What was still on its way is not for the next measurement.
  await sleep(AHEAD_MS_MAX);
}

/** What a target tells about all that it has fired; NaN where it tells nothing. */
async function firing(target: BenchTarget): Promise<{ count: number; latenessMs: number }> {
  return {
    count: (await target.metric('rocketmq_timer_dequeue_total')) ?? Number.NaN,
    latenessMs: (await target.metric('orbitmq_timer_lateness_ms_total')) ?? Number.NaN,
  };
}

function rateOf(rate: number | undefined): { rate?: number } {
  return rate === undefined ? {} : { rate };
}

/** All are due at the same moment: how quickly they come to consumers, and into their queues. */
async function burst(targets: ScenarioTargets, target: BenchTarget, count: number): Promise<void> {
  const dueMs = Date.now() + BURST_AHEAD_MS;
  const template = new SendRequestTemplate({ topic: BURST, bodyBytes: 256, deliveryTimestampMs: () => dueMs });
  await send(target, template, { countMax: count });
  const earlyMs = Date.now() - dueMs;
  await sleep(Math.max(0, -earlyMs - 500));
  const firedBefore = await target.metric('rocketmq_timer_dequeue_total');
  let firedMs = Number.NaN;
  const watching = watchFired(target, (firedBefore ?? 0) + count).then((atMs) => {
    firedMs = atMs - dueMs;
  });
  const [{ figures, failure }, peakMib] = await peakRssMib(target, () =>
    measureLoad(target, () =>
      runReceiveLoad({
        port: target.port,
        brokerName: target.brokerName,
        topic: BURST,
        groups: [freshGroup()],
        concurrency: 16,
        countMax: count,
        durationMs: 120_000,
        acknowledge: 'batch',
      }),
    ),
  );
  await watching;
  targets.add(target, `burst of ${count}`, {
    figures: { ...figures, firedPerSecond: (count / firedMs) * 1000, receivedMs: Date.now() - dueMs, peakMib },
    failure,
  });
}

/** Wall time at which so many had fired; NaN where the target does not tell. */
async function watchFired(target: BenchTarget, count: number): Promise<number> {
  const endMs = Date.now() + 60_000;
  while (Date.now() < endMs) {
    const fired = await target.metric('rocketmq_timer_dequeue_total');
    if (fired === undefined) return Number.NaN;
    if (fired >= count) return Date.now();
    await sleep(20);
  }
  return Number.NaN;
}
