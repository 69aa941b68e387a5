import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleApps } from './bundle.ts';
import { lockedPackages, packageNameOf, runtimePlaces } from './lock-file.ts';
import { APPS, type App, ROOT } from './repository.ts';
import { type Component, softwareBillOfMaterials } from './sbom.ts';

/** Where `makeImageContent` leaves what it makes; the image has it as /opt/orbitmq. */
export const IMAGE_CONTENT = join(ROOT, 'dist', 'image');

/** Names of the programs in the image: those of the original. */
const PROGRAMS: Readonly<Record<App, string>> = {
  namesrv: 'mqnamesrv',
  broker: 'mqbroker',
  replica: 'mqreplica',
  mqadmin: 'mqadmin',
};

/** Makes what is ours in the image: the programs, a single file each, bill of materials and licences. The same everywhere. */
export async function makeImageContent(): Promise<void> {
  await bundleApps();
  rmSync(IMAGE_CONTENT, { recursive: true, force: true });
  mkdirSync(join(IMAGE_CONTENT, 'bin'), { recursive: true });
  mkdirSync(join(IMAGE_CONTENT, 'licenses'));
  for (const app of APPS) {
    // Can be called by name, also where there is no shell. Source maps stay outside.
    const program = readFileSync(join(ROOT, 'apps', app, 'dist', 'main.js'), 'utf8');
    const text = `#!/usr/local/bin/node\n${program.replace(/^\/\/# sourceMappingURL=.*$/m, '')}`;
    writeFileSync(join(IMAGE_CONTENT, 'bin', `${PROGRAMS[app]}.js`), text, { mode: 0o755 });
  }
  writeFileSync(join(IMAGE_CONTENT, 'package.json'), '{"type":"module"}\n');
  writeFileSync(
    join(IMAGE_CONTENT, 'sbom.cdx.json'),
    `${JSON.stringify(softwareBillOfMaterials([nodeComponent()]), null, 2)}\n`,
  );
  writeFileSync(join(IMAGE_CONTENT, 'licenses', 'orbitmq'), readFileSync(join(ROOT, 'LICENSE')));
  writeFileSync(join(IMAGE_CONTENT, 'licenses', 'packages'), packageLicenses());
}

/** The Node that runs them. */
function nodeComponent(): Component {
  const version = nodeVersion();
  const purl = `pkg:generic/node@${version}`;
  return { type: 'platform', name: 'node', version, purl, hashes: [], licenses: [{ expression: 'MIT' }] };
}

/** Version of Node in the image, as the Dockerfile names it. @throws Error when it names none */
function nodeVersion(): string {
  const found = /^ARG NODE_VERSION=(\S+)$/m.exec(readFileSync(join(ROOT, 'deploy', 'Dockerfile'), 'utf8'))?.[1];
  if (found === undefined) throw new Error('deploy/Dockerfile names no NODE_VERSION');
  return found;
}

/** Texts of the licences of all packages that are bundled. */
function packageLicenses(): string {
  const packages = lockedPackages();
  return runtimePlaces(packages)
    .map((place) => {
      const { version = '', license = '' } = packages[place]!;
      return `${packageNameOf(place)} ${version} (${license})\n\n${licenseTexts(join(ROOT, place)).join('\n')}`;
    })
    .join(`\n${'-'.repeat(80)}\n\n`);
}

function licenseTexts(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => /^(licen[cs]e|notice|copying)/i.test(name))
    .map((name) => readFileSync(join(folder, name), 'utf8'));
}
