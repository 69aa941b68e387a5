import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { Code } from '@orbitmq/protocol/apache.rocketmq.v2';
import { RpcError } from '@orbitmq/rpc';
import type { Member } from '../cluster.ts';
import { MessagingClient } from '../e2e/messaging-client.ts';
import { API_HOST, ElectedShard } from './elected-shard.ts';
import { Lab, netlabSkip } from './netlab.ts';

const TOPIC = 'answered-early';
const HOSTS = [API_HOST, 'namesrv-1', 'broker-a', 'broker-a-s1'];
/** Longer than a Lease, and than any timeout between members. */
const LONG_MS = 4_500;

/** What is dropped between master and slave: what goes to the slave, what comes from it. */
const LINK_CUTS = [
  [true, true],
  [true, false],
  [false, true],
] as const;

describe('a shard whose links break', { skip: netlabSkip }, () => {
  let lab: Lab;
  let shard: ElectedShard;
  before(async () => {
    lab = await Lab.up(HOSTS);
    // Also on a busy machine nobody is suspected but whom the others can't hear.
    shard = await ElectedShard.start({ leaderSuspicion: 2_000 }, { lab });
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

  it('goes on with one of them when the link between master and slave breaks, whole or in one direction', async (test) => {
    const load = await shard.load();
    for (const [isToSlaveCut, isFromSlaveCut] of LINK_CUTS) {
      await shard.allInSync();
      const { leader } = await shard.tenure();
      const [slave] = shard.others(leader);
      if (isToSlaveCut) await lab.cutOneWay(leader.name, slave!.name);
      if (isFromSlaveCut) await lab.cutOneWay(slave!.name, leader.name);
      await pause(LONG_MS);
      await load.stored(50);
      assert.equal(shard.inSyncByLease().length, 1, 'acknowledged without a member that is still said to be in sync');
      await lab.heal();
    }
    await shard.judge(test, load);
  });
});

describe('a shard of three whose links break', { skip: netlabSkip }, () => {
  it('goes on with two, whichever they are', async (test) => {
    await using lab = await Lab.up([...HOSTS, 'broker-a-s2']);
    await using shard = await ElectedShard.start({ minInSyncReplicas: 2 }, { lab, slaveCount: 2 });
    const load = await shard.load();
    const { leader } = await shard.tenure();
    await lab.cut(leader.name, [shard.others(leader)[0]!.name]);
    await pause(LONG_MS);
    await load.stored(50);
    await lab.heal();
    await shard.allInSync();
    const last = await shard.tenure();
    await last.leader.kill();
    await shard.leader(last.epoch, shard.others(last.leader));
    await load.stored(50);
    last.leader.start();
    await shard.judge(test, load);
  });
});

describe('a shard that answers before its slave has anything', { skip: netlabSkip }, () => {
  it('serves nothing of what its old master had alone', async (test) => {
    await using lab = await Lab.up(HOSTS);
    await using shard = await ElectedShard.start({ brokerRole: 'ASYNC_MASTER' }, { lab });
    const { leader, epoch } = await shard.tenure();
    const [slave] = shard.others(leader);
    await sendUntil(leader, 'before', (sent) => sent.length === 20);
    assert.equal((await readAll(leader, 'early-readers', 20)).length, 20);

    await lab.cut(leader.name, [API_HOST, slave!.name]);
    const reading = readAll(leader, 'early-readers', 1);
    const tail = await sendUntil(leader, 'tail', (_sent, refusals) => refusals.length > 0);
    assert.ok(tail.length > 0, 'the old master had nothing alone');
    assert.deepEqual(await reading, [], 'delivered what only one copy had');
    assert.equal(await shard.leader(epoch), slave);
    const kept = await sendUntil(slave!, 'kept', (sent) => sent.length === 20);
    await lab.heal();

    await shard.allInSync();
    await shard.allEqual();
    const read = await readAll(leader, 'late-readers', 40);
    assert.deepEqual(new Set(read.filter((id) => !id.startsWith('before'))), new Set(kept));
    assert.equal(read.length, 40);
    test.diagnostic(`${tail.length} messages were answered by the old master alone, and cut`);
  });
});

/** Sends one message after the other until enough is seen. @returns those that were stored */
async function sendUntil(
  member: Member,
  name: string,
  isEnough: (sent: readonly string[], refusals: readonly string[]) => boolean,
): Promise<string[]> {
  using client = new MessagingClient(member.endpoint, `sender-of-${name}`, 12_000);
  const sent: string[] = [];
  const refusals: string[] = [];
  while (!isEnough(sent, refusals)) {
    const id = `${name}-${sent.length}`;
    try {
      const { status } = await client.send({ topic: TOPIC, body: Buffer.from(id) });
      if (status?.code === Code.OK) sent.push(id);
      else refusals.push(`${status?.code} ${status?.message}`);
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      refusals.push(error.message);
    }
    await pause(10);
  }
  return sent;
}

/** Ids of messages as they come, and those that come a moment after so many did. */
async function readAll(member: Member, group: string, count: number): Promise<string[]> {
  using client = new MessagingClient(member.endpoint, group);
  const ids: string[] = [];
  for (let isLast = false; ; ) {
    const fields = { topic: TOPIC, group, brokerName: 'broker-a', invisibleMs: 60_000, pollingMs: 5_000 };
    const messages = await client.receiveMessages(fields).catch(() => []);
    for (const { body, systemProperties } of messages) {
      ids.push(Buffer.from(body).toString());
      await client.ack(TOPIC, group, systemProperties!.receiptHandle!);
    }
    if (isLast || messages.length === 0) return ids;
    isLast = ids.length >= count;
  }
}
