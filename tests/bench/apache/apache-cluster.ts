import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Child, freePort, isListening, lastLines, startChild, waitUntil } from '../../interop/child.ts';

const run = promisify(execFile);
const FOLDER = import.meta.dirname;
const WORK_FOLDER = join(FOLDER, '..', '.work', 'apache');
const MAIN = {
  namesrv: 'org.apache.rocketmq.namesrv.NamesrvStartup',
  broker: 'org.apache.rocketmq.broker.BrokerStartup',
  slave: 'org.apache.rocketmq.broker.BrokerStartup',
  proxy: 'org.apache.rocketmq.proxy.ProxyStartup',
  admin: 'org.apache.rocketmq.tools.command.MQAdminStartup',
} as const;
type ServerName = Exclude<keyof typeof MAIN, 'admin'>;
/** What each prints when it serves. */
const BOOTED: Readonly<Record<ServerName, string>> = {
  namesrv: 'boot success',
  broker: 'boot success',
  slave: 'boot success',
  // It only says so in its log file; its port is enough.
  proxy: '',
};
const START_ATTEMPTS = 5;
const START_MS_MAX = 180_000;

type Properties = Readonly<Record<string, string | number | boolean>>;

/** How the original is set up for a run. */
export interface ApacheClusterOptions {
  /** An empty folder for data, configuration and logs. */
  readonly folder: string;
  readonly flushDiskType: 'ASYNC_FLUSH' | 'SYNC_FLUSH';
  /** The broker is the master of one slave, in this role; SYNC_MASTER answers when the slave has it. Default: no slave. */
  readonly pairedAs?: 'ASYNC_MASTER' | 'SYNC_MASTER' | undefined;
  /** Heaps for a load; without, a machine that does other things, too, has room for it. Default true. */
  readonly isUnderLoad?: boolean;
  /** On top of what makes it run on loopback. */
  readonly brokerProperties?: Properties;
}

/** Apache RocketMQ with one name server, one broker (with a slave where that is asked for) and one proxy in cluster mode, on loopback. */
export interface ApacheCluster {
  /** `host:port` of the proxy, where clients connect. */
  readonly endpoints: string;
  /** `host:port` of the broker, which speaks the remoting protocol. */
  readonly brokerAddress: string;
  /** All of them, the slave too. */
  readonly processes: readonly Child[];
  readonly slave: Child | undefined;
  createTopic(
    topic: string,
    messageType: 'NORMAL' | 'FIFO' | 'TRANSACTION' | 'PRIORITY' | 'DELAY' | 'LITE',
    queueCount?: number,
  ): Promise<void>;
  /** @param attributes as mqadmin takes them: `+name=value,…` */
  createGroup(group: string, isFifo: boolean, attributes?: string): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Brings the jars named in pom.xml into the work folder, once per version of that file.
 *
 * @returns the class path
 * @throws Error when Maven or Java is missing or the jars cannot be had
 */
export async function prepareApacheJars(): Promise<string> {
  const pom = join(FOLDER, 'pom.xml');
  const digest = createHash('sha256').update(readFileSync(pom)).digest('hex').slice(0, 12);
  const jars = join(WORK_FOLDER, `lib-${digest}`);
  const done = join(jars, '.complete');
  if (!existsSync(done)) {
    mkdirSync(jars, { recursive: true });
    await run('mvn', ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', `-DoutputDirectory=${jars}`]);
    writeFileSync(done, '');
  }
  return join(jars, '*');
}

/** Starts the original and waits until its proxy serves. */
export async function startApacheCluster(options: ApacheClusterOptions): Promise<ApacheCluster> {
  const classPath = await prepareApacheJars();
  const java = new JavaProcesses(classPath, options);
  const ports = {
    namesrv: await freePort(),
    broker: await freePort(),
    proxy: await freePort(),
    remoting: await freePort(),
  };
  const namesrvAddr = `127.0.0.1:${ports.namesrv}`;
  let slave: Child | undefined;
  try {
    await java.startNamesrv(ports.namesrv);
    await java.startBroker(ports.broker, namesrvAddr);
    if (options.pairedAs !== undefined) slave = await java.startSlave(await freePort(), namesrvAddr);
    await java.startProxy(ports.proxy, ports.remoting, namesrvAddr);
  } catch (error) {
    await java.stop();
    throw error;
  }
  return {
    endpoints: `127.0.0.1:${ports.proxy}`,
    brokerAddress: `127.0.0.1:${ports.broker}`,
    processes: java.children,
    slave,
    createTopic: (topic, messageType, queueCount = 8) =>
      java.admin(namesrvAddr, [
        ...['updateTopic', '-c', 'DefaultCluster', '-t', topic, '-r', String(queueCount), '-w', String(queueCount)],
        ...['-a', `+message.type=${messageType}`],
      ]),
    createGroup: (group, isFifo, attributes) =>
      java.admin(namesrvAddr, [
        ...['updateSubGroup', '-c', 'DefaultCluster', '-g', group, '-o', String(isFifo)],
        ...(attributes === undefined ? [] : ['--attributes', attributes]),
      ]),
    stop: () => java.stop(),
  };
}

/** The JVMs of one cluster, in the order of their start. */
class JavaProcesses {
  readonly children: Child[] = [];
  readonly #classPath: string;
  readonly #folder: string;
  readonly #options: ApacheClusterOptions;

  constructor(classPath: string, options: ApacheClusterOptions) {
    this.#classPath = classPath;
    this.#folder = options.folder;
    this.#options = options;
    mkdirSync(options.folder, { recursive: true });
  }

  startNamesrv(port: number): Promise<void> {
    const config = this.#write('namesrv.properties', { listenPort: port, rocketmqHome: this.#folder });
    return this.#start('namesrv', port, ['-Xms256m', '-Xmx256m'], ['-c', config]);
  }

  async startBroker(port: number, namesrvAddr: string): Promise<void> {
    const { pairedAs } = this.#options;
    await this.#startStore('broker', port, namesrvAddr, {
      brokerId: 0,
      brokerRole: pairedAs ?? 'ASYNC_MASTER',
      ...(pairedAs === 'SYNC_MASTER' ? { inSyncReplicas: 2 } : {}),
      ...(pairedAs === undefined ? {} : { haListenPort: await freePort() }),
    });
  }

  async startSlave(port: number, namesrvAddr: string): Promise<Child> {
    const haListenPort = await freePort();
    await this.#startStore('slave', port, namesrvAddr, { brokerId: 1, brokerRole: 'SLAVE', haListenPort });
    return this.children.at(-1)!;
  }

  /** @param folder of its data, and the name of its configuration */
  #startStore(folder: 'broker' | 'slave', port: number, namesrvAddr: string, properties: Properties): Promise<void> {
    const store = join(this.#folder, folder === 'broker' ? 'store' : 'store-slave');
    const config = this.#write(`${folder}.properties`, {
      brokerClusterName: 'DefaultCluster',
      brokerName: 'broker-a',
      brokerIP1: '127.0.0.1',
      listenPort: port,
      namesrvAddr,
      flushDiskType: this.#options.flushDiskType,
      autoCreateTopicEnable: true,
      autoCreateSubscriptionGroup: true,
      storePathRootDir: store,
      storePathCommitLog: join(store, 'commitlog'),
      ...properties,
      ...this.#options.brokerProperties,
    });
    return this.#start(folder, port, [...this.#heap(), '-XX:MaxDirectMemorySize=2g'], ['-c', config]);
  }

  startProxy(port: number, remotingPort: number, namesrvAddr: string): Promise<void> {
    const config = join(this.#folder, 'rmq-proxy.json');
    const settings = {
      rocketMQClusterName: 'DefaultCluster',
      namesrvAddr,
      proxyMode: 'CLUSTER',
      grpcServerPort: port,
      remotingListenPort: remotingPort,
    };
    writeFileSync(config, JSON.stringify(settings));
    return this.#start('proxy', port, [...this.#heap(), '-XX:MaxDirectMemorySize=1g'], ['-pc', config]);
  }

  #heap(): string[] {
    return (this.#options.isUnderLoad ?? true) ? ['-Xms2g', '-Xmx2g'] : ['-Xmx768m'];
  }

  async admin(namesrvAddr: string, args: readonly string[]): Promise<void> {
    const java = ['-Xmx128m', '-XX:TieredStopAtLevel=1', ...this.#properties('tools'), '-cp', this.#classPath];
    const { stdout, stderr } = await run('java', [...java, MAIN.admin, ...args, '-n', namesrvAddr], {
      env: this.#environment(),
    });
    if (!stdout.includes('success')) throw new Error(`mqadmin ${args.join(' ')} failed: ${stdout}${stderr}`);
  }

  async stop(): Promise<void> {
    for (const child of this.children.toReversed()) await child.stop(15_000);
  }

  /** @returns undefined when the process ended instead of serving */
  async #tryToStart(name: ServerName, port: number, heap: string[], args: string[]): Promise<Child | undefined> {
    const child = startChild({
      name,
      command: 'java',
      args: ['-server', ...heap, ...this.#properties(name), '-cp', this.#classPath, MAIN[name], ...args],
      logFile: join(this.#folder, `${name}.out`),
      cwd: this.#folder,
      env: this.#environment(),
    });
    this.children.push(child);
    await waitUntil(`the ${name} of Apache RocketMQ listens on ${port}`, START_MS_MAX, async () => {
      return (
        !child.isRunning() || ((await isListening(port)) && readFileSync(child.logFile, 'utf8').includes(BOOTED[name]))
      );
    });
    return child.isRunning() ? child : undefined;
  }

  async #start(name: ServerName, port: number, heap: string[], args: string[]): Promise<void> {
    for (let attempt = 1; attempt <= START_ATTEMPTS; attempt++) {
      if ((await this.#tryToStart(name, port, heap, args)) !== undefined) return;
      // The proxy ends when the broker has not registered yet, which only time can tell.
      this.children.pop();
    }
    throw new Error(`the ${name} ended: ${lastLines(join(this.#folder, `${name}.out`), 20)}`);
  }

  #properties(name: string): string[] {
    const home = join(this.#folder, name === 'slave' ? 'home-slave' : 'home');
    return [
      `-Duser.home=${home}`,
      `-Drmq.logback.configurationFile=rmq.${name === 'slave' ? 'broker' : name}.logback.xml`,
    ];
  }

  #environment(): Record<string, string> {
    return { PATH: process.env.PATH ?? '', ROCKETMQ_HOME: this.#folder, RMQ_PROXY_HOME: this.#folder };
  }

  #write(file: string, properties: Properties): string {
    const path = join(this.#folder, file);
    const lines = Object.entries(properties).map(([key, value]) => `${key}=${value}`);
    writeFileSync(path, `${lines.join('\n')}\n`);
    return path;
  }
}
