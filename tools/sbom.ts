import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { type LockedPackage, lockedPackages, packageNameOf, runtimePlaces } from './lock-file.ts';
import { ROOT } from './repository.ts';

/** A part of a CycloneDX document. */
export interface Component {
  readonly type: 'library' | 'platform';
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly hashes: readonly { readonly alg: string; readonly content: string }[];
  readonly licenses: readonly { readonly expression: string }[];
}

/**
 * What the programs are made of beside our own code, as a CycloneDX 1.5 document. The same lock file gives the same.
 * @param others what comes with them
 */
export function softwareBillOfMaterials(others: readonly Component[] = []): unknown {
  const packages = lockedPackages();
  const { name, version } = packages['']!;
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: { component: { type: 'application', name, version } },
    components: [
      ...runtimePlaces(packages).map((place) => componentOf(packageNameOf(place), packages[place]!)),
      ...others,
    ],
  };
}

function componentOf(
  name: string,
  { version = '', integrity = '', license = 'NOASSERTION' }: LockedPackage,
): Component {
  const [algorithm = '', digest = ''] = integrity.split('-');
  return {
    type: 'library',
    name,
    version,
    purl: `pkg:npm/${name.replace('@', '%40')}@${version}`,
    hashes: [{ alg: algorithm.replace('sha', 'SHA-'), content: Buffer.from(digest, 'base64').toString('hex') }],
    licenses: [{ expression: license }],
  };
}

if (import.meta.main) {
  const file = resolve(process.argv[2] ?? join(ROOT, 'dist', 'sbom.cdx.json'));
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(softwareBillOfMaterials(), null, 2)}\n`);
  console.log(file);
}
