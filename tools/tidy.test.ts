import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import ts from 'typescript';
import { ROOT } from './repository.ts';

/** Files that belong to the repository, or are about to. */
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: ROOT,
  encoding: 'utf8',
  maxBuffer: 1 << 26,
})
  .split('\n')
  .filter((path) => path !== '' && statSync(join(ROOT, path), { throwIfNoEntry: false })?.isFile());
const sources = files.filter((path) => /\.ts$/.test(path) && !path.includes('/gen/'));
const isTest = (path: string): boolean =>
  /(\.(test|bench)|\/test-[^/]+)\.ts$/.test(path) ||
  /^(tests|tools)\//.test(path) ||
  /\/(contract|testdata)\//.test(path) ||
  path.startsWith('libs/testkit/');
const product = sources.filter((path) => !isTest(path));
const engine = product.filter((path) => /^libs\/(storage|views|shard|filter|routing)\//.test(path));
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
/** The code without comments and string literals, so that a word in a sentence is no use of it. */
const code = (path: string): string =>
  read(path)
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/(^|[^:'"`\\])\/\/.*$/gm, '$1')
    .replace(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g, "''");

function refuse(
  paths: readonly string[],
  pattern: RegExp,
  why: string,
  contentOf: (path: string) => string = code,
): void {
  const found = paths.flatMap((path) =>
    contentOf(path)
      .split('\n')
      .flatMap((line) => (pattern.test(line) ? [`${path}: ${line.trim()}`] : [])),
  );
  assert.deepEqual(found, [], why);
}

test('the environment and arguments of the process are read in runtime only', () => {
  const others = product.filter((path) => !path.startsWith('libs/runtime/') && !path.startsWith('apps/mqadmin/'));
  refuse(others, /\bprocess\.(env|argv)\b/, 'use the configuration that libs/runtime gives');
  refuse(
    product.filter((path) => path.startsWith('apps/mqadmin/')),
    /\bprocess\.env\b/,
    'use libs/runtime',
  );
});

test('no library reads a clock or a random source by itself', () => {
  // base and vfs hold the real clock and the real files.
  const users = product.filter((path) => /^libs\/(?!base|vfs)/.test(path));
  refuse(users, /\b(Date\.now|Math\.random|performance\.now|new Date\(\))\b/, 'take a Clock or Random');
});

test('the engine sets no timers', () => {
  refuse(engine, /\b(setTimeout|setInterval|setImmediate)\s*\(/, 'use Clock.setTimer');
});

test('nothing in the product prints, evaluates or starts programs', () => {
  refuse(
    product.filter((path) => path.startsWith('libs/')),
    /\bconsole\./,
    'use the logger',
  );
  refuse(product, /\b(eval|new Function)\s*\(/, 'no code from strings');
  refuse(product, /from 'node:(child_process|vm|worker_threads)'/, 'the product starts no programs', read);
});

test('sources keep to the rules of the house', () => {
  refuse(sources, /^export \*/, 're-export by name');
  refuse(sources, /\b(TODO|FIXME|XXX|HACK)\b/, 'finish it', (path) =>
    path === 'tools/tidy.test.ts' ? '' : read(path),
  );
  refuse(sources, /^\s*(export )?(const )?enum |^\s*(export )?namespace /, 'erasable syntax only');
});

test('no file imports itself in a circle, not even types', () => {
  const importsOf = new Map(
    product.map((path) => {
      const targets = [...read(path).matchAll(/from '(\.\.?\/[^']+\.ts)'/g)].map((match) =>
        join(dirname(path), match[1]!),
      );
      return [path, targets] as const;
    }),
  );
  const done = new Set<string>();
  const circles: string[] = [];
  const walk = (path: string, way: readonly string[]): void => {
    const begin = way.indexOf(path);
    if (begin >= 0) circles.push([...way.slice(begin), path].join(' -> '));
    if (begin >= 0 || done.has(path)) return;
    for (const target of importsOf.get(path) ?? []) walk(target, [...way, path]);
    done.add(path);
  };
  for (const path of importsOf.keys()) walk(path, []);
  assert.deepEqual(circles, []);
});

test('index files only re-export', () => {
  const indexes = product.filter((path) => /^libs\/[^/]+\/src\/index\.ts$/.test(path));
  for (const path of indexes) {
    const rest = code(path)
      .replace(/export (type )?\{[^}]*\} from '';/g, '')
      .trim();
    assert.equal(rest, '', `${path} holds more than re-exports`);
  }
});

test('every project has a README of its own', () => {
  const projects = files.filter((path) => /^(libs|apps)\/[^/]+\/package\.json$/.test(path)).map(dirname);
  assert.deepEqual(
    projects.filter((path) => !files.includes(`${path}/README.md`)),
    [],
  );
});

test('no file is larger than 1 MiB', () => {
  assert.deepEqual(
    files.filter((path) => statSync(join(ROOT, path)).size > 1 << 20),
    [],
  );
});

test('what a project imports is what its package.json lists, and the other way round', () => {
  const problems: string[] = [];
  const manifests = files.filter((path) => /^((libs|apps)\/[^/]+|tests|tools)\/package\.json$/.test(path));
  for (const path of manifests) problems.push(...dependencyProblems(path));
  assert.deepEqual(problems, []);
});

/** Packages that the root brings for tests and tools of all projects. */
const shared = new Set(Object.keys((JSON.parse(read('package.json')) as Manifest).devDependencies ?? {}));

interface Manifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

function dependencyProblems(path: string): string[] {
  const manifest = JSON.parse(read(path)) as Manifest;
  const folder = dirname(path);
  const listed = Object.keys(manifest.dependencies ?? {});
  const forTests = Object.keys(manifest.devDependencies ?? {});
  const own = files.filter((file) => file.startsWith(`${folder}/`) && file.endsWith('.ts'));
  const importedBy = (paths: readonly string[]): Set<string> => new Set(paths.flatMap((file) => importsOf(file)));
  // The test projects are tests from end to end.
  const isTestProject = /^(tests|tools|libs\/testkit)$/.test(folder);
  const product = importedBy(own.filter((file) => isTestProject || !isTest(file)));
  const tests = importedBy(own.filter(isTest));
  const atHand = new Set([...listed, ...forTests, ...shared, manifest.name]);
  const lacking = [
    ...[...product].filter((name) => !listed.includes(name) && !(isTestProject && atHand.has(name))),
    ...[...tests].filter((name) => !atHand.has(name)),
  ];
  // What is listed for other languages' folders can't be seen here.
  const unused = isTestProject
    ? []
    : [...listed.filter((name) => !product.has(name)), ...forTests.filter((name) => !tests.has(name))];
  return [
    ...lacking.map((name) => `${path} lacks ${name}`),
    ...unused.map((name) => `${path} lists ${name}, which nothing imports`),
  ];
}

function importsOf(path: string): string[] {
  return ts
    .preProcessFile(read(path), true, true)
    .importedFiles.map(({ fileName }) => fileName)
    .filter(
      (name) => name !== '' && !name.startsWith('.') && !name.startsWith('node:') && !builtinModules.includes(name),
    )
    .map((name) =>
      name
        .split('/')
        .slice(0, name.startsWith('@') ? 2 : 1)
        .join('/'),
    );
}

test('the lock file names every package with its integrity, and no host', () => {
  const lock = JSON.parse(read('package-lock.json')) as {
    packages: Record<
      string,
      { integrity?: string; resolved?: string; link?: boolean; inBundle?: boolean; hasInstallScript?: boolean }
    >;
  };
  const problems = Object.entries(lock.packages).flatMap(([path, entry]) => {
    if (!path.includes('node_modules/') || entry.link) return [];
    const found: string[] = [];
    if (!entry.integrity?.startsWith('sha512-') && !entry.inBundle) found.push(`${path} has no sha512 integrity`);
    if (entry.resolved !== undefined) found.push(`${path} names where it came from`);
    return found;
  });
  assert.deepEqual(problems, []);
});

test('versions agree: root, projects and the program', () => {
  const version = (JSON.parse(read('package.json')) as { version: string }).version;
  for (const path of files.filter((file) => /^((libs|apps)\/[^/]+|tests|tools)\/package\.json$/.test(file))) {
    assert.equal((JSON.parse(read(path)) as { version: string }).version, version, path);
  }
  assert.ok(read('libs/runtime/src/version.ts').includes(`'${version}'`));
});

test('nothing of a machine or a registry is written into the project', () => {
  refuse(
    files.filter((path) => /\.(ts|mjs|js|json|md|properties|sh)$/.test(path) && !path.endsWith('tidy.test.ts')),
    /https?:\/\/(registry\.|[^/]*\bnpmjs|[^/]*artifactory|[^/]*nexus)|\/work\/main|\/root\//,
    'take out the host or path',
    read,
  );
});

test('programs may be started, and nothing else carries that bit', () => {
  const executable = files.filter((path) => (statSync(join(ROOT, path)).mode & 0o111) !== 0);
  const allowed = /(^|\/)(bin\/[^/]+\.mjs|\.ci\/run|k8s\/lab\/[^/.]+|[^/]+\.sh|[^/]+\.mjs|[^/]+\.py)$/;
  assert.deepEqual(
    executable.filter((path) => !allowed.test(path)),
    [],
  );
});
