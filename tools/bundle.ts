import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { type BuildOptions, build, stop } from 'esbuild';
import { leanBuiltins } from './bundle-builtins.ts';
import { APPS, type App, ROOT } from './repository.ts';

/** What a bundle was made from: if nothing of it has changed, it need not be made again. */
interface BundleRecord {
  readonly options: string;
  /** Modification time and size by path. */
  readonly inputs: Readonly<Record<string, readonly [number, number]>>;
}

function optionsOf(app: App): BuildOptions {
  return {
    absWorkingDir: ROOT,
    entryPoints: [`apps/${app}/src/main.ts`],
    outfile: `apps/${app}/dist/main.js`,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    conditions: ['@orbitmq/source'],
    // CommonJS packages inside the bundle ask for Node's own modules with require.
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    sourcemap: 'linked',
    sourcesContent: false,
    legalComments: 'none',
    // Names stay readable in stack traces; what nobody reads is not kept in memory.
    minifyWhitespace: true,
    minifySyntax: true,
    plugins: [leanBuiltins],
    logLevel: 'warning',
    metafile: true,
    write: false,
  };
}

/** Builds the programs whose sources have changed, one file each. @returns those that were built */
export async function bundleApps(apps: readonly App[] = APPS): Promise<App[]> {
  const stale = apps.filter((app) => existsSync(`${ROOT}/apps/${app}/src/main.ts`) && !isFresh(app));
  for (const app of stale) await bundleApp(app);
  // esbuild is a process of its own, which would stay as long as this one.
  if (stale.length > 0) await stop();
  return stale;
}

function recordPath(app: App): string {
  return `${ROOT}/apps/${app}/dist/bundle.json`;
}

function optionsDigest(app: App): string {
  return createHash('sha256')
    .update(JSON.stringify(optionsOf(app)))
    .update(readFileSync(`${import.meta.dirname}/bundle-builtins.ts`))
    .digest('hex');
}

function stamp(path: string): readonly [number, number] | undefined {
  const stat = statSync(`${ROOT}/${path}`, { throwIfNoEntry: false });
  return stat && [stat.mtimeMs, stat.size];
}

function isFresh(app: App): boolean {
  if (!existsSync(recordPath(app)) || !existsSync(`${ROOT}/apps/${app}/dist/main.js`)) return false;
  const record = JSON.parse(readFileSync(recordPath(app), 'utf8')) as BundleRecord;
  if (record.options !== optionsDigest(app)) return false;
  return Object.entries(record.inputs).every(([path, [modifiedMs, sizeBytes]]) => {
    const now = stamp(path);
    return now !== undefined && now[0] === modifiedMs && now[1] === sizeBytes;
  });
}

async function bundleApp(app: App): Promise<void> {
  const result = await build(optionsOf(app));
  mkdirSync(`${ROOT}/apps/${app}/dist`, { recursive: true });
  const inputs = Object.fromEntries(
    Object.keys(result.metafile?.inputs ?? {}).flatMap((path) => {
      const found = stamp(path);
      return found ? [[path, found]] : [];
    }),
  );
  // Written beside and renamed, so that a program that starts meanwhile never sees half a file.
  for (const file of result.outputFiles ?? []) replaceFile(file.path, file.contents);
  const record: BundleRecord = { options: optionsDigest(app), inputs };
  replaceFile(recordPath(app), JSON.stringify(record));
}

function replaceFile(path: string, content: string | Uint8Array): void {
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, content);
  renameSync(temporary, path);
}
