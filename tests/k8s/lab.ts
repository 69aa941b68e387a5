import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@orbitmq/tools';

/** Commands of Kubernetes on this machine; see its README. */
const K8S_LAB = join(import.meta.dirname, 'lab', 'k8s-lab');
/** Where programs are built, once for all clusters of this machine. */
const PROGRAMS_HOME =
  process.env.K8SLAB_HOME ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'k8s-lab');
const PREFIX = 'orbitmq-k8s-';
const COMMAND_MS = 180_000;

/** Names the home of a cluster that several test files share; its maker takes it down. */
export const SHARED_HOME = 'ORBITMQ_K8S_HOME';
/** Port of the API server of that cluster. */
export const SHARED_PORT = 'ORBITMQ_K8S_PORT';

/** Says why there is no Kubernetes, where that was found out before. */
export const MISSING = 'ORBITMQ_K8S_MISSING';

/** What one command gave. */
export interface CommandOutput {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a command is run. */
export interface CommandOptions {
  readonly input?: string;
  /** Default 180,000. */
  readonly timeoutMs?: number;
  readonly environment?: Readonly<Record<string, string>>;
}

/** Why no Kubernetes can be had on this machine, or false. For the `skip` of a test. */
export const labSkip: string | false = whyNoLab();

function whyNoLab(): string | false {
  const told = process.env[MISSING];
  if (told !== undefined) return told;
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'a Kubernetes of our own needs Linux and root';
  const spaces = ['--net', '--mount', '--pid', '--uts', '--ipc', '--fork', 'true'];
  if (spawnSync('unshare', spaces).status !== 0) return 'a Kubernetes of our own needs namespaces';
  if (!['memory', 'cgroup.controllers'].some((name) => existsSync(join('/sys/fs/cgroup', name)))) {
    return 'a Kubernetes of our own needs cgroups';
  }
  if (!/\boverlay$/m.test(readFileSync('/proc/filesystems', 'utf8'))) {
    return 'a Kubernetes of our own needs a kernel with overlay file systems';
  }
  const packages = missingPackages();
  if (packages.length > 0)
    return `a Kubernetes of our own lacks ${packages.join(', ')}: "npm run test:k8s" installs them`;
  if (areProgramsBuilt() || isInstalled('go')) return false;
  return 'the programs of Kubernetes are not built here, and go is missing';
}

/** What has to be installed: programs, and plugins of the pods' network. */
export function missingPackages(): readonly string[] {
  const programs = ['containerd', 'runc', 'ctr', 'nft', 'conntrack', 'socat', 'openssl', 'ip'];
  const hasPlugins = ['/usr/lib/cni', '/opt/cni/bin'].some((folder) => existsSync(join(folder, 'ptp')));
  return [...programs.filter((program) => !isInstalled(program)), ...(hasPlugins ? [] : ['CNI plugins'])];
}

function isInstalled(program: string): boolean {
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin'];
  return folders.some((folder) => existsSync(join(folder, program)));
}

/** Whether the programs of Kubernetes are there; otherwise whoever comes first builds them, for about ten minutes of CPU time. */
export function areProgramsBuilt(): boolean {
  const { stdout } = spawnSync(K8S_LAB, ['env'], { env: labEnvironment(PROGRAMS_HOME), encoding: 'utf8' });
  const folder = /PATH='([^']+)'/.exec(stdout ?? '')?.[1];
  return folder !== undefined && existsSync(join(folder, '.complete'));
}

/** Installs the Debian packages that are needed. */
export async function installPackages(): Promise<void> {
  await runLab(PROGRAMS_HOME, ['deps'], { timeoutMs: 10 * 60_000 });
}

/** Whether Dockerfiles can be built here. */
export function hasImageBuilder(): boolean {
  return isInstalled('buildah');
}

/** Installs what builds Dockerfiles. @returns false when it can't be had: nothing else needs it */
export async function installImageBuilder(): Promise<boolean> {
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  for (const args of [
    ['update', '-q'],
    ['install', '-y', '-q', '--no-install-recommends', 'buildah'],
  ]) {
    const { code } = await run(['apt-get', ...args], { timeoutMs: 5 * 60_000 }, environment).catch(() => ({
      code: -1,
    }));
    if (code !== 0) return false;
  }
  return hasImageBuilder();
}

/** Builds the programs of Kubernetes unless they are there. @param onOutput gets what the build says */
export async function buildPrograms(onOutput: (text: string) => void): Promise<void> {
  await runLab(PROGRAMS_HOME, ['build'], { timeoutMs: 90 * 60_000 }, onOutput);
}

/** A place for a cluster, with the programs that were built before. */
export function makeHome(): string {
  const home = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`));
  mkdirSync(join(PROGRAMS_HOME, 'bin'), { recursive: true });
  symlinkSync(join(PROGRAMS_HOME, 'bin'), join(home, 'bin'));
  return home;
}

/** Takes a cluster down, and removes its home. */
export function removeHome(home: string): void {
  spawnSync(K8S_LAB, ['down'], { env: labEnvironment(home), timeout: COMMAND_MS });
  rmSync(home, { recursive: true, force: true });
}

/** Removes what runs left that were killed before they could take their cluster down. */
export function removeForsakenHomes(): void {
  for (const name of readdirSync(tmpdir())) {
    const owner = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1];
    if (owner !== undefined && !existsSync(`/proc/${owner}`)) removeHome(join(tmpdir(), name));
  }
}

function labEnvironment(home: string, port = 0): NodeJS.ProcessEnv {
  return { ...process.env, K8SLAB_HOME: home, ...(port === 0 ? {} : { K8SLAB_PORT: String(port) }) };
}

async function runLab(
  home: string,
  args: readonly string[],
  options: CommandOptions = {},
  onOutput?: (text: string) => void,
): Promise<CommandOutput> {
  return mustSucceed(
    `k8s-lab ${args.join(' ')}`,
    await run([K8S_LAB, ...args], options, labEnvironment(home), onOutput),
  );
}

/** A Kubernetes cluster on this machine. */
export class Lab implements AsyncDisposable {
  /** Folder of its state. */
  readonly home: string;
  /** Environment with which its `kubectl` and `helm` are found and reach it. */
  readonly environment: NodeJS.ProcessEnv;
  readonly #port: number;
  readonly #isShared: boolean;
  readonly #removeAtExit: () => void;

  private constructor(home: string, port: number, isShared: boolean) {
    this.home = home;
    this.#port = port;
    this.#isShared = isShared;
    const env = spawnSync(K8S_LAB, ['env'], { env: labEnvironment(home, port), encoding: 'utf8' }).stdout;
    const programs = /PATH='([^']+)'/.exec(env)![1]!;
    this.environment = {
      ...labEnvironment(home, port),
      KUBECONFIG: this.kubeconfigFile,
      PATH: `${programs}:${process.env.PATH}`,
      HELM_CACHE_HOME: join(home, 'helm'),
      HELM_CONFIG_HOME: join(home, 'helm'),
      HELM_DATA_HOME: join(home, 'helm'),
    };
    this.#removeAtExit = () => removeHome(home);
    if (isShared) return;
    process.once('exit', this.#removeAtExit);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));
  }

  /**
   * Brings a cluster up, or joins the one that the whole test run shares.
   * @param options.controlPlaneOnly a real API server and controllers, no containers
   */
  static async up(options: { readonly nodes: number; readonly controlPlaneOnly?: boolean }): Promise<Lab> {
    const shared = process.env[SHARED_HOME];
    const home = shared ?? makeHome();
    const port = shared === undefined ? await freePort() : Number(process.env[SHARED_PORT]);
    const lab = new Lab(home, port, shared !== undefined);
    try {
      const kind = options.controlPlaneOnly ? ['--control-plane-only'] : [];
      await lab.command(['up', '--nodes', String(options.nodes), ...kind], { timeoutMs: 90 * 60_000 });
      return lab;
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The administrator's. */
  get kubeconfigFile(): string {
    return join(this.home, 'cluster', 'kubeconfig');
  }

  /** Address of the API server, from this machine. */
  get server(): string {
    return `https://127.0.0.1:${this.#port}`;
  }

  /** One of the lab's own commands. @throws Error with its output when it fails */
  async command(args: readonly string[], options: CommandOptions = {}): Promise<string> {
    return (await runLab(this.home, args, { ...options, environment: { K8SLAB_PORT: String(this.#port) } })).stdout;
  }

  /** @returns what it prints. @throws Error with its output when it fails */
  async kubectl(args: readonly string[], options: CommandOptions = {}): Promise<string> {
    return mustSucceed(`kubectl ${args.join(' ')}`, await this.tryKubectl(args, options)).stdout;
  }

  /** The same, for who wants to see it fail. */
  tryKubectl(args: readonly string[], options: CommandOptions = {}): Promise<CommandOutput> {
    return run(['kubectl', ...args], options, this.environment);
  }

  /** @returns what it prints. @throws Error with its output when it fails */
  async helm(args: readonly string[], options: CommandOptions = {}): Promise<string> {
    return mustSucceed(`helm ${args.join(' ')}`, await run(['helm', ...args], options, this.environment)).stdout;
  }

  /** What the API server has. @param args as behind `kubectl get` */
  async get<Found>(...args: string[]): Promise<Found> {
    return JSON.parse(await this.kubectl(['get', ...args, '-o', 'json'])) as Found;
  }

  /** Command line that runs a program in the network of the nodes, or of one of them. */
  inNetworkOf(machine: string, command: readonly string[]): readonly string[] {
    return ['nsenter', '-t', String(this.#firstProcess(machine)), '-n', ...command];
  }

  /** Process of a program of the control plane. */
  pidOf(program: string): number {
    const waiting = [this.#firstProcess('control')];
    for (let pid = waiting.pop(); pid !== undefined; pid = waiting.pop()) {
      if (readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === program) return pid;
      waiting.push(...childrenOf(pid));
    }
    throw new Error(`the control plane runs no ${program}`);
  }

  /** Takes it down, unless others go on with it. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isShared) return;
    process.off('exit', this.#removeAtExit);
    removeHome(this.home);
  }

  /** The one inside the namespaces of a machine from which all others stem. */
  #firstProcess(machine: string): number {
    const outside = Number(readFileSync(join(this.home, 'cluster', machine, 'pid'), 'utf8'));
    const inside = childrenOf(outside)[0];
    if (inside === undefined) throw new Error(`${machine} does not run`);
    return inside;
  }
}

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );
}

function run(
  [program, ...args]: readonly string[],
  { input = '', timeoutMs = COMMAND_MS, environment = {} }: CommandOptions,
  base: NodeJS.ProcessEnv,
  onOutput?: (text: string) => void,
): Promise<CommandOutput> {
  return new Promise((resolve, reject) => {
    const child = spawn(program!, args, { env: { ...base, ...environment }, timeout: timeoutMs });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
      onOutput?.(text);
    });
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (signal !== null) stderr += `\nended by ${signal} after at most ${timeoutMs} ms`;
      resolve({ code: code ?? -1, stdout, stderr });
    });
  });
}

function mustSucceed(what: string, output: CommandOutput): CommandOutput {
  if (output.code === 0) return output;
  throw new Error(`${what} ended with ${output.code}:\n${output.stderr}${output.stdout}`);
}
