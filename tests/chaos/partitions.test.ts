import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { API_HOST, ElectedShard } from './elected-shard.ts';
import { Lab, netlabSkip } from './netlab.ts';

const HOSTS = [API_HOST, 'namesrv-1', 'broker-a', 'broker-a-s1'];
/** Longer than a Lease, and than any timeout between members. */
const LONG_MS = 5_000;

describe('a shard whose links break', { skip: netlabSkip }, () => {
  let lab: Lab;
  let shard: ElectedShard;
  before(async () => {
    lab = await Lab.up(HOSTS);
    shard = await ElectedShard.start({}, { lab });
  });
  after(async () => {
    await shard?.[Symbol.asyncDispose]();
    await lab?.[Symbol.asyncDispose]();
  });

  it('a master that only clients reach acknowledges nothing that is lost', async (test) => {
    const load = await shard.load();
    const { leader, epoch } = await shard.tenure();
    await lab.cut(leader.name, [API_HOST, ...shard.others(leader).map(({ name }) => name)]);
    await shard.leader(epoch);
    await load.stored(50);
    await pause(LONG_MS);
    await lab.heal();
    await shard.judge(test, load);
  });

  it('without the link between master and slave, one of them goes on', async (test) => {
    const load = await shard.load();
    const { leader } = await shard.tenure();
    await lab.cut(leader.name, [shard.others(leader)[0]!.name]);
    await pause(LONG_MS);
    await load.stored(50);
    assert.equal(shard.inSyncByLease().length, 1, 'acknowledged without the other, who is still said to be in sync');
    await lab.heal();
    await shard.judge(test, load);
  });

  it('a master without the API server leads on, until it is alone', async (test) => {
    const load = await shard.load();
    const { leader, epoch } = await shard.tenure();
    const [other] = shard.others(leader);
    await lab.cut(leader.name, [API_HOST]);
    await pause(LONG_MS);
    await load.stored(50);
    assert.deepEqual(await shard.tenure(), { leader, epoch });
    await lab.cut(leader.name, [other!.name]);
    assert.equal(await shard.leader(epoch), other);
    await load.stored(50);
    await lab.heal();
    await shard.judge(test, load);
  });

  for (const direction of ['to', 'from']) {
    it(`nothing is lost when what goes ${direction} the slave is dropped`, async (test) => {
      const load = await shard.load();
      const { leader } = await shard.tenure();
      const slave = shard.others(leader)[0]!;
      const [from, to] = direction === 'to' ? [leader.name, slave.name] : [slave.name, leader.name];
      await lab.cutOneWay(from, to);
      await pause(LONG_MS);
      await load.stored(50);
      await lab.heal();
      await shard.judge(test, load);
    });
  }
});
