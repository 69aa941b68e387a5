import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startApacheCluster } from '../bench/apache/apache-cluster.ts';

/** Message types a topic is made for. */
export type TopicType = 'NORMAL' | 'FIFO';

/** Faults that a target lets the scenarios cause. */
export interface TargetFaults {
  /** Ends a name server with SIGKILL; 0 is the first of `endpoints`. */
  killNameServer(index: number): Promise<void>;
  startNameServer(index: number): Promise<void>;
  /** Ends a broker with SIGKILL. */
  killBroker(index: number): Promise<void>;
  /** Starts it again over the same data and waits until it serves. */
  startBroker(index: number): Promise<void>;
}

/** A cluster that the official clients are run against. */
export interface Target {
  /** Access points as `host:port`, all equivalent. */
  readonly endpoints: readonly string[];
  createTopic(topic: string, type: TopicType): Promise<void>;
  createGroup(group: string, isFifo: boolean): Promise<void>;
  /** Undefined where scenarios may not break anything. */
  readonly faults: TargetFaults | undefined;
  stop(): Promise<void>;
}

/**
 * Starts what the scenarios run against: a cluster of ours, or Apache RocketMQ when `ORBITMQ_INTEROP_TARGET=apache`,
 * which shows whether the scenarios themselves are right.
 */
export async function startTarget(): Promise<Target> {
  return process.env.ORBITMQ_INTEROP_TARGET === 'apache' ? startApacheTarget() : startOurTarget();
}

async function startOurTarget(): Promise<Target> {
  throw new Error('to be wired');
}

async function startApacheTarget(): Promise<Target> {
  const folder = mkdtempSync(join(tmpdir(), 'apache-rocketmq-'));
  const cluster = await startApacheCluster({ folder, flushDiskType: 'ASYNC_FLUSH' });
  return {
    endpoints: [cluster.endpoints],
    createTopic: (topic, type) => cluster.createTopic(topic, type),
    createGroup: (group, isFifo) => cluster.createGroup(group, isFifo),
    faults: undefined,
    async stop() {
      await cluster.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
