import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Connection, DriverCommand } from './driver.ts';

const run = promisify(execFile);
const CLIENTS = join(import.meta.dirname, 'clients');
const WORK = join(import.meta.dirname, '.work');
const BUILD_MS_MAX = 20 * 60_000;

/** What a client library can do with lite topics. */
export interface LiteTraits {
  readonly hasSimpleConsumer: boolean;
  /** A subscription can say where it begins. */
  readonly hasOffsets: boolean;
  /** A listener can suspend a lite topic. */
  readonly canSuspend: boolean;
  /** Refuses names and numbers of subscriptions by itself. */
  readonly checksQuota: boolean;
}

/** What a client library can do, as far as the scenarios differ by it. */
export interface ClientTraits {
  readonly hasPushConsumer: boolean;
  readonly canChangeInvisible: boolean;
  /** Can be configured with a namespace. */
  readonly hasNamespace: boolean;
  /** Finest step of a time of delivery. */
  readonly deliveryStepMs: number;
  /** Can take back a message that waits for its time. */
  readonly canRecall: boolean;
  /** The lowest priority that it can give a message; undefined where it can't give any. */
  readonly priorityMin: number | undefined;
  /** Its consumers of lite topics, and what they can. */
  readonly lite: LiteTraits | undefined;
  /** Several messages in one SendMessage. */
  readonly canSendBatch: boolean;
  /** Connects by TLS unless told otherwise, and takes any certificate then. */
  readonly usesTlsByDefault: boolean;
  /** Can be told to speak plain HTTP/2. */
  readonly canSpeakPlain: boolean;
  /** Several access points in one configuration, and the others tried when one is gone. */
  readonly hasAccessPointFailover: boolean;
  /** The largest body it can send and receive itself; most are bound by the server's 4 MiB. */
  readonly bodySizeMax: number;
  /** Told the time of birth in milliseconds, or only in seconds. */
  readonly bornResolutionMs: number;
}

/** A client library that the machine can run, or the reason why it cannot. */
export interface InteropClient {
  readonly language: string;
  readonly version: string;
  readonly traits: ClientTraits;
  /** Why its tests are skipped; undefined when it runs. */
  readonly missing: string | undefined;
  readonly command: DriverCommand;
}

interface Recipe {
  readonly language: string;
  readonly version: string;
  readonly traits: ClientTraits;
  /** Files whose content decides whether what was built before is still good. */
  readonly sources: readonly string[];
  /** Programs that must be there. */
  readonly tools: readonly string[];
  build(folder: string): Promise<void>;
  command(folder: string): DriverCommand;
}

const COMMON_TRAITS: ClientTraits = {
  hasPushConsumer: true,
  canChangeInvisible: true,
  hasNamespace: true,
  deliveryStepMs: 1,
  canRecall: true,
  priorityMin: undefined,
  lite: undefined,
  canSendBatch: false,
  usesTlsByDefault: false,
  canSpeakPlain: true,
  hasAccessPointFailover: true,
  bodySizeMax: 3.9 * 1024 * 1024,
  bornResolutionMs: 1,
};

const LITE_TRAITS: LiteTraits = { hasSimpleConsumer: false, hasOffsets: true, canSuspend: true, checksQuota: true };

const NODE: Recipe = {
  language: 'node',
  version: '1.0.8',
  // It hands `a:1,b:2` to its gRPC library, which takes that for one name; a priority of 0 is none to it.
  traits: { ...COMMON_TRAITS, hasAccessPointFailover: false, priorityMin: 1, lite: LITE_TRAITS },
  sources: [],
  tools: [],
  build: async () => {},
  command: () => ({ command: process.execPath, args: [join(CLIENTS, 'node', 'driver.mjs')], env: {} }),
};

const PYTHON: Recipe = {
  language: 'python',
  version: '5.1.2',
  traits: {
    ...COMMON_TRAITS,
    bornResolutionMs: 1000,
    deliveryStepMs: 1000,
    priorityMin: 0,
    lite: { hasSimpleConsumer: true, hasOffsets: false, canSuspend: false, checksQuota: true },
  },
  sources: ['python/requirements.txt'],
  tools: ['python3'],
  async build(folder) {
    await run('python3', ['-m', 'venv', folder]);
    const pip = ['-m', 'pip', 'install', '--quiet', '--no-deps', '-r', join(CLIENTS, 'python', 'requirements.txt')];
    await run(join(folder, 'bin', 'python'), pip, { timeout: BUILD_MS_MAX });
  },
  command: (folder) => ({
    command: join(folder, 'bin', 'python'),
    args: [join(CLIENTS, 'python', 'driver.py')],
    env: { GRPC_ENABLE_FORK_SUPPORT: '0' },
  }),
};

function goRecipe(language: string, version: string, traits: Partial<ClientTraits>, modules: string): Recipe {
  return {
    language,
    version,
    traits: { ...COMMON_TRAITS, usesTlsByDefault: true, bodySizeMax: 1.9 * 1024 * 1024, ...traits },
    sources: [`go/${modules}.mod`, `go/${modules}.sum`, 'go/main.go', 'go/newer.go', 'go/older.go'],
    tools: ['go'],
    async build(folder) {
      const which = modules === 'go' ? [] : [`-modfile=${modules}.mod`, '-tags', modules];
      const args = ['build', '-p', '1', '-mod=readonly', ...which, '-o', join(folder, 'driver'), '.'];
      await run('go', args, { cwd: join(CLIENTS, 'go'), timeout: BUILD_MS_MAX });
    },
    command: (folder) => ({ command: join(folder, 'driver'), args: [], env: { 'user.home': join(WORK, 'home') } }),
  };
}

const RUST: Recipe = {
  language: 'rust',
  version: '5.0.0',
  traits: {
    ...COMMON_TRAITS,
    hasPushConsumer: false,
    canChangeInvisible: false,
    hasNamespace: false,
    deliveryStepMs: 1000,
    canRecall: false,
    canSendBatch: true,
    hasAccessPointFailover: false,
    bornResolutionMs: 1000,
  },
  sources: ['rust/Cargo.toml', 'rust/Cargo.lock', 'rust/src/main.rs'],
  tools: ['cargo', 'cc'],
  async build(folder) {
    const args = ['-n', '10', 'cargo', 'build', '--release', '--locked', '--quiet', '--target-dir', folder];
    await run('nice', args, { cwd: join(CLIENTS, 'rust'), timeout: BUILD_MS_MAX });
  },
  command: (folder) => ({ command: join(folder, 'release', 'orbitmq-interop-rust'), args: [], env: {} }),
};

function javaRecipe(language: string, version: string, traits: Partial<ClientTraits>): Recipe {
  const files = traits.lite ? ['Driver.java', 'Lite.java'] : ['Driver.java'];
  const sources = files.map((file) => join(CLIENTS, 'java', file));
  return {
    language,
    version,
    traits: { ...COMMON_TRAITS, usesTlsByDefault: true, ...traits },
    sources: ['java/pom.xml', ...files.map((file) => `java/${file}`)],
    tools: ['mvn', 'javac', 'java'],
    async build(folder) {
      const jars = join(folder, 'lib');
      const settings = [`-Dclient.version=${version}`, `-DoutputDirectory=${jars}`];
      const pom = join(CLIENTS, 'java', 'pom.xml');
      await run('mvn', ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', ...settings], { timeout: BUILD_MS_MAX });
      await run('javac', ['-nowarn', '-cp', join(jars, '*'), '-d', join(folder, 'classes'), ...sources]);
    },
    command: (folder) => ({
      command: 'java',
      args: [
        ...['-Xmx256m', '-XX:TieredStopAtLevel=1', `-Duser.home=${join(WORK, 'home')}`],
        ...['-cp', `${join(folder, 'classes')}:${join(folder, 'lib', '*')}`, 'Driver'],
      ],
      env: {},
    }),
  };
}

const RECIPES = {
  node: NODE,
  python: PYTHON,
  go: goRecipe(
    'go',
    '5.1.4',
    { priorityMin: 0, lite: { ...LITE_TRAITS, hasOffsets: false, checksQuota: false } },
    'go',
  ),
  'go-old': goRecipe('go-old', '5.1.3', { canRecall: false }, 'older'),
  rust: RUST,
  java: javaRecipe('java', '5.2.0', { priorityMin: 0, lite: { ...LITE_TRAITS, canSuspend: false } }),
  'java-old': javaRecipe('java-old', '5.0.3', { canSpeakPlain: false, hasNamespace: false, canRecall: false }),
} as const;

/** The client libraries there are drivers for. */
export type ClientName = keyof typeof RECIPES;

/**
 * Installs or builds a client and its driver below `.work`, unless that was done before from the same sources.
 * What cannot be had here is told by `missing`, so that its tests are skipped with that reason.
 */
export async function prepareClient(name: ClientName): Promise<InteropClient> {
  const recipe = RECIPES[name];
  const folder = join(WORK, `${recipe.language}-${digestOf(recipe)}`);
  const client = {
    language: recipe.language,
    version: recipe.version,
    traits: recipe.traits,
    command: withHome(recipe.command(folder)),
  };
  for (const tool of recipe.tools) {
    if (!isOnPath(tool)) return { ...client, missing: `${tool} is not installed here` };
  }
  try {
    await buildOnce(recipe, folder);
  } catch (error) {
    if (process.env.CI !== undefined) throw error;
    return { ...client, missing: `it could not be built here: ${(error as Error).message}` };
  }
  return { ...client, missing: undefined };
}

/** How a client reaches a cluster by the given access points; `host:port` each. */
export function connectionTo({ traits }: InteropClient, endpoints: readonly string[]): Connection {
  const usable = traits.hasAccessPointFailover ? endpoints : endpoints.slice(0, 1);
  return { endpoints: usable.join(';'), tls: traits.usesTlsByDefault };
}

async function buildOnce(recipe: Recipe, folder: string): Promise<void> {
  const done = join(folder, '.complete');
  if (existsSync(done)) return;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  process.stdout.write(`# preparing the ${recipe.language} client ${recipe.version}, this is done once\n`);
  try {
    await recipe.build(folder);
  } catch {
    // Registries fail now and then; what has come already is not fetched again.
    await recipe.build(folder);
  }
  writeFileSync(done, '');
}

/** Clients write logs into the home folder; they get one of their own. */
function withHome(command: DriverCommand): DriverCommand {
  const home = join(WORK, 'home');
  mkdirSync(home, { recursive: true });
  return { ...command, env: { HOME: home, ...command.env } };
}

function digestOf(recipe: Recipe): string {
  const hash = createHash('sha256').update(recipe.version);
  for (const source of recipe.sources) hash.update(readFileSync(join(CLIENTS, source)));
  return hash.digest('hex').slice(0, 12);
}

function isOnPath(tool: string): boolean {
  return (process.env.PATH ?? '').split(':').some((folder) => existsSync(join(folder, tool)));
}
