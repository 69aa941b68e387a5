import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { appCommand, bundleApps } from '@orbitmq/tools';
import { startCluster } from '../cluster.ts';
import { superviseChild } from '../interop/child.ts';
import { startApacheCluster } from './apache/apache-cluster.ts';

const run = promisify(execFile);

/** When a send is answered: after the write, or after the disk has it. */
export type FlushDiskType = 'ASYNC_FLUSH' | 'SYNC_FLUSH';
/** Name of a server under load. */
export type TargetName = 'noop' | 'orbitmq' | 'apache';

/** A server under load. */
export interface BenchTarget {
  readonly name: TargetName;
  /** Where clients send and receive. */
  readonly port: number;
  readonly brokerName: string;
  /** Every process that a message passes through. */
  readonly pids: readonly number[];
  /** Whether it stores messages and gives them out again. */
  readonly isBroker: boolean;
  createTopic(topic: string): Promise<void>;
  stop(): Promise<void>;
}

/** Starts one server with `flushDiskType`. */
export function startTarget(name: TargetName, flushDiskType: FlushDiskType): Promise<BenchTarget> {
  if (name === 'noop') return startNoop();
  return name === 'orbitmq' ? startOurs(flushDiskType) : startApache(flushDiskType);
}

async function startNoop(): Promise<BenchTarget> {
  const program = join(import.meta.dirname, 'noop-server.ts');
  const started = spawn(process.execPath, ['--conditions=@orbitmq/source', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const child = superviseChild('noop', '', started);
  const port = await new Promise<number>((resolve, reject) => {
    createInterface({ input: started.stdout }).once('line', (line) => resolve(Number(line)));
    void child.exited.then(() => reject(new Error('the server that does nothing ended')));
  });
  return {
    name: 'noop',
    port,
    brokerName: '',
    pids: [child.pid],
    isBroker: false,
    createTopic: async () => {},
    stop: async () => void (await child.stop()),
  };
}

async function startOurs(flushDiskType: FlushDiskType): Promise<BenchTarget> {
  const cluster = await startCluster({ brokerProperties: { flushDiskType } });
  await bundleApps(['mqadmin']);
  const broker = cluster.brokers[0]!;
  return {
    name: 'orbitmq',
    port: broker.clientPort,
    brokerName: broker.name,
    pids: [broker.pid!],
    isBroker: true,
    async createTopic(topic) {
      const [program, ...args] = appCommand('mqadmin', 'bundle');
      const options = ['-n', cluster.namesrvAddr, '-c', 'DefaultCluster', '-t', topic, '-r', '8', '-w', '8'];
      await run(program!, [...args, 'updateTopic', ...options]);
    },
    stop: () => cluster.stop(),
  };
}

async function startApache(flushDiskType: FlushDiskType): Promise<BenchTarget> {
  const folder = mkdtempSync(join(tmpdir(), 'apache-rocketmq-'));
  const cluster = await startApacheCluster({ folder, flushDiskType });
  return {
    name: 'apache',
    port: Number(cluster.endpoints.split(':')[1]),
    brokerName: 'broker-a',
    pids: cluster.processes.map((child) => child.pid),
    isBroker: true,
    createTopic: (topic) => cluster.createTopic(topic, 'NORMAL', 8),
    async stop() {
      await cluster.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
