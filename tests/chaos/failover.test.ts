import { rmSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { ElectedShard } from './elected-shard.ts';
import { OfficialSender } from './official-sender.ts';

/** Masters that are killed; many more in a long run. */
const KILLS = Number(process.env.KILLS ?? 5);
/** For how long a master is paused: longer than its Lease, and than any timeout between members. */
const PAUSED_MS = Number(process.env.PAUSED_MS ?? 7_000);

describe('a shard whose members fail', () => {
  let shard: ElectedShard;
  before(async () => {
    shard = await ElectedShard.start();
  });
  after(() => shard?.[Symbol.asyncDispose]());

  it(`loses nothing over ${KILLS} killed masters`, { timeout: 60_000 + KILLS * 30_000 }, async (test) => {
    const load = await shard.load();
    await using official = await OfficialSender.start(shard.cluster.accessPoint, 'official');
    const gapsMs: number[] = [];
    for (let kill = 0; kill < KILLS; kill++) {
      const { leader, epoch } = await shard.tenure();
      await official.more(10);
      official.takeGapMs();
      await leader.kill();
      // As whoever looks after processes does.
      leader.start();
      await shard.leader(epoch);
      await load.stored(20);
      await official.more(10);
      gapsMs.push(Math.round(official.takeGapMs()));
      await shard.allInSync();
    }
    gapsMs.sort((one, other) => one - other);
    test.diagnostic(
      `gap in sends of an official client, ms: median ${quantile(gapsMs, 0.5)}, p99 ${quantile(gapsMs, 0.99)} of ${KILLS} kills (${gapsMs.join(' ')})`,
    );
    await shard.judge(test, load);
  });

  it('a master that was paused for longer than its Lease acknowledges nothing when it wakes', async (test) => {
    const load = await shard.load();
    const { leader, epoch } = await shard.tenure();
    leader.signal('SIGSTOP');
    try {
      await shard.leader(epoch, shard.others(leader));
      await load.stored(50);
      await pause(PAUSED_MS);
    } finally {
      leader.signal('SIGCONT');
    }
    await load.stored(50);
    await shard.judge(test, load);
  });

  it('members that are all killed at once come back with everything, and one without data gets all of it', async (test) => {
    const load = await shard.load();
    await load.stored(50);
    await Promise.all(shard.members.map((member) => member.kill()));
    for (const member of shard.members) member.start();
    await load.stored(50, 60_000);
    await shard.allInSync();
    const [slave] = shard.others(await shard.leader());
    await slave!.kill();
    rmSync(slave!.dataDirectory, { recursive: true });
    await load.stored(50);
    slave!.start();
    await shard.judge(test, load);
  });
});

/** @param sorted ascending */
function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!;
}
