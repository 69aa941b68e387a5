import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

test('the generated code is what the .proto files say', () => {
  const script = join(import.meta.dirname, 'gen-proto.ts');
  const result = spawnSync(process.execPath, ['--conditions=@orbitmq/source', script, '--check'], { encoding: 'utf8' });
  assert.equal(result.status, 0, result.stderr);
});
