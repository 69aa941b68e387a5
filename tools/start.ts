import { existsSync, renameSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { bundleApps } from './bundle.ts';
import { isPortFree } from './free-port.ts';
import { keepRunning } from './keep-running.ts';
import { appCommand, ROOT } from './repository.ts';
import { waitForBrokers } from './routes.ts';
import { ServiceProcess } from './service-process.ts';

const USAGE = `usage: npm start -- [--data DIR] [--namesrv-port 9876] [--client-port 8081] [--broker-port 10911] [--http-port 5556]

Runs two name servers, two masters and a slave of each on 127.0.0.1, until Ctrl-C. One that fails or is killed is started again;
one that is stopped in order stays so. Each of these may also be set by a variable:
ORBITMQ_START_DATA, ORBITMQ_START_NAMESRV_PORT, ORBITMQ_START_CLIENT_PORT, ORBITMQ_START_BROKER_PORT, ORBITMQ_START_HTTP_PORT.

  namesrv-port  registration; the second name server takes the next port
  client-port   what clients dial; the second name server takes the next port
  broker-port   client port of broker-a, its admin port is 2 below, that for its slave 1 above; broker-b is 10 above, slaves are 100 above
  http-port     metrics and health of all six, on six ports in a row
`;
const HOST = '127.0.0.1';
/** Between the ports of a master and those of its slave. */
const SLAVE_PORT_DISTANCE = 100;
const LOG_BYTES_MAX = 16 * 1024 * 1024;
const OPTIONS = ['data', 'namesrv-port', 'client-port', 'broker-port', 'http-port'] as const;
const DEFAULTS = {
  data: 'data',
  'namesrv-port': '9876',
  'client-port': '8081',
  'broker-port': '10911',
  'http-port': '5556',
};

/** A service of the cluster: what it is called, how it is run, and which ports it wants. */
interface Plan {
  readonly name: string;
  readonly command: readonly string[];
  readonly http: number;
  /** Ports with the flag of this script that moves them. */
  readonly ports: readonly (readonly [port: number, flag: string])[];
}

interface Settings {
  readonly dataDirectory: string;
  readonly namesrvPort: number;
  readonly clientPort: number;
  readonly brokerPort: number;
  readonly httpPort: number;
}

class UsageError extends Error {}

function readSettings(): Settings {
  const { values } = parseArgs({
    options: {
      help: { type: 'boolean', short: 'h' },
      ...Object.fromEntries(OPTIONS.map((name) => [name, { type: 'string' as const }])),
    },
    strict: true,
  });
  if (values.help) throw new UsageError(USAGE);
  const text = (name: (typeof OPTIONS)[number]): string =>
    String(
      (values as Record<string, unknown>)[name] ??
        process.env[`ORBITMQ_START_${name.toUpperCase().replace('-', '_')}`] ??
        DEFAULTS[name],
    );
  const port = (name: (typeof OPTIONS)[number]): number => {
    const value = Number(text(name));
    if (!Number.isInteger(value) || value < 3 || value > 65_400) {
      throw new UsageError(`--${name} must be a port, 3…65400; found ${JSON.stringify(text(name))}`);
    }
    return value;
  };
  return {
    dataDirectory: resolve(ROOT, text('data')),
    namesrvPort: port('namesrv-port'),
    clientPort: port('client-port'),
    brokerPort: port('broker-port'),
    httpPort: port('http-port'),
  };
}

function planNameServer(settings: Settings, index: number): Plan {
  const [route, client, http] = [settings.namesrvPort + index, settings.clientPort + index, settings.httpPort + index];
  return {
    name: `namesrv-${index + 1}`,
    command: [
      ...appCommand('namesrv', 'bundle'),
      `--bindAddress=${HOST}`,
      `--listenPort=${route}`,
      `--grpcServerPort=${client}`,
      `--metricsPromExporterHost=${HOST}`,
      `--metricsPromExporterPort=${http}`,
    ],
    http,
    ports: [
      [route, '--namesrv-port'],
      [client, '--client-port'],
      [http, '--http-port'],
    ],
  };
}

function planBroker(settings: Settings, index: number, kind: 'master' | 'slave'): Plan {
  const isSlave = kind === 'slave';
  const name = `broker-${'ab'[index]}${isSlave ? '-s' : ''}`;
  const client = settings.brokerPort + 10 * index + (isSlave ? SLAVE_PORT_DISTANCE : 0);
  const http = settings.httpPort + 2 + index + (isSlave ? 2 : 0);
  return {
    name,
    command: [
      ...appCommand(isSlave ? 'replica' : 'broker', 'bundle'),
      '-c',
      `${ROOT}/deploy/conf/2m-2s-async/${name}.properties`,
      '-n',
      `${HOST}:${settings.namesrvPort};${HOST}:${settings.namesrvPort + 1}`,
      `--bindAddress=${HOST}`,
      `--brokerIP1=${HOST}`,
      `--listenPort=${client}`,
      `--adminListenPort=${client - 2}`,
      `--haListenPort=${client + 1}`,
      `--metricsPromExporterHost=${HOST}`,
      `--metricsPromExporterPort=${http}`,
      `--storePathRootDir=${settings.dataDirectory}/${name}`,
    ],
    http,
    ports: [
      [client, '--broker-port'],
      [client - 2, '--broker-port'],
      [client + 1, '--broker-port'],
      [http, '--http-port'],
    ],
  };
}

async function refuseTakenPorts(plans: readonly Plan[]): Promise<void> {
  const problems: string[] = [];
  for (const plan of plans) {
    for (const [port, flag] of plan.ports) {
      if (!(await isPortFree(port, HOST)))
        problems.push(`port ${port} of ${plan.name} is in use (choose others with ${flag})`);
    }
  }
  if (problems.length === 0) return;
  throw new UsageError(
    `the cluster can't start:\n${problems.map((problem) => `  ${problem}`).join('\n')}\nIs another one running? Stop what uses the ports, or give others behind "npm start --".`,
  );
}

function createProcess(plan: Plan, settings: Settings): ServiceProcess {
  const logFile = `${settings.dataDirectory}/logs/${plan.name}.log`;
  if (existsSync(logFile) && statSync(logFile).size > LOG_BYTES_MAX) renameSync(logFile, `${logFile}.1`);
  return new ServiceProcess({
    name: plan.name,
    command: plan.command,
    logFile,
    readyUrl: `http://${HOST}:${plan.http}/readyz`,
    endsWithParent: true,
    // Variables for this script are none for the services.
    environment: Object.fromEntries(
      OPTIONS.map((name) => [`ORBITMQ_START_${name.toUpperCase().replace('-', '_')}`, undefined]),
    ),
  });
}

function describe(settings: Settings): string {
  const { namesrvPort, clientPort, brokerPort, httpPort, dataDirectory } = settings;
  const namesrvAddr = `${HOST}:${namesrvPort};${HOST}:${namesrvPort + 1}`;
  return `
OrbitMQ is running: 2 name servers, broker-a and broker-b (ports ${brokerPort} and ${brokerPort + 10}), a slave of each.

  Access point for clients   ${HOST}:${clientPort};${HOST}:${clientPort + 1}
  Metrics and health         http://${HOST}:${httpPort}/metrics … ${httpPort + 5}
  Data and logs              ${dataDirectory}

Send a message and receive it, in another terminal:

  npx mqadmin sendMessage -n '${namesrvAddr}' -t HelloTopic -p 'hello' && npx mqadmin consumeMessage -n '${namesrvAddr}' -t HelloTopic -g HelloGroup -c 1

Ctrl-C stops it; the data stays for the next start.
`;
}

/** Stops brokers first, then name servers. */
async function stopAll(processes: readonly ServiceProcess[]): Promise<boolean> {
  const isBroker = (process: ServiceProcess): boolean => process.name.startsWith('broker');
  const ends = await Promise.all(processes.filter(isBroker).map((process) => process.stop()));
  ends.push(...(await Promise.all(processes.filter((process) => !isBroker(process)).map((process) => process.stop()))));
  return ends.every((end) => end.code === 0);
}

/** What ended a run: somebody asked, or a service died before all of them served. */
type RunEnd = 'asked' | ServiceProcess;

/** Settles when a signal asks the cluster to stop. A second one a while later ends everything at once. */
function stopAsked(): Promise<'asked'> {
  const asked = Promise.withResolvers<'asked'>();
  let askedMs = 0;
  const ask = (): void => {
    // Ctrl-C may arrive twice, from the terminal and from npm.
    if (askedMs > 0 && performance.now() - askedMs > 1_000) process.exit(130);
    if (askedMs === 0) askedMs = performance.now();
    asked.resolve('asked');
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, ask);
  return asked.promise;
}

async function waitUntilServing(processes: readonly ServiceProcess[], settings: Settings): Promise<'serving'> {
  await Promise.all(processes.map((service) => service.waitReady(60_000)));
  const addresses = [0, 1].map((index) => `${HOST}:${settings.namesrvPort + index}`);
  await Promise.all(addresses.map((address) => waitForBrokers(address, ['broker-a', 'broker-b'], 30_000)));
  return 'serving';
}

async function runUntilEnd(
  processes: readonly ServiceProcess[],
  settings: Settings,
  stopping: AbortSignal,
): Promise<RunEnd> {
  const startedMs = performance.now();
  const asked = stopAsked();
  for (const service of processes) service.start();
  const died = Promise.race(processes.map((service) => service.ended.then(() => service)));
  const serving = waitUntilServing(processes, settings);
  const first = await Promise.race([asked, died, serving]);
  if (first !== 'serving') {
    // It fails as well, of the same cause.
    serving.catch(() => undefined);
    return first;
  }
  console.log(`Serving after ${((performance.now() - startedMs) / 1000).toFixed(1)} s.\n${describe(settings)}`);
  const say = (text: string): void => console.error(text);
  const allStopped = Promise.all(processes.map((service) => keepRunning(service, stopping, say)));
  return Promise.race([asked, allStopped.then(() => 'asked' as const)]);
}

async function main(): Promise<number> {
  const settings = readSettings();
  const plans = [
    planNameServer(settings, 0),
    planNameServer(settings, 1),
    planBroker(settings, 0, 'master'),
    planBroker(settings, 1, 'master'),
    planBroker(settings, 0, 'slave'),
    planBroker(settings, 1, 'slave'),
  ];
  await refuseTakenPorts(plans);
  const built = await bundleApps();
  if (built.length > 0) console.log(`Built ${built.join(', ')}.`);
  console.log('Starting 2 name servers, 2 masters and 2 slaves …');
  const processes = plans.map((plan) => createProcess(plan, settings));
  const stopping = new AbortController();
  let well = false;
  try {
    const end = await runUntilEnd(processes, settings, stopping.signal);
    well = end === 'asked';
    if (end === 'asked') console.log('\nStopping …');
    else
      console.error(
        `\n${end.name} ${end.describeEnd()}; stopping the others. The end of ${end.options.logFile}:\n${end.logTail()}`,
      );
  } catch (error) {
    console.error(`\n${(error as Error).message}`);
  }
  stopping.abort();
  const stoppedWell = await stopAll(processes);
  if (well) console.log(stoppedWell ? 'Stopped; the data is kept.' : 'Stopped, but not all ended well: see the logs.');
  return well && stoppedWell ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  const isUsage = error instanceof UsageError || (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS');
  if (!isUsage) throw error;
  console.error((error as Error).message);
  process.exitCode = 1;
}
// Connections that are kept alive would hold the process a while longer.
process.exit();
