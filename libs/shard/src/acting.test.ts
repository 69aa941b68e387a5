import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type BranchSettlement, type Delivery, findBranch, keepBranch, openFollower, openShard } from './index.ts';
import {
  ActingPair,
  groupConfig,
  INVISIBLE_MS,
  MASTER,
  numberOf,
  numbersOf,
  SLAVE,
  topicConfig,
} from './test-acting.ts';

describe('a slave that stands in for its master', () => {
  it('serves consumers, and takes nothing else', async () => {
    const pair = new ActingPair();
    await pair.setUp();
    await pair.send(0, 10);
    await pair.copy();
    await pair.kill(MASTER);
    await pair.act();
    const { shard } = pair.slave;
    assert.deepEqual(numbersOf(await pair.receive(shard)), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const refused = { name: 'MqError', code: 'HA_NOT_AVAILABLE' };
    const message = { system: new Uint8Array(4), rest: Buffer.from('x') };
    assert.throws(() => shard.send({ topic: pair.topic, queueId: 0, tagHash: 0, message }), refused);
    assert.throws(
      () => shard.sendTimed({ topic: pair.topic, queueId: 0, tagHash: 0, message, deliveryTimestampMs: 1 }),
      refused,
    );
    await assert.rejects(async () => await shard.putGroup(groupConfig({ name: 'other' })), refused);
    await assert.rejects(async () => await shard.putTopic({ ...topicConfig(), name: 'other' }), refused);
    await pair.clock.settle(pair.slave.close());
  });

  it('shows only what was confirmed', async () => {
    const pair = new ActingPair();
    await pair.setUp();
    await pair.send(0, 5);
    const confirmedOffset = pair.master.replica.endOffset;
    await pair.send(5, 5);
    await pair.copy(confirmedOffset);
    await pair.act();
    const shown = numbersOf(await pair.receive(pair.slave.shard));
    assert.deepEqual(shown.slice(0, 5), [0, 1, 2, 3, 4]);
    // What the master had fsynced for all that its records say counts, too: never all, as the last one can't know of itself.
    assert.ok(shown.length < 10, `${shown}`);
    await pair.clock.settle(pair.slave.close());
  });

  it('hands acks, leases and what is left of their time over to the master', async () => {
    const pair = new ActingPair();
    await pair.setUp();
    await pair.send(0, 10);
    const former = await pair.receive(pair.master, 2);
    await pair.copy();
    await pair.kill(MASTER);
    await pair.act();
    // A handle of the master's is good at the slave.
    assert.equal(await pair.acknowledge(pair.slave.shard, former[0]!), 'done');
    const taken = await pair.receive(pair.slave.shard, 4);
    for (const delivery of taken.slice(0, 3)) await pair.acknowledge(pair.slave.shard, delivery);
    const { epoch } = pair.slave.shard;
    await pair.openMaster(true);
    await pair.handOver();
    pair.master.releaseDeadLetters();
    assert.deepEqual(numbersOf(await pair.receive(pair.master)), [6, 7, 8, 9]);
    // A handle of the slave's is good at the master.
    assert.ok(pair.master.isKept(epoch, taken[3]!.leaseId));
    assert.equal(await pair.acknowledge(pair.master, taken[3]!), 'done');
    await pair.clock.advance(INVISIBLE_MS);
    const again = await pair.receive(pair.master);
    assert.deepEqual(numbersOf(again).sort(), [1, 6, 7, 8, 9]);
    assert.equal(again.find((delivery) => numberOf(delivery) === 1)!.attempt, 2);
  });

  it('is idempotent, keeps what the master has handed out since, and replays the same', async () => {
    const pair = new ActingPair();
    await pair.setUp();
    await pair.send(0, 10);
    await pair.copy();
    await pair.kill(MASTER);
    await pair.act();
    const taken = await pair.receive(pair.slave.shard, 6);
    for (const delivery of taken.slice(0, 3)) await pair.acknowledge(pair.slave.shard, delivery);
    await pair.openMaster();
    const own = await pair.receive(pair.master, 5);
    assert.deepEqual(numbersOf(own), [0, 1, 2, 3, 4]);
    const common = pair.slave.leadersPart.endOffset;
    const settlements = await pair.settlements();
    for (const settlement of [...settlements, ...settlements]) {
      assert.ok(pair.master.takeSettlement(settlement, common));
    }
    assert.equal(await pair.acknowledge(pair.master, own[0]!), 'settled');
    assert.equal(await pair.acknowledge(pair.master, own[3]!), 'done');
    assert.equal(await pair.acknowledge(pair.master, taken[5]!), 'done');
    for (const settlement of settlements) pair.master.takeSettlement(settlement, common);
    const { checksum } = pair.master.checksum();
    await pair.clock.settle(pair.master.settled());
    await pair.kill(MASTER);
    await pair.openMaster();
    assert.equal(pair.master.checksum().checksum, checksum);
    assert.deepEqual(numbersOf(await pair.receive(pair.master)), [6, 7, 8, 9]);
    await pair.clock.advance(INVISIBLE_MS);
    assert.deepEqual(numbersOf(await pair.receive(pair.master)).sort(), [4, 6, 7, 8, 9]);
  });

  it('goes on with its branch when it was killed, and follows without it when it was cut', async () => {
    const pair = new ActingPair();
    await pair.setUp();
    await pair.send(0, 10);
    await pair.copy();
    await pair.act();
    const { endOffset } = pair.slave.leadersPart;
    const taken = await pair.receive(pair.slave.shard, 4);
    await pair.acknowledge(pair.slave.shard, taken[0]!);
    await pair.kill(SLAVE);
    pair.confirmedOffset = 0;
    await pair.act();
    assert.equal(pair.slave.leadersPart.endOffset, endOffset);
    assert.equal(await pair.acknowledge(pair.slave.shard, taken[1]!), 'done');
    assert.deepEqual(numbersOf(await pair.receive(pair.slave.shard)), [4, 5, 6, 7, 8, 9]);
    await pair.handOver();
    assert.equal(await pair.acknowledge(pair.master, taken[1]!), 'settled');
    await pair.cut();
    const follower = await pair.clock.settle(openFollower(pair.arguments(SLAVE)));
    assert.equal(follower.replica.endOffset, endOffset);
    assert.equal(await pair.clock.settle(findBranch(pair.arguments(SLAVE), follower.replica)), undefined);
    await pair.clock.settle(follower.close());
    await pair.copy();
    const again = await pair.clock.settle(openFollower(pair.arguments(SLAVE)));
    again.confirm(again.replica.endOffset);
    await pair.clock.settle(again.applied(again.replica.endOffset));
    assert.equal(again.checksum().checksum, pair.master.checksum().checksum);
  });

  it('tells the master also of what was only settled, by one call for all', async () => {
    const pair = new ActingPair();
    await pair.setUp();
    await pair.send(0, 3);
    const taken = await pair.receive(pair.master);
    await pair.copy();
    await pair.act();
    await pair.acknowledgeAll(pair.slave.shard, taken.slice(0, 2));
    await pair.handOver();
    const leases = taken.map((delivery) => ({ ...delivery, group: pair.group, topic: pair.topic }));
    assert.deepEqual(pair.master.acknowledgeAll(leases), ['settled', 'settled', 'done']);
  });

  it('settles nothing for messages that the master does not have', async () => {
    const pair = new ActingPair();
    await pair.setUp();
    await pair.send(0, 3);
    const common = pair.master.replica.endOffset;
    await pair.send(3, 3);
    await pair.copy();
    await pair.act();
    const taken = await pair.receive(pair.slave.shard);
    assert.deepEqual(numbersOf(taken), [0, 1, 2, 3, 4, 5]);
    await pair.acknowledgeAll(pair.slave.shard, taken);
    const [settlement, ...others] = await pair.settlements(common);
    assert.equal(settlement!.nextOffset, 3);
    assert.deepEqual(settlement!.entries, []);
    assert.deepEqual(others, []);
  });

  it('leaves what has used its attempts up to the master', async () => {
    const pair = new ActingPair();
    await pair.setUp({ retryMaxTimes: 0 });
    await pair.send(0, 2);
    await pair.copy();
    await pair.kill(MASTER);
    await pair.act();
    const taken = await pair.receive(pair.slave.shard, 2, 1000);
    assert.equal(taken.length, 2);
    await pair.clock.advance(5000);
    assert.deepEqual(await pair.receive(pair.slave.shard), []);
    // It is not too late for the one.
    assert.equal(await pair.acknowledge(pair.slave.shard, taken[1]!), 'done');
    await pair.openMaster(true);
    await pair.handOver();
    assert.equal(pair.master.metadata.topic('%DLQ%group'), undefined);
    pair.master.releaseDeadLetters();
    await pair.clock.runUntil(() => pair.master.metadata.topic('%DLQ%group') !== undefined);
    assert.deepEqual(await pair.receive(pair.master), []);
    const dead = pair.master.metadata.topic('%DLQ%group')!;
    assert.equal(pair.master.queueRange(dead, 0).maxOffset, 1);
  });

  it('keeps an ordered group in order over the hand-over', async () => {
    const pair = new ActingPair();
    await pair.setUp({ orderly: true });
    await pair.send(0, 6);
    await pair.copy();
    await pair.kill(MASTER);
    await pair.act();
    const taken = await pair.receive(pair.slave.shard, 2);
    await pair.acknowledge(pair.slave.shard, taken[0]!);
    await pair.openMaster(true);
    await pair.handOver();
    assert.deepEqual(await pair.receive(pair.master), []);
    assert.equal(await pair.acknowledge(pair.master, taken[1]!), 'done');
    assert.deepEqual(numbersOf(await pair.receive(pair.master, 2)), [2, 3]);
  });

  it('hands committed offsets over, those that were set back too', async () => {
    const pair = new ActingPair();
    await pair.setUp();
    await pair.send(0, 10);
    await pair.clock.settle(pair.master.commitOffset(pair.group, pair.topic, 0, 8));
    await pair.copy();
    await pair.kill(MASTER);
    await pair.act();
    await pair.clock.settle(pair.slave.shard.commitOffset(pair.group, pair.topic, 0, 5));
    await pair.openMaster();
    await pair.handOver();
    assert.equal(pair.master.progress(pair.group, pair.topic)[0]!.nextOffset, 5);
    // Who sets it at the master afterwards has the last word.
    const common = pair.slave.leadersPart.endOffset;
    await pair.clock.settle(pair.master.commitOffset(pair.group, pair.topic, 0, 7));
    const settlements = await pair.clock.settle(Array.fromAsync(pair.slave.settlements(common)));
    for (const settlement of settlements) pair.master.takeSettlement(settlement, common);
    assert.equal(pair.master.progress(pair.group, pair.topic)[0]!.nextOffset, 7);
  });

  it('tells long lists of leases in parts', async () => {
    const pair = new ActingPair();
    await pair.setUp();
    await pair.send(0, 500);
    await pair.copy();
    await pair.kill(MASTER);
    await pair.act();
    const taken: Delivery[] = [];
    while (taken.length < 500) taken.push(...(await pair.receive(pair.slave.shard, 50)));
    for (const delivery of taken) if (numberOf(delivery) % 10 === 0) await pair.acknowledge(pair.slave.shard, delivery);
    await pair.openMaster();
    const settlements = await pair.settlements();
    assert.equal(settlements.length, 3);
    for (const settlement of settlements) pair.master.takeSettlement(settlement, pair.slave.leadersPart.endOffset);
    await pair.clock.advance(INVISIBLE_MS);
    const left: number[] = [];
    for (let some = await pair.receive(pair.master); some.length > 0; some = await pair.receive(pair.master)) {
      left.push(...numbersOf(some));
    }
    assert.deepEqual(
      left.sort((one, other) => one - other),
      Array.from({ length: 500 }, (_, index) => index).filter((index) => index % 10 !== 0),
    );
  });

  it('refuses settlements that can not be', async () => {
    const pair = new ActingPair();
    await pair.setUp();
    await pair.send(0, 5);
    const { group, topic } = pair;
    const settlement: BranchSettlement = {
      groupUid: group.uid,
      groupName: 'group',
      topicUid: topic.uid,
      topicName: 'topic',
      queueUid: topic.queues[0]!.uid,
      fromOffset: 0,
      nextOffset: 3,
      isReset: false,
      entries: [{ offset: 1, leaseId: 1, attempt: 1, remainingMs: 0, messageGroup: 0 }],
    };
    const invalid = { name: 'MqError', code: 'BAD_REQUEST' };
    assert.throws(() => pair.master.takeSettlement({ ...settlement, fromOffset: 4 }, 0), invalid);
    assert.throws(() => pair.master.takeSettlement({ ...settlement, fromOffset: 2 }, 0), invalid);
    const [entry] = settlement.entries;
    const endless = { ...settlement, entries: [{ ...entry!, remainingMs: 2 ** 50 }] };
    assert.throws(() => pair.master.takeSettlement(endless, 0), invalid);
    assert.equal(pair.master.takeSettlement({ ...settlement, nextOffset: 6 }, 0), false);
    assert.equal(pair.master.takeSettlement({ ...settlement, groupName: 'other' }, 0), false);
    assert.equal(pair.master.takeSettlement({ ...settlement, topicName: 'other' }, 0), false);
    assert.equal(pair.master.takeSettlement(settlement, 0), true);
  });

  it('becomes the master with its branch, where an operator says so', async () => {
    const pair = new ActingPair();
    await pair.setUp();
    await pair.send(0, 5);
    await pair.copy();
    await pair.kill(MASTER);
    await pair.act();
    const taken = await pair.receive(pair.slave.shard, 3);
    await pair.acknowledge(pair.slave.shard, taken[0]!);
    const { epoch } = pair.slave.shard;
    await pair.kill(SLAVE);
    await pair.clock.settle(keepBranch(pair.arguments(SLAVE)));
    const next = await pair.clock.settle(openShard({ ...pair.arguments(SLAVE), lead: {} }));
    assert.ok(next.epoch > epoch);
    assert.equal(await pair.acknowledge(next, taken[0]!), 'settled');
    assert.equal(await pair.acknowledge(next, taken[1]!), 'done');
    assert.deepEqual(numbersOf(await pair.receive(next)), [3, 4]);
    assert.equal(await pair.clock.settle(findBranch(pair.arguments(SLAVE), next.replica)), undefined);
  });
});
