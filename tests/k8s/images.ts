import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '@orbitmq/tools';

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
