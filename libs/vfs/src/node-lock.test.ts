import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { nodeVfs } from './node-vfs.ts';

const OWNER = `
  import { nodeVfs } from '@orbitmq/vfs';
  try {
    await nodeVfs.lock(process.argv[1]);
    console.log('owner');
    setInterval(() => {}, 1000);
  } catch (error) {
    console.log(error.code);
  }
`;

describe('directory lock between processes', () => {
  let directory: string;
  before(async () => {
    // Deeper than the address of a socket may be long.
    directory = join(await mkdtemp(join(tmpdir(), 'orbitmq-lock-')), 'd'.repeat(100));
    await mkdir(directory);
  });
  after(() => rm(join(directory, '..'), { recursive: true }));

  it('refuses a second process, and is free at once when the first is killed or stopped for good', async () => {
    for (let round = 0; round < 3; round++) {
      const owner = start(directory);
      assert.equal(await answerOf(owner), 'owner');
      await assert.rejects(nodeVfs.lock(directory), { code: 'LOCKED' });
      // A process that is only paused still owns it.
      owner.kill('SIGSTOP');
      await assert.rejects(nodeVfs.lock(directory), { code: 'LOCKED' });
      owner.kill('SIGKILL');
      await once(owner, 'close');
      await (await nodeVfs.lock(directory)).release();
    }
    assert.deepEqual(await readdir(directory), []);
  });

  it('has one owner at most when many start at once', async () => {
    const processes = Array.from({ length: 5 }, () => start(directory));
    const answers = await Promise.all(processes.map(answerOf));
    for (const process of processes) process.kill('SIGKILL');
    assert.ok(answers.filter((answer) => answer === 'owner').length <= 1, answers.join());
    assert.ok(
      answers.every((answer) => answer === 'owner' || answer === 'LOCKED'),
      answers.join(),
    );
  });
});

function start(directory: string): ChildProcess {
  return spawn(process.execPath, ['--conditions=@orbitmq/source', '--input-type=module', '-e', OWNER, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: import.meta.dirname,
  });
}

async function answerOf(process: ChildProcess): Promise<string> {
  const [line] = await once(process.stdout!, 'data');
  return String(line).trim();
}
