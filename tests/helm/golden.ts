import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXAMPLES, helmSkip, renderedText } from './helm.ts';

/** File with what an example renders to. */
export function goldenFile(example: string): string {
  return join(import.meta.dirname, 'testdata', `${example}.yaml`);
}

/** What an example has rendered to so far. */
export function goldenText(example: string): string {
  return readFileSync(goldenFile(example), 'utf8');
}

if (import.meta.main) {
  if (helmSkip !== false) throw new Error(helmSkip);
  for (const example of EXAMPLES) writeFileSync(goldenFile(example), renderedText({ example }));
}
