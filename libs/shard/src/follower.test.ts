import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MqError, seededRandom } from '@orbitmq/base';
import type { Logger } from '@orbitmq/runtime';
import type { LeadOptions } from '@orbitmq/storage';
import { SimClock, SimDisk } from '@orbitmq/testkit';
import type { Group, Topic } from '@orbitmq/views';
import {
  type FollowerShard,
  type OpenedShard,
  openFollower,
  openShard,
  type ShardOptions,
  truncateShard,
  wipeShard,
} from './index.ts';

const errors: unknown[] = [];
const LOGGER: Logger = {
  child: () => LOGGER,
  debug() {},
  info() {},
  warn() {},
  error: (...facts: unknown[]) => errors.push(facts),
};
const OPTIONS: ShardOptions = {
  log: { flushDiskType: 'SYNC_FLUSH', segmentSizeBytes: 16384, recordBytesMax: 8192, tailCacheBytes: 65536 },
  diskReserveBytes: 0,
  retentionMs: 1000,
  heldAfterExpiryMs: 1000,
};

/** Two copies of a shard, each with a disk of its own, and what a stream between them would do. */
class Pair {
  readonly clock = new SimClock();
  readonly disks = [0, 1].map((seed) => new SimDisk({ clock: this.clock, random: seededRandom(seed + 1) }));
  leader!: OpenedShard;
  follower!: FollowerShard;
  /** Chunks are of this many bytes. */
  bytesMax = 3000;

  async open(lead: LeadOptions = {}): Promise<void> {
    this.leader = await this.lead(0, lead);
    this.follower = await this.follow(1);
  }

  lead(disk: number, lead: LeadOptions = {}): Promise<OpenedShard> {
    return this.clock.settle(openShard({ ...this.#arguments(disk), lead }));
  }

  follow(disk: number): Promise<FollowerShard> {
    return this.clock.settle(openFollower(this.#arguments(disk)));
  }

  cut(disk: number, to: number): Promise<void> {
    return this.clock.settle(truncateShard(this.#arguments(disk), to, 0));
  }

  wipe(disk: number): Promise<void> {
    return this.clock.settle(wipeShard(this.#arguments(disk)));
  }

  /** Sends all that the leader has, and its confirmed offset with it. */
  async send(): Promise<void> {
    const { leader, follower } = this;
    const from = leader.replica.startOffset;
    let position = follower.replica.logId === undefined ? from : follower.replica.endOffset;
    for (;;) {
      const chunk = await this.clock.settle(Promise.resolve(leader.replica.readChunk(position, this.bytesMax)));
      if (chunk.bytes.length === 0) break;
      follower.receive(chunk);
      position = chunk.endOffset;
    }
    await this.clock.runUntil(() => follower.replica.storedOffset === position);
    await this.clock.runUntil(() => leader.replica.storedOffset === leader.replica.endOffset);
  }

  /** The follower has got all; the leader learns of it, and the follower of that. */
  async confirm(): Promise<void> {
    const { leader, follower } = this;
    // What was asked for gets appended, and a flush mark behind it.
    await this.clock.advance(250);
    await this.send();
    leader.replica.confirm(follower.replica.storedOffset);
    follower.confirm(leader.replica.confirmedOffset);
    follower.trim(leader.replica.startOffset);
    await this.clock.settle(follower.applied(follower.replica.confirmedOffset));
  }

  #arguments(disk: number): Parameters<typeof openShard>[0] {
    return {
      vfs: this.disks[disk]!,
      clock: this.clock,
      random: seededRandom(disk + 10),
      logger: LOGGER,
      directory: '/store',
      options: OPTIONS,
    };
  }
}

function makeTopic(shard: OpenedShard, name = 'topic'): Promise<Topic> {
  return shard.putTopic({
    name,
    readQueueCount: 2,
    writeQueueCount: 2,
    permission: 6,
    messageType: 'MIXED',
    retentionMs: undefined,
    retentionBytes: undefined,
    autoCreated: false,
    attributes: new Map(),
  });
}

function makeGroup(shard: OpenedShard): Promise<Group> {
  return shard.putGroup({
    name: 'group',
    consumeEnable: true,
    consumeMessageOrderly: false,
    retryMaxTimes: 16,
    retryPolicy: { kind: 'customized', delaysMs: [1000] },
    autoCreated: false,
    attributes: new Map(),
  });
}

function send(shard: OpenedShard, topic: Topic, count: number, bytes = 500): void {
  for (let index = 0; index < count; index++) {
    const message = { system: new Uint8Array(4), rest: Buffer.alloc(bytes, index) };
    shard.send({ topic, queueId: index % 2, tagHash: 0, message });
  }
}

function receiveFrom(shard: OpenedShard, group: Group, topic: Topic): ReturnType<OpenedShard['receive']> {
  const request = { group, topic, filter: undefined, countMax: 32, bytesMax: 1e6, invisibleMs: 30_000 };
  return shard.receive({ ...request, attemptId: undefined });
}

describe('a shard that follows', () => {
  it('R6: has its leader’s state at each confirmed position, and leads on with it', async () => {
    const pair = new Pair();
    await pair.open({ acknowledge: 'confirmed' });
    const { clock, leader, follower } = pair;
    const topic = await clock.settle(makeTopic(leader));
    const group = await clock.settle(makeGroup(leader));
    send(leader, topic, 60);
    await pair.confirm();
    const receiving = receiveFrom(leader, group, topic);
    await pair.confirm();
    const deliveries = await clock.settle(receiving);
    for (const delivery of deliveries.slice(0, 10)) leader.acknowledge({ ...delivery, group, topic });
    send(leader, topic, 60);
    const attesting = leader.attest();
    await pair.confirm();
    const attested = await clock.settle(attesting);
    assert.deepEqual(follower.attested, { ...attested, leaderChecksum: attested.checksum });
    assert.deepEqual(follower.checksum(), leader.checksum());
    assert.deepEqual([...follower.metadata.topics()].map(({ name }) => name).sort(), ['topic']);
    assert.equal(errors.length, 0);
    const { checksum } = leader.checksum();
    const end = leader.replica.endOffset;
    leader.replica.fence(new MqError('HA_NOT_AVAILABLE', 'another one leads'));
    await clock.settle(leader.close());
    const next = await clock.settle(follower.promote({ epoch: 7 }));
    assert.equal(next.epoch, 7);
    assert.equal(next.checksum().checksum, checksum);
    assert.deepEqual(next.replica.epochs().at(-1), { epoch: 7, startOffset: end });
    // What the old leader handed out is still out, and its handles are good.
    const outstanding = next.progress(group, topic).reduce((sum, { inflightCount }) => sum + inflightCount, 0);
    assert.equal(outstanding, deliveries.length - 10);
    assert.equal(next.acknowledge({ ...deliveries[15]!, group, topic }), 'done');
    assert.ok((await clock.settle(receiveFrom(next, group, topic))).length > 0);
    // And the old one follows.
    pair.leader = next;
    pair.follower = await pair.follow(0);
    assert.equal(pair.follower.replica.endOffset, end);
    await pair.confirm();
    assert.deepEqual(pair.follower.checksum(), next.checksum());
    await clock.settle(pair.follower.close());
    await clock.settle(next.close());
    const again = await pair.lead(1);
    assert.equal(again.viewsRecovery.base, 'snapshot');
  });

  it('R4, D8: shows nothing that is not confirmed, and forgets it when it is cut', async () => {
    const pair = new Pair();
    await pair.open({ acknowledge: 'confirmed' });
    const { clock, leader } = pair;
    const topic = await clock.settle(makeTopic(leader));
    const group = await clock.settle(makeGroup(leader));
    send(leader, topic, 10);
    await pair.confirm();
    const confirmed = leader.replica.confirmedOffset;
    leader.replica.confirm(confirmed);
    send(leader, topic, 90);
    const settling = assert.rejects(leader.settled(), /can not say whether/);
    const snapshotting = leader.snapshot();
    await clock.advance(2000);
    assert.equal(leader.replica.confirmedOffset, confirmed);
    assert.ok(leader.replica.storedOffset > confirmed);
    const received = receiveFrom(leader, group, topic);
    received.catch(() => {});
    await clock.advance(100);
    assert.equal(
      leader.progress(group, topic).reduce((sum, { inflightCount }) => sum + inflightCount, 0),
      10,
    );
    leader.replica.fence(new MqError('HA_NOT_AVAILABLE', 'another one leads'));
    await settling;
    await assert.rejects(received, /can not say whether/);
    assert.throws(() => send(leader, topic, 1), /another one leads/);
    await clock.settle(snapshotting);
    await clock.settle(leader.close());
    const next = await clock.settle(pair.follower.promote({ acknowledge: 'confirmed' }));
    await pair.cut(0, confirmed);
    pair.leader = next;
    pair.follower = await pair.follow(0);
    assert.equal(pair.follower.replica.endOffset, confirmed);
    assert.ok(pair.follower.appliedOffset <= confirmed);
    send(next, topic, 100);
    await pair.confirm();
    assert.deepEqual(pair.follower.checksum(), next.checksum());
    assert.equal(next.queueRange(topic, 0).maxOffset, 55);
    // Files of what is sealed are its own, also after a start from them.
    await clock.settle(pair.follower.close());
    pair.follower = await pair.follow(0);
    assert.equal(pair.follower.viewsRecovery.rebuiltIndexFiles, 0);
    await pair.confirm();
    assert.deepEqual(pair.follower.checksum(), next.checksum());
  });

  it('begins in the middle of the log with the state that the log says, and follows retention', async () => {
    const pair = new Pair();
    await pair.open();
    const { clock, leader } = pair;
    const topic = await clock.settle(makeTopic(leader));
    for (let round = 0; round < 6; round++) {
      send(leader, topic, 60);
      await clock.advance(3000);
      const retaining = leader.retain();
      await clock.advance(50);
      await pair.confirm();
      await clock.settle(retaining);
      await pair.confirm();
    }
    assert.ok(leader.replica.startOffset > 0);
    await clock.advance(100);
    assert.equal(pair.follower.replica.startOffset, leader.replica.startOffset);
    assert.deepEqual(pair.follower.checksum(), leader.checksum());
    await clock.settle(pair.follower.close());
    await pair.wipe(1);
    pair.follower = await pair.follow(1);
    assert.equal(pair.follower.replica.logId, undefined);
    assert.equal(pair.follower.replica.endOffset, 0);
    pair.bytesMax = 500;
    const first = await clock.settle(Promise.resolve(leader.replica.readChunk(leader.replica.startOffset, 500)));
    pair.follower.receive(first);
    assert.equal(pair.follower.hasBase, false);
    await assert.rejects(clock.settle(pair.follower.promote({})), /can not become the master/);
    await pair.confirm();
    assert.equal(pair.follower.hasBase, true);
    assert.deepEqual(pair.follower.checksum(), leader.checksum());
    const next = await clock.settle(pair.follower.promote({}));
    assert.equal(next.checksum().checksum, leader.checksum().checksum);
    assert.equal(next.queueRange(topic, 1).maxOffset, 180);
  });

  it('begins anew in the middle of the log, although it has a snapshot of an earlier begin', async () => {
    const pair = new Pair();
    await pair.open();
    const { clock, leader } = pair;
    const topic = await clock.settle(makeTopic(leader));
    // Nothing of it is confirmed: the snapshot of the stop is of byte 0.
    await pair.send();
    await clock.settle(pair.follower.close());
    for (let round = 0; round < 3; round++) {
      send(leader, topic, 60);
      await clock.advance(3000);
      await clock.settle(leader.retain());
    }
    assert.ok(leader.replica.startOffset > 0);
    await pair.wipe(1);
    pair.follower = await pair.follow(1);
    assert.equal(pair.follower.hasBase, false);
    await pair.confirm();
    assert.deepEqual(pair.follower.checksum(), leader.checksum());
  });

  it('begins a shard when it is empty', async () => {
    const pair = new Pair();
    const first = await pair.follow(0);
    const shard = await pair.clock.settle(first.promote({ epoch: 3 }));
    assert.equal(shard.epoch, 3);
    const topic = await pair.clock.settle(makeTopic(shard));
    send(shard, topic, 3);
    pair.leader = shard;
    pair.follower = await pair.follow(1);
    await pair.confirm();
    assert.deepEqual(pair.follower.checksum(), shard.checksum());
  });

  it('reads what it applies from its disk when it is far behind', async () => {
    const pair = new Pair();
    await pair.open();
    const { clock, leader, follower } = pair;
    const topic = await clock.settle(makeTopic(leader));
    for (let round = 0; round < 8; round++) {
      send(leader, topic, 50);
      await clock.settle(leader.settled());
      await pair.send();
    }
    assert.equal(follower.appliedOffset, 0);
    await pair.confirm();
    assert.deepEqual(follower.checksum(), leader.checksum());
    assert.ok(follower.appliedOffset > 150_000);
  });
});
