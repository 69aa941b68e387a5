import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Member } from '../cluster.ts';
import { waitForInSync } from '../replication-state.ts';
import { ElectedShard } from './elected-shard.ts';
import { PowerlossLab, powerlossSkip } from './powerloss.ts';

const SLAVE = 'broker-a-s1';
/** Sends may rest so long while a slave leaves the in-sync set; much less on a machine that has nothing else to do. */
const STALL_MS = 15_000;
/** A flush of the slave takes so long; sends must not rest for that. */
const SLOW_FLUSH_MS = 15_000;
/** Also on a busy machine the slave takes over from nobody. */
const PROPERTIES = { leaderSuspicion: 20_000, leaseDuration: 20_000 };
const DISKFAULT = fileURLToPath(new URL('../faults/diskfault/diskfault.sh', import.meta.url));
const diskSkip =
  process.platform === 'linux' && process.getuid?.() === 0 ? false : 'small disks need Linux and root to mount them';

describe('a slave whose disk fails', { skip: powerlossSkip }, () => {
  it('leaves the in-sync set, and the master goes on', async (test) => {
    const lab = new PowerlossLab('slave-disk');
    try {
      await using shard = await ElectedShard.start(PROPERTIES, {
        environment: lab.environment() as Record<string, string>,
        propertiesOf: { [SLAVE]: { storePathRootDir: lab.root } },
      });
      const { leader, slave } = await masterAndSlave(shard);
      const load = await shard.load();
      // Every one: also the segment that is made ready for later is in this directory.
      lab.setRules([`op=fdatasync path=commitlog act=delay:${SLOW_FLUSH_MS}`]);
      await waitForInSync(leader, 1);
      await load.stored(50);
      assert.ok(load.gapMs < SLOW_FLUSH_MS, `sends rested for ${load.gapMs} ms, as long as the slave's flush`);
      lab.setRules([]);
      await waitForInSync(leader, 2);
      lab.setRules(['op=write path=commitlog act=EIO']);
      const { code } = await slave.ended;
      assert.notEqual(code, 0, 'the slave ended as if all were well');
      await waitForInSync(leader, 1);
      await load.stored(50);
      lab.setRules([]);
      slave.start();
      await shard.judge(test, load);
      assert.ok(load.gapMs < STALL_MS, `sends rested for ${load.gapMs} ms`);
    } finally {
      lab.dispose();
    }
  });
});

describe('a slave whose disk is full', { skip: diskSkip }, () => {
  it('leaves the in-sync set, and comes back when there is room', async (test) => {
    const directory = mkdtempSync(join(tmpdir(), 'orbitmq-slave-disk-'));
    const disk = new SmallDisk(directory);
    try {
      await using shard = await ElectedShard.start(PROPERTIES, {
        propertiesOf: { [SLAVE]: { storePathRootDir: disk.path } },
      });
      const { leader, slave } = await masterAndSlave(shard);
      const load = await shard.load();
      disk.fill();
      await waitForInSync(leader, 1);
      await load.stored(50);
      disk.empty();
      // Whoever looks after processes starts it again.
      await slave.stop();
      slave.start();
      await shard.judge(test, load);
      assert.ok(load.gapMs < STALL_MS, `sends rested for ${load.gapMs} ms`);
    } finally {
      disk.dispose();
      rmSync(directory, { recursive: true, force: true });
    }
  });
});

async function masterAndSlave(shard: ElectedShard): Promise<{ readonly leader: Member; readonly slave: Member }> {
  const leader = await shard.leader();
  const slave = shard.others(leader)[0]!;
  assert.equal(slave.name, SLAVE);
  return { leader, slave };
}

/** A file system of its own, in memory. */
class SmallDisk {
  readonly path: string;
  readonly #state: string;

  constructor(directory: string) {
    this.path = join(directory, 'disk');
    this.#state = join(directory, 'state');
    this.#run('up', this.path, '--fs', 'tmpfs', '--size', '48M');
  }

  fill(): void {
    this.#run('fill');
  }

  empty(): void {
    this.#run('unfill');
  }

  dispose(): void {
    this.#run('down');
  }

  #run(command: string, ...args: string[]): void {
    const { status, stderr } = spawnSync('bash', [DISKFAULT, command, 'slave', ...args], {
      env: { ...process.env, DISKFAULT_STATE: this.#state },
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
  }
}
