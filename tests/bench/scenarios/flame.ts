import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AdminClient } from '@orbitmq/client';
import { type Cluster, startCluster } from '../../cluster.ts';
import { INSPECTABLE } from '../../inspector.ts';
import { profileCpu } from '../flame/cpu-profile.ts';
import { flameSvg } from '../flame/flame-svg.ts';
import { flameTree, layersOf } from '../flame/flame-tree.ts';
import type { LoadResult } from '../load-run.ts';
import { runReceiveLoad } from '../receive-load.ts';
import { freshGroup, type Scenario, type ScenarioContext } from '../scenario.ts';
import { runSendLoad } from '../send-load.ts';
import { SendRequestTemplate } from '../send-template.ts';

const NAME = 'flame';
const TOPIC = 'bench-flame';
const CALLS = 256;
const MESSAGES_PER_BATCH = 32;

/** Where the CPU of a broker goes, as pictures. */
export const flame: Scenario = {
  name: NAME,
  summary: 'CPU profiles of sends, of batches, and of receives with acknowledgement, as flame graphs (SVG)',
  async run(context) {
    // The sources as they are, so that every function tells its file.
    await using cluster = await startCluster({
      from: 'source',
      environment: INSPECTABLE,
      brokerProperties: { flushDiskType: 'ASYNC_FLUSH' },
    });
    await createTopic(cluster);
    await drawAll(cluster, context);
  },
};

async function createTopic(cluster: Cluster): Promise<void> {
  const admin = new AdminClient({ address: `127.0.0.1:${cluster.brokers[0]!.adminPort}` });
  try {
    await admin.putTopic({ name: TOPIC, attributesPut: new Map(), attributesRemoved: [] });
  } finally {
    admin.close();
  }
}

async function drawAll(cluster: Cluster, { options, results }: ScenarioContext): Promise<void> {
  const broker = cluster.brokers[0]!;
  const { bodyBytes, durationMs, backlogCount, warmUpMs } = options;
  const send = (messageCount: number, concurrency: number, limitMs: number): Promise<LoadResult> => {
    const template = new SendRequestTemplate({ topic: TOPIC, bodyBytes, messageCount });
    return runSendLoad({ port: broker.clientPort, template, concurrency, durationMs: limitMs, hasTelemetry: true });
  };
  const receive = (): Promise<LoadResult> => {
    const whom = { port: broker.clientPort, brokerName: broker.name, topic: TOPIC, groups: [freshGroup()] };
    return runReceiveLoad({ ...whom, concurrency: CALLS, durationMs, countMax: backlogCount });
  };
  const draw = async (name: string, title: string, unit: string, run: () => Promise<LoadResult>): Promise<void> => {
    let result: LoadResult | undefined;
    const profile = await profileCpu(broker, async () => {
      result = await run();
    });
    const tree = flameTree(profile);
    const count = result!.messageCount;
    mkdirSync(options.flameDirectory, { recursive: true });
    writeFileSync(join(options.flameDirectory, `${name}.svg`), flameSvg(tree, { title, unit, count }));
    writeFileSync(join(options.flameDirectory, `${name}.cpuprofile`), JSON.stringify(profile));
    const layers = layersOf(tree).map(([layer, time]) => [`${layer} µs`, time / count]);
    const figures = { cpuMicroseconds: tree.totalMicroseconds / count, ...Object.fromEntries(layers) };
    results.add({ scenario: NAME, target: 'orbitmq', name, figures, failure: result!.failure });
  };
  await send(1, CALLS, warmUpMs);
  await draw('send', `Sends of ${bodyBytes} bytes, ${CALLS} at a time, ASYNC_FLUSH`, 'message', () =>
    send(1, CALLS, durationMs),
  );
  await send(MESSAGES_PER_BATCH, 1, warmUpMs / 2);
  await draw('batch', `Sends of ${MESSAGES_PER_BATCH} messages in a call, 16 calls at a time`, 'message', () =>
    send(MESSAGES_PER_BATCH, 16, durationMs),
  );
  await receive();
  await draw('receive', `Receives of 32 with an ack for each message, ${CALLS} calls`, 'message', receive);
}
