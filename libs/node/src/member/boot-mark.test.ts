import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Logger } from '@orbitmq/runtime';
import { readBootMark } from './boot-mark.ts';

const silent: Logger = { child: () => silent, debug() {}, info() {}, warn() {}, error() {} };

/** A machine with one file of a member, and runs of its kernel. */
class TestMachine {
  boot: string | undefined = 'first';
  kept: string | undefined;

  mark() {
    return readBootMark(
      '/store',
      {
        read: async (path) => {
          if (path.startsWith('/store')) return this.kept;
          if (this.boot === undefined) throw new Error('not on this system');
          return `${this.boot}\n`;
        },
        write: async (path, text) => {
          assert.equal(path, '/store/boot');
          this.kept = text;
        },
      },
      silent,
    );
  }
}

describe('the mark of the run of the kernel', () => {
  it('tells a restart of the process from one of the machine', async () => {
    const machine = new TestMachine();
    await (await machine.mark()).keep();
    assert.equal((await machine.mark()).hasRebooted, false);
    machine.boot = 'second';
    assert.equal((await machine.mark()).hasRebooted, true);
  });

  it('goes on telling until what may be lacking has come back', async () => {
    const machine = new TestMachine();
    await (await machine.mark()).keep();
    machine.boot = 'second';
    await machine.mark();
    const again = await machine.mark();
    assert.equal(again.hasRebooted, true, 'a process that was killed before it had caught up changes nothing');
    await again.keep();
    assert.equal((await machine.mark()).hasRebooted, false);
  });

  it('trusts nothing where the system does not say', async () => {
    const machine = new TestMachine();
    machine.boot = undefined;
    const mark = await machine.mark();
    await mark.keep();
    assert.equal(mark.hasRebooted, true);
    assert.equal((await machine.mark()).hasRebooted, true);
  });
});
