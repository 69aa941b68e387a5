import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './repository.ts';

/** What the lock file says of a package, by its place below the root. */
export interface LockedPackage {
  readonly name?: string;
  readonly version?: string;
  readonly integrity?: string;
  readonly license?: string;
  readonly link?: boolean;
  readonly resolved?: string;
  readonly hasInstallScript?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

type Packages = Readonly<Record<string, LockedPackage>>;

/** All packages of the lock file by their place; '' is the root. */
export function lockedPackages(): Packages {
  return (JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as { packages: Packages }).packages;
}

/** Name of the package in a place. */
export function packageNameOf(place: string): string {
  return place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length);
}

/**
 * Places of all foreign packages that the apps need at run time, sorted: their dependencies, and those of these.
 * @throws Error when the lock file lacks one
 */
export function runtimePlaces(packages: Packages): string[] {
  const found = new Set<string>();
  const waiting = Object.keys(packages).filter((place) => /^apps\/[^/]+$/.test(place));
  for (let place = waiting.pop(); place !== undefined; place = waiting.pop()) {
    const { dependencies, optionalDependencies } = packages[place]!;
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const target = resolved(packages, place, name);
      if (target === undefined) {
        if (optionalDependencies?.[name] !== undefined) continue;
        throw new Error(`the lock file lacks ${name}, which ${place} depends on; run npm install`);
      }
      if (found.has(target)) continue;
      found.add(target);
      waiting.push(target);
    }
  }
  return [...found].filter((place) => place.includes('node_modules/')).sort();
}

/** Where Node finds a package that is imported from `place`; a project of our own by its real place. */
function resolved(packages: Packages, place: string, name: string): string | undefined {
  for (let from = place; ; from = from.slice(0, Math.max(0, from.lastIndexOf('/')))) {
    const candidate = join(from, 'node_modules', name);
    const entry = packages[candidate];
    if (entry !== undefined) return entry.link ? entry.resolved : candidate;
    if (from === '') return undefined;
  }
}
