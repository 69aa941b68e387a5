import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { RPC_ENGINE_DEFAULT, RPC_ENGINES, type RpcEngineName } from '@orbitmq/rpc';
import { appCommand, bundleApps } from '@orbitmq/tools';
import { type Member, startCluster } from '../cluster.ts';
import { preparePrograms } from '../conformance/programs.ts';
import { superviseChild } from '../interop/child.ts';
import { waitForInSync } from '../replication-state.ts';
import { startApacheCluster } from './apache/apache-cluster.ts';
import { NOOP_ANSWER } from './noop-answer.ts';

const run = promisify(execFile);

/** When a send is answered: after the write, or after the disk has it. */
export type FlushDiskType = 'ASYNC_FLUSH' | 'SYNC_FLUSH';
/**
 * Servers under load. Of ours, `-native` and `-grpc-js` name the engine that carries its calls; else it is the default.
 * `noop-go` is Go's gRPC.
 */
export const TARGET_NAMES = [
  'noop',
  'noop-native',
  'noop-grpc-js',
  'noop-go',
  'orbitmq',
  'orbitmq-native',
  'orbitmq-grpc-js',
  'apache',
] as const;
export type TargetName = (typeof TARGET_NAMES)[number];

/** Whether a server does nothing at all with messages. */
export function isNoop(name: TargetName): boolean {
  return name.startsWith('noop');
}

/** Whom a master waits for before it answers a send: itself, or its slave. */
export type BrokerRole = 'ASYNC_MASTER' | 'SYNC_MASTER';

/** How a server is set up. */
export interface TargetSettings {
  readonly flushDiskType: FlushDiskType;
  /** The master of one slave, in this role. Default: no slave. */
  readonly pairedAs?: BrokerRole;
  /** On top of the original broker's properties, for what is off there by default. */
  readonly apacheProperties?: Readonly<Record<string, string | number | boolean>>;
}

/** What the messages of a topic are. */
export type BenchTopicType = 'NORMAL' | 'DELAY' | 'TRANSACTION';

/** A slave of a server under load. */
export interface BenchSlave {
  readonly pid: number;
  /** Ours; undefined for the original's. */
  readonly pair: { readonly master: Member; readonly slave: Member } | undefined;
}

/** A name server of ours, by which clients can reach the broker. */
export interface BenchRelay {
  readonly port: number;
  readonly pid: number;
}

/** A server under load. */
export interface BenchTarget {
  readonly name: TargetName;
  /** Where clients send and receive. */
  readonly port: number;
  readonly brokerName: string;
  /** Every process that a message passes through, but for the slave. */
  readonly pids: readonly number[];
  /** The master's slave; undefined when it has none. */
  readonly slave: BenchSlave | undefined;
  /** Undefined where there is none, or no other way: the original's proxy is among `pids`. */
  readonly relay: BenchRelay | undefined;
  /** Whether it stores messages and gives them out again. */
  readonly isBroker: boolean;
  /** With 8 queues. */
  createTopic(topic: string, type: BenchTopicType): Promise<void>;
  /** Value of a metric summed over its series; undefined where there are no such metrics. */
  metric(name: string): Promise<number | undefined>;
  stop(): Promise<void>;
}

const QUEUE_COUNT = 8;

/** Why a server can't be had on this machine; undefined when it can. */
export async function targetMissing(name: TargetName): Promise<string | undefined> {
  return name === 'noop-go' ? (await preparePrograms()).missing : undefined;
}

/** Starts one server. */
export function startTarget(name: TargetName, settings: TargetSettings): Promise<BenchTarget> {
  if (name === 'apache') return startApache(settings);
  const engine = RPC_ENGINES.find((candidate) => name.endsWith(`-${candidate}`)) ?? RPC_ENGINE_DEFAULT;
  return isNoop(name) ? startNoop(name, engine) : startOurs(name, engine, settings);
}

async function startNoop(name: TargetName, engine: RpcEngineName): Promise<BenchTarget> {
  const [program, ...args] = name === 'noop-go' ? await goNoopCommand() : noopCommand(engine);
  const started = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const child = superviseChild('noop', '', started);
  const port = await new Promise<number>((resolve, reject) => {
    createInterface({ input: started.stdout }).once('line', (line) => resolve(Number(line)));
    void child.exited.then(() => reject(new Error('the server that does nothing ended')));
  });
  return {
    name,
    port,
    brokerName: '',
    pids: [child.pid],
    slave: undefined,
    relay: undefined,
    isBroker: false,
    createTopic: async () => {},
    metric: async () => undefined,
    stop: async () => void (await child.stop()),
  };
}

function noopCommand(engine: RpcEngineName): [program: string, ...args: string[]] {
  const source = join(import.meta.dirname, 'noop-server.ts');
  return [process.execPath, '--conditions=@orbitmq/source', source, engine];
}

async function goNoopCommand(): Promise<[program: string, ...args: string[]]> {
  const { programs, missing } = await preparePrograms();
  if (programs === undefined) throw new Error(`there is no server in Go: ${missing}`);
  return [programs.noop, Buffer.from(NOOP_ANSWER).toString('hex')];
}

async function startOurs(
  name: TargetName,
  rpcEngine: RpcEngineName,
  { flushDiskType, pairedAs }: TargetSettings,
): Promise<BenchTarget> {
  const brokerProperties = { flushDiskType, rpcEngine, ...(pairedAs === undefined ? {} : { brokerRole: pairedAs }) };
  const slaveCount = pairedAs === undefined ? 0 : 1;
  const cluster = await startCluster({ slaveCount, brokerProperties, nameServerProperties: { rpcEngine } });
  await bundleApps(['mqadmin']);
  const [broker, nameServer] = [cluster.brokers[0]!, cluster.nameServers[0]!];
  const slave = cluster.slaves[0];
  if (slave !== undefined) await waitForInSync(broker, 2);
  return {
    name,
    port: broker.clientPort,
    brokerName: broker.name,
    pids: [broker.pid!],
    slave:
      slave === undefined
        ? undefined
        : {
            // Another process each time that it is started again.
            get pid() {
              return slave.pid!;
            },
            pair: { master: broker, slave },
          },
    relay: { port: nameServer.clientPort, pid: nameServer.pid! },
    isBroker: true,
    async createTopic(topic, type) {
      const [program, ...args] = appCommand('mqadmin', 'bundle');
      const queues = ['-r', String(QUEUE_COUNT), '-w', String(QUEUE_COUNT)];
      const options = ['-n', cluster.namesrvAddr, '-c', 'DefaultCluster', '-t', topic, ...queues];
      await run(program!, [...args, 'updateTopic', ...options, '-a', `+message.type=${type}`]);
    },
    metric: (metric) => broker.metric(metric),
    stop: () => cluster.stop(),
  };
}

async function startApache({ flushDiskType, pairedAs, apacheProperties }: TargetSettings): Promise<BenchTarget> {
  const folder = mkdtempSync(join(tmpdir(), 'apache-rocketmq-'));
  const brokerProperties = apacheProperties ?? {};
  const cluster = await startApacheCluster({ folder, flushDiskType, pairedAs, brokerProperties });
  const { slave } = cluster;
  return {
    name: 'apache',
    port: Number(cluster.endpoints.split(':')[1]),
    brokerName: 'broker-a',
    pids: cluster.processes.filter((child) => child !== slave).map((child) => child.pid),
    slave: slave === undefined ? undefined : { pid: slave.pid, pair: undefined },
    relay: undefined,
    isBroker: true,
    createTopic: (topic, type) => cluster.createTopic(topic, type, QUEUE_COUNT),
    metric: async () => undefined,
    async stop() {
      await cluster.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
