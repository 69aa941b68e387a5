import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { lockedPackages, packageNameOf, runtimePlaces } from './lock-file.ts';
import { ROOT } from './repository.ts';
import { softwareBillOfMaterials } from './sbom.ts';

const LICENSES: ReadonlySet<string> = new Set([
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  '(Apache-2.0 AND BSD-3-Clause)',
  'ISC',
  'MIT',
  'PSF-2.0',
  'Python-2.0',
  'Unlicense',
]);
/** npm does not run them here, and what they would do is not needed. */
const SCRIPTS_NOT_RUN: ReadonlySet<string> = new Set(['protobufjs']);
const DEPENDENCIES_PAGE = 'docs/internals/dependencies.md';
const EXACT = /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/;

const packages = lockedPackages();
const places = runtimePlaces(packages);
const problems = [...npmProblems(), ...rangeProblems(), ...lockProblems(), ...runtimeProblems(), ...reasonProblems()];
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
else console.log(`${places.length} foreign packages at run time, all with integrity, licence and reason`);

/** npm must neither run what packages bring along, nor take another version than the one that was looked at. */
function npmProblems(): string[] {
  const lines = read('.npmrc').split('\n');
  return ['ignore-scripts=true', 'save-exact=true']
    .filter((line) => !lines.includes(line))
    .map((line) => `.npmrc lacks ${line}`);
}

function rangeProblems(): string[] {
  return ownPlaces().flatMap((place) => {
    const file = join(place, 'package.json');
    const { dependencies, devDependencies, optionalDependencies } = JSON.parse(read(file));
    return Object.entries<string>({ ...dependencies, ...devDependencies, ...optionalDependencies })
      .filter(([, version]) => !EXACT.test(version))
      .map(([name, version]) => `${file} takes ${name} as ${version}; name one version`);
  });
}

function lockProblems(): string[] {
  return Object.entries(packages).flatMap(([place, { integrity, link, resolved }]) => {
    if (!place.includes('node_modules/') || link) return [];
    const isBundled = 'inBundle' in packages[place]!;
    return [
      ...(integrity?.startsWith('sha512-') || isBundled ? [] : [`${place} has no sha512 integrity in the lock file`]),
      ...(resolved === undefined ? [] : [`the lock file names where ${place} came from`]),
    ];
  });
}

function runtimeProblems(): string[] {
  const found = places.flatMap((place) => {
    const { license = 'none', hasInstallScript } = packages[place]!;
    return [
      ...(LICENSES.has(license) ? [] : [`${place} has the licence ${license}, which nobody has looked at`]),
      ...(hasInstallScript && !SCRIPTS_NOT_RUN.has(packageNameOf(place))
        ? [`${place} runs a script when installed`]
        : []),
    ];
  });
  const { components } = softwareBillOfMaterials() as { components: readonly { name: string; version: string }[] };
  if (components.length !== places.length) found.push('the bill of materials is not complete');
  return [...found, ...components.filter(({ version }) => version === '').map(({ name }) => `${name} has no version`)];
}

/** Each package that a project names has its reason on the page, and no other is there. */
function reasonProblems(): string[] {
  const named = new Set([...read(DEPENDENCIES_PAGE).matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1]!));
  const used = new Set(
    ownPlaces()
      .filter((place) => /^(apps|libs)\//.test(place))
      .flatMap((place) => Object.keys(packages[place]!.dependencies ?? {}))
      .filter((name) => !name.startsWith('@orbitmq/')),
  );
  return [
    ...[...used].filter((name) => !named.has(name)).map((name) => `${DEPENDENCIES_PAGE} lacks ${name}`),
    ...[...named]
      .filter((name) => !used.has(name))
      .map((name) => `${DEPENDENCIES_PAGE} names ${name}, which nothing uses`),
  ];
}

function ownPlaces(): string[] {
  return Object.keys(packages).filter((place) => !place.includes('node_modules/'));
}

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}
