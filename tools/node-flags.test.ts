import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, mock } from 'node:test';
import { nodeFlags, SAFE_FLAGS } from './node-flags.mjs';
import { ROOT } from './repository.ts';

const GIB = 2 ** 30;

describe('flags of the programs', () => {
  const flagsWithin = (limitBytes: number): readonly string[] => {
    const limited = mock.method(process, 'constrainedMemory', () => limitBytes);
    try {
      return nodeFlags();
    } finally {
      limited.mock.restore();
    }
  };

  it('leave the sizes of the heap to V8 where there is little memory', () => {
    assert.deepEqual(flagsWithin(GIB - 1), SAFE_FLAGS);
    assert.ok(flagsWithin(GIB).length > SAFE_FLAGS.length);
    assert.ok(flagsWithin(0).length > SAFE_FLAGS.length, 'no limit is known');
  });

  it('do so in the image, which runs in whatever a pod is given', () => {
    const entry = /^ENTRYPOINT (\[.*\])$/m.exec(readFileSync(join(ROOT, 'deploy/Dockerfile'), 'utf8'));
    assert.deepEqual(JSON.parse(entry![1]!).slice(1), SAFE_FLAGS);
  });
});
