import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { appCommand, bundleApps, freePort, ServiceProcess, waitForBrokers } from '@orbitmq/tools';

/** Keys and values of a properties file. */
export type Properties = Readonly<Record<string, string | number | boolean>>;

/** Where the members of a cluster run, when it is not on loopback of this machine. */
export interface Placement {
  /** Address on which a member listens, and at which other members find it. */
  addressOf(name: string): string;
  /** What starts a member in its place. */
  commandOf(name: string, command: readonly string[]): readonly string[];
  /** Makes ports of a member reachable from here, at the same ports of 127.0.0.1. */
  open(name: string, ports: readonly number[]): Promise<void>;
}

/** What a test asks of its cluster. */
export interface ClusterOptions {
  /** Default 1. */
  readonly nameServerCount?: number;
  /** Default 1; they are named broker-a, broker-b, … */
  readonly brokerCount?: number;
  /** Slaves of each broker, default 0; those of broker-a are named broker-a-s1, broker-a-s2, … */
  readonly slaveCount?: number;
  /** `bundle` (default): as it is shipped, built when stale; `source`: the sources as they are. */
  readonly from?: 'bundle' | 'source';
  /** For every broker, on top of what makes it run on loopback. */
  readonly brokerProperties?: Properties;
  /** For one broker, by its name; wins over `brokerProperties`. */
  readonly propertiesOf?: Readonly<Record<string, Properties>>;
  /** For every name server. */
  readonly nameServerProperties?: Properties;
  /** Variables for every process, e.g. LD_PRELOAD. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Keeps logs and data here instead of in a directory that goes with the cluster. */
  readonly directory?: string;
  readonly placement?: Placement;
}

/** A name server or broker of a cluster; `kill()`, `stop()`, `start()` and `waitReady()` come from the process. */
export class Member extends ServiceProcess {
  /** Port of the client API (apache.rocketmq.v2). */
  readonly clientPort: number;
  /** Broker: port of the admin API. Name server: port of orbitmq.route.v1. */
  readonly adminPort: number;
  /** Port of /metrics, /healthz and /readyz. */
  readonly httpPort: number;
  /** Broker: port for its slaves. Name server: 0. */
  readonly replicationPort: number;
  /** Directory of its data; a name server has none. */
  readonly dataDirectory: string;

  constructor(options: {
    name: string;
    command: readonly string[];
    directory: string;
    ports: Ports;
    environment: Readonly<Record<string, string>>;
  }) {
    super({
      name: options.name,
      command: options.command,
      logFile: join(options.directory, `${options.name}.log`),
      readyUrl: `http://127.0.0.1:${options.ports.http}/readyz`,
      environment: options.environment,
    });
    this.clientPort = options.ports.client;
    this.adminPort = options.ports.admin;
    this.httpPort = options.ports.http;
    this.replicationPort = options.ports.replication ?? 0;
    this.dataDirectory = join(options.directory, options.name);
  }

  /** `127.0.0.1:port` of the client API. */
  get endpoint(): string {
    return `127.0.0.1:${this.clientPort}`;
  }

  /** Starts it again on its ports and its data, and waits until it is ready. */
  async restart(deadlineMs?: number): Promise<void> {
    await this.stop();
    this.start();
    await this.waitReady(deadlineMs);
  }

  /** Value of a metric, summed over the series whose text contains `labels`; 0 when there is none. */
  async metric(name: string, labels = ''): Promise<number> {
    const response = await fetch(`http://127.0.0.1:${this.httpPort}/metrics`);
    const lines = (await response.text()).split('\n');
    return lines
      .filter((line) => (line.startsWith(`${name}{`) || line.startsWith(`${name} `)) && line.includes(labels))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  }

  /** JSON lines of the log; lines that are no JSON are left out. */
  logLines(): Record<string, unknown>[] {
    return this.log()
      .split('\n')
      .flatMap((line) => {
        try {
          return [JSON.parse(line) as Record<string, unknown>];
        } catch {
          return [];
        }
      });
  }
}

/** A running cluster of real processes on loopback. */
export interface Cluster extends AsyncDisposable {
  readonly nameServers: readonly Member[];
  readonly brokers: readonly Member[];
  /** Slaves of all brokers: first those of broker-a. */
  readonly slaves: readonly Member[];
  /** What a client is given: the client ports of all name servers, separated by `;`. */
  readonly accessPoint: string;
  /** What `mqadmin -n` is given. */
  readonly namesrvAddr: string;
  readonly directory: string;
  /** Waits until every running name server shows every running broker. */
  waitForRoutes(deadlineMs?: number): Promise<void>;
  /** Stops all, and removes the directory unless it was given. Idempotent. */
  stop(): Promise<void>;
}

const LOOPBACK: Placement = {
  addressOf: () => '127.0.0.1',
  commandOf: (_name, command) => command,
  open: () => Promise.resolve(),
};

interface Ports {
  readonly replication?: number;
  readonly client: number;
  readonly admin: number;
  readonly http: number;
}

/**
 * Starts a cluster and waits until its routes are visible. Command-line conventions: every key is `--key=value`;
 * brokers also get a properties file (`-c`), as operators give it.
 * Use `await using cluster = await startCluster(…)`, or stop it in `after`.
 */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const from = options.from ?? 'bundle';
  if (from === 'bundle') await bundleApps(['namesrv', 'broker', 'replica']);
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'orbitmq-cluster-'));
  const nameServers: Member[] = [];
  for (let index = 0; index < (options.nameServerCount ?? 1); index++) {
    nameServers.push(await nameServer(`namesrv-${index + 1}`, directory, from, options));
  }
  const { placement = LOOPBACK } = options;
  const namesrvAddr = nameServers.map(({ name, adminPort }) => `${placement.addressOf(name)}:${adminPort}`).join(';');
  const brokers: Member[] = [];
  for (let index = 0; index < (options.brokerCount ?? 1); index++) {
    brokers.push(await broker(`broker-${String.fromCharCode(97 + index)}`, directory, from, namesrvAddr, options));
  }
  const slaves: Member[] = [];
  for (const master of brokers) {
    for (let id = 1; id <= (options.slaveCount ?? 0); id++) {
      slaves.push(await slave(master, id, directory, from, namesrvAddr, options));
    }
  }
  const members = [...nameServers, ...brokers, ...slaves];
  const stop = async (): Promise<void> => {
    await Promise.all([...brokers, ...slaves].map((member) => member.stop()));
    await Promise.all(nameServers.map((member) => member.stop()));
    if (options.directory === undefined) rmSync(directory, { recursive: true, force: true });
  };
  const cluster: Cluster = {
    nameServers,
    brokers,
    slaves,
    accessPoint: nameServers.map((member) => member.endpoint).join(';'),
    namesrvAddr,
    directory,
    waitForRoutes: (deadlineMs) => waitForRoutes(nameServers, brokers, deadlineMs),
    stop,
    [Symbol.asyncDispose]: stop,
  };
  try {
    for (const { name, clientPort, adminPort, httpPort } of members) {
      await placement.open(name, [clientPort, adminPort, httpPort]);
    }
    for (const member of members) member.start();
    await Promise.all(members.map((member) => member.waitReady()));
    await cluster.waitForRoutes();
    return cluster;
  } catch (error) {
    await Promise.all(members.map((member) => member.kill()));
    await stop();
    throw error;
  }
}

async function nameServer(
  name: string,
  directory: string,
  from: 'bundle' | 'source',
  options: ClusterOptions,
): Promise<Member> {
  const ports = { client: await freePort(), admin: await freePort(), http: await freePort() };
  const { placement = LOOPBACK } = options;
  const address = placement.addressOf(name);
  const properties: Properties = {
    bindAddress: address,
    listenPort: ports.admin,
    grpcServerPort: ports.client,
    metricsPromExporterHost: address,
    metricsPromExporterPort: ports.http,
    ...options.nameServerProperties,
  };
  const command = placement.commandOf(name, [...appCommand('namesrv', from), ...flagsOf(properties)]);
  return new Member({ name, command, directory, ports, environment: options.environment ?? {} });
}

async function broker(
  name: string,
  directory: string,
  from: 'bundle' | 'source',
  namesrvAddr: string,
  options: ClusterOptions,
): Promise<Member> {
  const ports = await brokerPorts();
  const properties = { ...brokerProperties(name, name, directory, ports, options), ...options.brokerProperties };
  return brokerProcess(
    name,
    'broker',
    ports,
    { ...properties, ...options.propertiesOf?.[name] },
    directory,
    from,
    namesrvAddr,
    options,
  );
}

/** A slave has its master's properties but for who it is. */
async function slave(
  master: Member,
  id: number,
  directory: string,
  from: 'bundle' | 'source',
  namesrvAddr: string,
  options: ClusterOptions,
): Promise<Member> {
  const name = `${master.name}-s${id}`;
  const ports = await brokerPorts();
  const isElected = options.brokerProperties?.coordinator !== undefined;
  const properties = {
    ...brokerProperties(master.name, name, directory, ports, options),
    ...options.brokerProperties,
    brokerId: id,
    ...(isElected ? {} : { brokerRole: 'SLAVE' }),
    ...options.propertiesOf?.[name],
  };
  return brokerProcess(name, 'replica', ports, properties, directory, from, namesrvAddr, options);
}

async function brokerPorts(): Promise<Ports & { readonly replication: number }> {
  return {
    client: await freePort(),
    admin: await freePort(),
    http: await freePort(),
    replication: await freePort(),
  };
}

function brokerProperties(
  brokerName: string,
  name: string,
  directory: string,
  ports: Ports & { readonly replication: number },
  { placement = LOOPBACK }: ClusterOptions,
): Properties {
  const address = placement.addressOf(name);
  return {
    brokerName,
    brokerIP1: address,
    bindAddress: address,
    adminBindAddress: address,
    listenPort: ports.client,
    adminListenPort: ports.admin,
    haListenPort: ports.replication,
    metricsPromExporterHost: address,
    metricsPromExporterPort: ports.http,
    storePathRootDir: join(directory, name),
  };
}

function brokerProcess(
  name: string,
  app: 'broker' | 'replica',
  ports: Ports,
  properties: Properties,
  directory: string,
  from: 'bundle' | 'source',
  namesrvAddr: string,
  options: ClusterOptions,
): Member {
  const file = join(directory, `${name}.properties`);
  writeFileSync(
    file,
    Object.entries(properties)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  );
  const { placement = LOOPBACK } = options;
  const command = placement.commandOf(name, [...appCommand(app, from), '-c', file, '-n', namesrvAddr]);
  return new Member({ name, command, directory, ports, environment: options.environment ?? {} });
}

function flagsOf(properties: Properties): string[] {
  return Object.entries(properties).map(([key, value]) => `--${key}=${value}`);
}

async function waitForRoutes(
  nameServers: readonly Member[],
  brokers: readonly Member[],
  deadlineMs = 30_000,
): Promise<void> {
  const wanted = brokers.filter((member) => member.running).map((member) => member.name);
  const serving = nameServers.filter((member) => member.running);
  await Promise.all(serving.map((member) => waitForBrokers(`127.0.0.1:${member.adminPort}`, wanted, deadlineMs)));
}
