import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AdminClient } from '@orbitmq/client';
import { startApacheCluster } from '../bench/apache/apache-cluster.ts';
import { type Cluster, type Member, type Properties, startCluster } from '../cluster.ts';
import { MessagingClient } from '../e2e/messaging-client.ts';
import { waitUntil } from './child.ts';

/** Message types a topic is made for. */
export type TopicType = 'NORMAL' | 'FIFO' | 'PRIORITY' | 'TRANSACTION' | 'DELAY' | 'LITE';

/** Faults that a target lets the scenarios cause. */
export interface TargetFaults {
  /** Ends a name server with SIGKILL; 0 is the first of `endpoints`. */
  killNameServer(index: number): Promise<void>;
  startNameServer(index: number): Promise<void>;
  /** Ends a broker with SIGKILL. */
  killBroker(index: number): Promise<void>;
  /** Ends a broker with SIGTERM, as its operator does. */
  stopBroker(index: number): Promise<void>;
  /** Starts it again over the same data and waits until it serves. */
  startBroker(index: number): Promise<void>;
}

/** A cluster that the official clients are run against. */
export interface Target {
  /** Access points as `host:port`, all equivalent. */
  readonly endpoints: readonly string[];
  /**
   * @param brokerCount on so many brokers; all when not given. Simple consumers poll one broker after the other, some
   *        clients in an order of chance, and each empty poll takes 5 s: where a scenario looks at times, one is enough
   */
  createTopic(topic: string, type: TopicType, brokerCount?: number): Promise<void>;
  /** @param retry how often a message comes again, and how long after; our own target only */
  createGroup(
    group: string,
    isFifo: boolean,
    retry?: { readonly timesMax: number; readonly delayMs: number },
  ): Promise<void>;
  /** An ordered group that reads the lite topics of a topic. @param attributes RocketMQ's, besides the topic */
  createLiteGroup(group: string, topic: string, attributes?: Readonly<Record<string, string>>): Promise<void>;
  /** Undefined where scenarios may not break anything. */
  readonly faults: TargetFaults | undefined;
  stop(): Promise<void>;
}

/**
 * Starts what the scenarios run against: a cluster of ours, or Apache RocketMQ when `ORBITMQ_INTEROP_TARGET=apache`,
 * which shows whether the scenarios themselves are right.
 * @param brokerProperties for our own brokers
 */
export async function startTarget(brokerProperties: Properties = {}): Promise<Target> {
  return process.env.ORBITMQ_INTEROP_TARGET === 'apache' ? startApacheTarget() : startOurTarget(brokerProperties);
}

/** All members have the engine that `ORBITMQ_RPC_ENGINE` asks for. */
function assertEngine({ nameServers, brokers }: Cluster): void {
  const wanted = process.env.ORBITMQ_RPC_ENGINE;
  if (wanted === undefined) return;
  for (const member of [...nameServers, ...brokers]) {
    const config = member.logLines().find((line) => 'config' in line)?.config as Record<string, string> | undefined;
    assert.equal(config?.rpcEngine, wanted, `the engine of ${member.name}`);
  }
}

async function startOurTarget(brokerProperties: Properties): Promise<Target> {
  const cluster = await startCluster({ nameServerCount: 2, brokerCount: 2, brokerProperties });
  assertEngine(cluster);
  const forEachBroker = async (change: (admin: AdminClient) => Promise<unknown>, brokers = cluster.brokers) => {
    for (const broker of brokers) {
      const admin = new AdminClient({ address: `127.0.0.1:${broker.adminPort}` });
      await change(admin).finally(() => admin.close());
    }
  };
  return {
    endpoints: cluster.nameServers.map((member) => member.endpoint),
    async createTopic(name, type, brokerCount) {
      const attributesPut = new Map([['message.type', type]]);
      const brokers = cluster.brokers.slice(0, brokerCount);
      await forEachBroker((admin) => admin.putTopic({ name, attributesPut, attributesRemoved: [] }), brokers);
      await waitForTopicRoutes(cluster, name, brokers.length);
    },
    createGroup: (name, consumeMessageOrderly, retry) =>
      forEachBroker((admin) =>
        admin.putGroup({
          name,
          consumeMessageOrderly,
          retryMaxTimes: retry?.timesMax,
          retryPolicy: retry && { customized: { delaysMs: [BigInt(retry.delayMs)] }, exponential: undefined },
          attributesPut: new Map(),
          attributesRemoved: [],
        }),
      ),
    createLiteGroup: (name, topic, attributes = {}) => {
      const attributesPut = new Map(Object.entries({ 'lite.bind.topic': topic, ...attributes }));
      return forEachBroker((admin) =>
        admin.putGroup({
          name,
          consumeMessageOrderly: true,
          retryPolicy: undefined,
          attributesPut,
          attributesRemoved: [],
        }),
      );
    },
    faults: {
      killNameServer: async (index) => void (await cluster.nameServers[index]!.kill()),
      startNameServer: (index) => startMember(cluster, cluster.nameServers[index]!),
      killBroker: async (index) => void (await cluster.brokers[index]!.kill()),
      stopBroker: async (index) => void (await cluster.brokers[index]!.stop()),
      startBroker: (index) => startMember(cluster, cluster.brokers[index]!),
    },
    stop: () => cluster.stop(),
  };
}

async function startMember(cluster: Cluster, member: Member): Promise<void> {
  member.start();
  await member.waitReady();
  await cluster.waitForRoutes();
}

/** Brokers tell name servers of a new topic at once, but do not wait for them when they answer who made it. */
async function waitForTopicRoutes(cluster: Cluster, topic: string, brokerCount: number): Promise<void> {
  for (const server of cluster.nameServers.filter((member) => member.running)) {
    using client = new MessagingClient(server.endpoint);
    await waitUntil(`the route of ${topic} at ${server.name}`, 10_000, async () => {
      const { messageQueues } = await client.queryRoute(topic);
      return new Set(messageQueues.map((queue) => queue.broker?.name)).size === brokerCount;
    });
  }
}

async function startApacheTarget(): Promise<Target> {
  const folder = mkdtempSync(join(tmpdir(), 'apache-rocketmq-'));
  // without these it stores messages of lite topics, and delivers none
  const brokerProperties = { enableLmq: true, enableMultiDispatch: true };
  const cluster = await startApacheCluster({ folder, flushDiskType: 'ASYNC_FLUSH', brokerProperties });
  return {
    endpoints: [cluster.endpoints],
    createTopic: (topic, type) => cluster.createTopic(topic, type),
    createGroup: (group, isFifo) => cluster.createGroup(group, isFifo),
    createLiteGroup(group, topic, attributes = {}) {
      const all = Object.entries({ 'lite.bind.topic': topic, ...attributes });
      return cluster.createGroup(group, true, all.map(([name, value]) => `+${name}=${value}`).join(','));
    },
    faults: undefined,
    async stop() {
      await cluster.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
