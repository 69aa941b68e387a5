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
  proxy: 'org.apache.rocketmq.proxy.ProxyStartup',
  admin: 'org.apache.rocketmq.tools.command.MQAdminStartup',
} as const;
type ServerName = Exclude<keyof typeof MAIN, 'admin'>;
/** What each prints when it serves. */
const BOOTED: Readonly<Record<ServerName, string>> = {
  namesrv: 'boot success',
  broker: 'boot success',
  // It only says so in its log file; its port is enough.
  proxy: '',
};
const START_ATTEMPTS = 5;
const START_MS_MAX = 180_000;

/** How the original is set up for a run. */
export interface ApacheClusterOptions {
  /** An empty folder for data, configuration and logs. */
  readonly folder: string;
  readonly flushDiskType: 'ASYNC_FLUSH' | 'SYNC_FLUSH';
  /** Heaps for a load; without, a machine that does other things, too, has room for it. Default true. */
  readonly isUnderLoad?: boolean;
  /** On top of what makes it run on loopback. */
  readonly brokerProperties?: Readonly<Record<string, string | number | boolean>>;
}

/** Apache RocketMQ with one name server, one broker and one proxy in cluster mode, on loopback. */
export interface ApacheCluster {
  /** `host:port` of the proxy, where clients connect. */
  readonly endpoints: string;
  /** `host:port` of the broker, which speaks the remoting protocol. */
  readonly brokerAddress: string;
  readonly processes: readonly Child[];
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
  try {
    await java.startNamesrv(ports.namesrv);
    await java.startBroker(ports.broker, namesrvAddr);
    await java.startProxy(ports.proxy, ports.remoting, namesrvAddr);
  } catch (error) {
    await java.stop();
    throw error;
  }
  return {
    endpoints: `127.0.0.1:${ports.proxy}`,
    brokerAddress: `127.0.0.1:${ports.broker}`,
    processes: java.children,
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

  startBroker(port: number, namesrvAddr: string): Promise<void> {
    const config = this.#write('broker.properties', {
      brokerClusterName: 'DefaultCluster',
      brokerName: 'broker-a',
      brokerId: 0,
      brokerIP1: '127.0.0.1',
      brokerRole: 'ASYNC_MASTER',
      listenPort: port,
      namesrvAddr,
      flushDiskType: this.#options.flushDiskType,
      autoCreateTopicEnable: true,
      autoCreateSubscriptionGroup: true,
      storePathRootDir: join(this.#folder, 'store'),
      storePathCommitLog: join(this.#folder, 'store', 'commitlog'),
      ...this.#options.brokerProperties,
    });
    return this.#start('broker', port, [...this.#heap(), '-XX:MaxDirectMemorySize=2g'], ['-c', config]);
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
    return [`-Duser.home=${join(this.#folder, 'home')}`, `-Drmq.logback.configurationFile=rmq.${name}.logback.xml`];
  }

  #environment(): Record<string, string> {
    return { PATH: process.env.PATH ?? '', ROCKETMQ_HOME: this.#folder, RMQ_PROXY_HOME: this.#folder };
  }

  #write(file: string, properties: Readonly<Record<string, string | number | boolean>>): string {
    const path = join(this.#folder, file);
    const lines = Object.entries(properties).map(([key, value]) => `${key}=${value}`);
    writeFileSync(path, `${lines.join('\n')}\n`);
    return path;
  }
}
