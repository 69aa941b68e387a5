import { measureLoad } from '../measurement.ts';
import { runReceiveLoad } from '../receive-load.ts';
import type { FilterText } from '../requests.ts';
import { freshGroup, type Scenario, type ScenarioContext, ScenarioTargets } from '../scenario.ts';
import { runSendLoad } from '../send-load.ts';
import { SendRequestTemplate } from '../send-template.ts';
import type { BenchTarget } from '../targets.ts';

const NAME = 'filters';
const TOPIC = 'bench-filter';
const BODY_BYTES = 256;
/** One of so many is wanted: what is passed over outweighs what is received. */
const WANTED_OF = 1_024;
const PER_REQUEST = 16;

const FILTERS: readonly FilterText[] = [
  { type: 'TAG', expression: 'wanted' },
  { type: 'SQL', expression: "region = 'wanted'" },
  { type: 'SQL', expression: 'price > 100' },
  { type: 'SQL', expression: "(region IS NOT NULL AND region IN ('wanted', 'nowhere')) AND price BETWEEN 50 AND 150" },
];

/** What a message costs that a filter passes over. */
export const filters: Scenario = {
  name: NAME,
  summary: 'CPU of a message that a tag or an SQL expression passes over',
  run: (context) => {
    const settings = { flushDiskType: 'ASYNC_FLUSH', apacheProperties: { enablePropertyFilter: true } } as const;
    return ScenarioTargets.use(NAME, context, settings, (targets) => measure(context, targets));
  },
};

async function measure({ options }: ScenarioContext, targets: ScenarioTargets): Promise<void> {
  const wantedCount = Math.ceil(options.filterCount / WANTED_OF);
  const count = wantedCount * WANTED_OF;
  for (const target of targets.brokers) {
    await target.createTopic(TOPIC, 'NORMAL');
    await layUp(target, wantedCount);
  }
  for (const filter of FILTERS) {
    for (const target of targets.brokers) {
      const found = await measureLoad(target, () => receive(target, filter, wantedCount));
      const { figures, failure } = found;
      targets.add(target, `${filter.type} ${filter.expression}`, {
        figures: {
          lookedAtPerSecond: (figures.messagesPerSecond * count) / figures.messageCount,
          serverCpuMicrosecondsPerLook: (figures.serverCpuMicroseconds * figures.messageCount) / count,
          generatorBusyShare: figures.generatorBusyShare,
          messageCount: figures.messageCount,
          lookedAtCount: count,
          rssMib: figures.rssMib,
          failureCount: figures.failureCount,
        },
        failure,
      });
    }
  }
}

/** In order: one that is wanted, then all the others. */
async function layUp(target: BenchTarget, wantedCount: number): Promise<void> {
  const { port } = target;
  const template = (isWanted: boolean) =>
    new SendRequestTemplate({
      topic: TOPIC,
      bodyBytes: BODY_BYTES,
      messageCount: isWanted ? 1 : PER_REQUEST,
      tag: isWanted ? 'wanted' : 'other',
      properties: { color: 'blue', region: isWanted ? 'wanted' : 'elsewhere', price: isWanted ? '129.90' : '7.50' },
    });
  const others = template(false);
  const wanted = template(true);
  const send = (of: SendRequestTemplate, countMax: number) =>
    runSendLoad({ port, template: of, concurrency: 1, countMax, hasTelemetry: true });
  const othersCount = wantedCount * (WANTED_OF - 1);
  for (let part = 0; part < 8; part++) {
    await send(wanted, Math.ceil(wantedCount / 8));
    await runSendLoad({
      port,
      template: others,
      concurrency: 64,
      countMax: Math.ceil(othersCount / 8),
      hasTelemetry: true,
    });
  }
}

function receive(target: BenchTarget, filter: FilterText, countMax: number) {
  return runReceiveLoad({
    port: target.port,
    brokerName: target.brokerName,
    topic: TOPIC,
    groups: [freshGroup()],
    concurrency: 4,
    countMax,
    durationMs: 60_000,
    filter,
  });
}
