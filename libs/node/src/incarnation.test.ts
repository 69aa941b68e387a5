import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Logger } from '@orbitmq/runtime';
import { type IncarnationFiles, nextIncarnation } from './incarnation.ts';

const warnings: string[] = [];
const LOGGER: Logger = {
  child: () => LOGGER,
  debug() {},
  info() {},
  warn: (_fields, message) => void warnings.push(message),
  error() {},
};

function filesInMemory(texts: Map<string, string>): IncarnationFiles {
  return {
    read: async (path) => texts.get(path),
    write: async (path, text) => void texts.set(path, text),
  };
}

test('each start has a higher number than the one before, also when the clock was set back or stands still', async () => {
  const texts = new Map<string, string>();
  const numbers: number[] = [];
  for (const wallMs of [5_000_000.5, 1_000, 1_000, 6_000_000]) {
    numbers.push(await nextIncarnation('/data', wallMs, filesInMemory(texts), LOGGER));
  }
  assert.deepEqual(numbers, [5_000_000, 5_000_001, 5_000_002, 6_000_000]);
  assert.deepEqual([...texts.keys()], ['/data/incarnation']);
});

test('what is not a number is replaced', async () => {
  const texts = new Map([['/data/incarnation', 'torn']]);
  assert.equal(await nextIncarnation('/data', 42, filesInMemory(texts), LOGGER), 42);
  assert.equal(texts.get('/data/incarnation'), '42\n');
});

test('a full disk is no reason not to start', async () => {
  const write = async (): Promise<void> => {
    throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
  };
  assert.equal(await nextIncarnation('/data', 42, { read: async () => undefined, write }, LOGGER), 42);
  assert.equal(warnings.length, 1);
});
