import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { APPS, bundleApps, ROOT } from '@orbitmq/tools';
import type { Lab } from './lab.ts';

const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };

/** The image that the chart asks for unless it is told otherwise. */
export const IMAGE = `orbitmq:${version}`;

/** Makes the image of all services from the sources as they are. @returns file of the archive */
export function makeImage(): string {
  const out = join(ROOT, 'dist', 'test-image.tar');
  const script = ['--conditions=@orbitmq/source', join(ROOT, 'tools', 'image.ts'), '--tag', IMAGE, '--out', out];
  execFileSync(process.execPath, script, { stdio: ['ignore', 'ignore', 'inherit'] });
  return out;
}

/** Gives the nodes the image of all services, unless they have it from these sources. */
export async function loadImage(lab: Lab): Promise<void> {
  await bundleApps();
  const hash = createHash('sha256');
  for (const app of APPS) hash.update(readFileSync(join(ROOT, 'apps', app, 'dist', 'main.js')));
  const digest = hash.digest('hex');
  const record = join(lab.home, 'cluster', 'orbitmq-image');
  if (existsSync(record) && readFileSync(record, 'utf8') === digest) return;
  await lab.command(['load-image', makeImage()]);
  writeFileSync(record, digest);
}
