import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type MqError, seededRandom } from '@orbitmq/base';
import type { Logger } from '@orbitmq/runtime';
import { SimClock, SimDisk } from '@orbitmq/testkit';
import type { Group, Topic } from '@orbitmq/views';
import fc from 'fast-check';
import {
  type Delivery,
  type LeaseRef,
  type OpenedShard,
  openShard,
  type ReceiveRequest,
  type ShardOptions,
} from './index.ts';

interface Said {
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A shard on a simulated disk and clock, with what its log says. */
class Bench {
  readonly clock = new SimClock();
  readonly said: Said[] = [];
  disk = new SimDisk({ clock: this.clock, random: seededRandom(1) });
  shard!: OpenedShard;
  failure: Error | undefined;
  readonly #options: ShardOptions;

  constructor(options: Partial<ShardOptions> = {}) {
    this.#options = {
      log: { flushDiskType: 'SYNC_FLUSH', segmentSizeBytes: 16384, recordBytesMax: 8192, tailCacheBytes: 65536 },
      diskReserveBytes: 0,
      ...options,
    };
  }

  async open(): Promise<OpenedShard> {
    const say = (fields: Readonly<Record<string, unknown>>, message: string): void => {
      this.said.push({ message, fields });
    };
    const logger: Logger = { child: () => logger, debug: say, info: say, warn: say, error: say };
    const opening = openShard({
      vfs: this.disk,
      clock: this.clock.process(),
      random: seededRandom(2),
      logger,
      directory: '/store',
      options: this.#options,
      onFailure: (error) => {
        this.failure = error;
      },
    });
    this.shard = await this.clock.settle(opening);
    return this.shard;
  }

  topic(name = 'topic', fields: Partial<Topic> = {}): Promise<Topic> {
    const config = {
      name,
      readQueueCount: 1,
      writeQueueCount: 1,
      permission: 6,
      messageType: 'NORMAL' as const,
      retentionMs: undefined,
      retentionBytes: undefined,
      autoCreated: false,
      attributes: new Map<string, string>(),
      ...fields,
    };
    return this.clock.settle(this.shard.putTopic(config));
  }

  group(name = 'group', orderly = false): Promise<Group> {
    const config = {
      name,
      consumeEnable: true,
      consumeMessageOrderly: orderly,
      retryMaxTimes: 16,
      retryPolicy: { kind: 'customized' as const, delaysMs: [1000] },
      autoCreated: false,
      attributes: new Map<string, string>(),
    };
    return this.clock.settle(this.shard.putGroup(config));
  }

  async send(topic: Topic, count: number, queueId = 0, bodyBytes = 100): Promise<void> {
    for (let index = 0; index < count; index++) {
      const rest = Buffer.alloc(bodyBytes);
      rest.writeUInt32LE(this.shard.queueRange(topic, queueId).maxOffset);
      this.shard.send({ topic, queueId, tagHash: index % 3, message: { system: Buffer.from('sys'), rest } });
      if (index % 20 === 19) await this.settled();
    }
    await this.settled();
  }

  receive(group: Group, topic: Topic, fields: Partial<ReceiveRequest> = {}): Promise<Delivery[]> {
    const request = {
      group,
      topic,
      filter: undefined,
      countMax: 32,
      bytesMax: 1e6,
      invisibleMs: 1000,
      attemptId: undefined,
    };
    return this.clock.settle(this.shard.receive({ ...request, ...fields }));
  }

  settled(): Promise<void> {
    return this.clock.settle(this.shard.settled());
  }

  async restart(): Promise<OpenedShard> {
    await this.clock.settle(this.shard.close());
    return await this.open();
  }
}

function leaseOf(group: Group, topic: Topic, { queueId, queueOffset, leaseId }: Delivery): LeaseRef {
  return { group, topic, queueId, queueOffset, leaseId };
}

function offsets(deliveries: readonly Delivery[]): number[] {
  return deliveries.map((delivery) => delivery.queueOffset);
}

describe('a shard', () => {
  test('hands out what was sent, as it was sent, over restarts', async () => {
    const bench = new Bench();
    await bench.open();
    const topic = await bench.topic();
    const group = await bench.group();
    await bench.send(topic, 3);
    const secret = Buffer.from(bench.shard.metadata.secret);
    const [first, ...others] = await bench.receive(group, topic);
    assert.deepEqual(offsets(others), [1, 2]);
    assert.equal(Buffer.from(first!.message.system).toString(), 'sys');
    assert.equal(first!.message.rest.length, 100);
    assert.equal(bench.shard.acknowledge(leaseOf(group, topic, first!)), 'done');
    await bench.settled();
    await bench.restart();
    assert.deepEqual(Buffer.from(bench.shard.metadata.secret), secret);
    const [sameGroup, sameTopic] = [bench.shard.metadata.group('group')!, bench.shard.metadata.topic('topic')!];
    assert.equal(bench.shard.acknowledge(leaseOf(sameGroup, sameTopic, first!)), 'settled');
    await bench.clock.advance(2000);
    const again = await bench.receive(sameGroup, sameTopic);
    assert.deepEqual(offsets(again), [1, 2]);
    assert.deepEqual(
      again.map(({ attempt }) => attempt),
      [2, 2],
    );
  });

  test('tells lease outcomes apart', async () => {
    const bench = new Bench();
    await bench.open();
    const [topic, group] = [await bench.topic(), await bench.group()];
    await bench.send(topic, 2);
    const [first, second] = await bench.receive(group, topic, { invisibleMs: 100 });
    const old = leaseOf(group, topic, first!);
    await bench.clock.advance(200);
    const [again] = await bench.receive(group, topic, { countMax: 1 });
    assert.equal(again!.queueOffset, 0);
    assert.equal(bench.shard.acknowledge(old), 'superseded');
    assert.equal(bench.shard.acknowledge(leaseOf(group, topic, second!)), 'done', 'expired, but nobody else has it');
    assert.equal(bench.shard.acknowledge(leaseOf(group, topic, second!)), 'settled');
    assert.equal(bench.shard.acknowledge({ ...old, queueOffset: 7 }), 'unknown');
    const changed = bench.shard.changeInvisible(leaseOf(group, topic, again!), 0);
    assert.equal(changed.outcome, 'done');
    assert.equal(bench.shard.acknowledge(leaseOf(group, topic, again!)), 'superseded');
    assert.equal(bench.shard.acknowledge({ ...old, leaseId: changed.leaseId }), 'done');
  });

  test('settles what one call names by one record, over restarts', async () => {
    const bench = new Bench();
    await bench.open();
    const topic = await bench.topic('topic', { readQueueCount: 2, writeQueueCount: 2 });
    const group = await bench.group();
    await bench.send(topic, 3);
    await bench.send(topic, 3, 1);
    const taken = await bench.receive(group, topic, { invisibleMs: 1000 });
    const leases = taken.map((delivery) => leaseOf(group, topic, delivery));
    assert.equal(bench.shard.acknowledge(leases[0]!), 'done');
    const nacked = bench.shard.changeInvisible(leases[1]!, 500);
    const unknown = { ...leases[2]!, queueOffset: 7 };
    const newer = { ...leases[1]!, leaseId: nacked.leaseId };
    const before = bench.shard.checksum();
    assert.deepEqual(bench.shard.acknowledgeAll([]), []);
    assert.deepEqual(bench.shard.acknowledgeAll([leases[0]!, leases[1]!, unknown]), [
      'settled',
      'superseded',
      'unknown',
    ]);
    assert.deepEqual(bench.shard.checksum(), before);
    const recordCount = () => bench.shard.statistics().log.recordCount;
    const recordsBefore = recordCount();
    assert.deepEqual(
      bench.shard.acknowledgeAll([leases[2]!, leases[0]!, leases[3]!, leases[2]!, unknown, leases[5]!]),
      ['done', 'settled', 'done', 'done', 'unknown', 'done'],
    );
    assert.equal(recordCount(), recordsBefore + 1);
    const [counted] = bench.shard.statistics().subscriptions;
    assert.equal(counted!.acknowledgedCount, 4, 'one that is named twice counts once');
    await bench.settled();
    await bench.restart();
    const [sameGroup, sameTopic] = [bench.shard.metadata.group('group')!, bench.shard.metadata.topic('topic')!];
    const left = { group: sameGroup, topic: sameTopic };
    assert.deepEqual(bench.shard.acknowledgeAll(leases.map((lease) => ({ ...lease, ...left }))), [
      'settled',
      'superseded',
      'settled',
      'settled',
      'done',
      'settled',
    ]);
    assert.deepEqual(
      bench.shard.acknowledgeAll([leases[1]!, newer, leases[1]!].map((lease) => ({ ...lease, ...left }))),
      ['superseded', 'done', 'settled'],
    );
    await bench.clock.advance(2000);
    assert.deepEqual(await bench.receive(sameGroup, sameTopic), []);
  });

  test('C4: a mutated lease settles nothing but what it names', async () => {
    const bench = new Bench();
    await bench.open();
    const topic = await bench.topic('topic', { readQueueCount: 2, writeQueueCount: 2 });
    const [group, other] = [await bench.group(), await bench.group('other')];
    await bench.send(topic, 5);
    await bench.send(topic, 5, 1);
    const deliveries = await bench.receive(group, topic, { invisibleMs: 1e6 });
    const valid = new Set(
      deliveries.map(({ queueId, queueOffset, leaseId }) => `${queueId}/${queueOffset}/${leaseId}`),
    );
    const whole = fc.oneof(
      fc.integer({ min: -2, max: 12 }),
      fc.maxSafeInteger(),
      fc.double(),
      fc.constantFrom(2 ** 32, Number.NaN),
    );
    fc.assert(
      fc.property(
        fc.record({
          pick: fc.nat(9),
          field: fc.constantFrom('queueId', 'queueOffset', 'leaseId', 'group'),
          value: whole,
        }),
        ({ pick, field, value }) => {
          const lease = leaseOf(group, topic, deliveries[pick]!);
          const mutated = { ...lease, ...(field === 'group' ? { group: other } : { [field]: value }) };
          const { queueId, queueOffset, leaseId } = mutated;
          if (field !== 'group' && valid.has(`${queueId}/${queueOffset}/${leaseId}`)) return;
          const before = bench.shard.checksum();
          assert.notEqual(bench.shard.acknowledge(mutated), 'done');
          assert.notEqual(bench.shard.changeInvisible(mutated, 0).outcome, 'done');
          bench.shard.renew([mutated], 5);
          assert.deepEqual(bench.shard.checksum(), before);
        },
      ),
      { numRuns: 500 },
    );
    for (const delivery of deliveries) assert.equal(bench.shard.acknowledge(leaseOf(group, topic, delivery)), 'done');
  });

  test('passes over what the filter does not want, for good', async () => {
    const bench = new Bench();
    await bench.open();
    const [topic, group] = [await bench.topic(), await bench.group()];
    await bench.send(topic, 90);
    const filter = { mayMatch: (tagHash: number) => tagHash === 1, matches: () => true };
    assert.deepEqual(
      offsets(await bench.receive(group, topic, { filter })),
      Array.from({ length: 30 }, (_, index) => 3 * index + 1),
    );
    assert.deepEqual(await bench.receive(group, topic, { filter }), []);
    assert.equal(bench.shard.progress(group, topic)[0]!.nextOffset, 90);
  });

  test('stops a batch before its bytes are exceeded, but gives at least one message', async () => {
    const bench = new Bench();
    await bench.open();
    const [topic, group] = [await bench.topic(), await bench.group()];
    await bench.send(topic, 5, 0, 1000);
    assert.equal((await bench.receive(group, topic, { bytesMax: 10 })).length, 1);
    assert.equal((await bench.receive(group, topic, { bytesMax: 2500 })).length, 2);
  });

  test('wakes one waiter for one event, and the next when there is more', async () => {
    const bench = new Bench();
    await bench.open();
    const [topic, group] = [await bench.topic(), await bench.group()];
    const woken: number[] = [];
    const waiters = [0, 1, 2].map((index) => {
      const waiter = bench.shard.waitForMessages(group, topic);
      void waiter.ready.then((found) => found && woken.push(index));
      return waiter;
    });
    await bench.send(topic, 2);
    assert.deepEqual(woken, [0]);
    assert.equal((await bench.receive(group, topic, { countMax: 1, invisibleMs: 500 })).length, 1);
    await bench.clock.advance(1);
    assert.deepEqual(woken, [0, 1], 'there was one more message');
    assert.equal((await bench.receive(group, topic, { countMax: 1, invisibleMs: 1e6 })).length, 1);
    await bench.clock.advance(1);
    assert.deepEqual(woken, [0, 1]);
    await bench.clock.advance(600);
    assert.deepEqual(woken, [0, 1, 2], 'a lease has ended');
    waiters[2]!.cancel();
    const late = bench.shard.waitForMessages(group, topic);
    assert.equal(await late.ready, true, 'the one that was woken went away: another may have it');
  });

  test('wakes who waits for a queue of which one call has settled all that was handed out', async () => {
    const bench = new Bench();
    await bench.open();
    const topic = await bench.topic('topic', { readQueueCount: 2, writeQueueCount: 2 });
    const group = await bench.group('ordered', true);
    await bench.send(topic, 4);
    await bench.send(topic, 4, 1);
    const taken = [...(await bench.receive(group, topic, { countMax: 2 }))];
    taken.push(...(await bench.receive(group, topic, { countMax: 2 })));
    assert.equal(new Set(taken.map(({ queueId }) => queueId)).size, 2);
    assert.deepEqual(await bench.receive(group, topic), []);
    let isWoken = false;
    void bench.shard.waitForMessages(group, topic).ready.then((found) => {
      isWoken = found;
    });
    await bench.clock.advance(10);
    assert.equal(isWoken, false);
    bench.shard.acknowledgeAll(taken.map((delivery) => leaseOf(group, topic, delivery)));
    await bench.settled();
    assert.equal(isWoken, true);
  });

  test('bounds waiters and what is handed out', async () => {
    const bench = new Bench({ waitersMaxPerSubscription: 2, outstandingMax: 3 });
    await bench.open();
    const [topic, group] = [await bench.topic(), await bench.group()];
    const waiters = [bench.shard.waitForMessages(group, topic), bench.shard.waitForMessages(group, topic)];
    assert.throws(() => bench.shard.waitForMessages(group, topic), { code: 'TOO_MANY_REQUESTS' });
    waiters[0]!.cancel();
    assert.equal(await waiters[0]!.ready, false);
    bench.shard.waitForMessages(group, topic).cancel();
    await bench.send(topic, 5);
    const taken = await bench.receive(group, topic);
    assert.equal(taken.length, 3);
    await assert.rejects(bench.receive(group, topic), { code: 'TOO_MANY_REQUESTS' });
    bench.shard.acknowledge(leaseOf(group, topic, taken[0]!));
    assert.equal((await bench.receive(group, topic)).length, 1);
  });

  test('wakes who waits for room as soon as less is handed out, one after the other', async () => {
    const bench = new Bench({ outstandingMax: 2 });
    await bench.open();
    const [topic, other] = [await bench.topic(), await bench.topic('other')];
    const group = await bench.group();
    const crowd = await Promise.all(['first', 'second', 'third'].map((name) => bench.group(name)));
    const woken: string[] = [];
    const waitFor = (of: Group): void => {
      void bench.shard.waitForMessages(of, other).ready.then((found) => found && woken.push(of.name));
    };
    waitFor(crowd[0]!);
    await bench.send(topic, 3);
    const taken = await bench.receive(group, topic);
    assert.equal(taken.length, 2);
    await bench.send(other, 1);
    for (const of of crowd.slice(1)) waitFor(of);
    await bench.clock.advance(1);
    assert.deepEqual(woken, []);
    bench.shard.acknowledge(leaseOf(group, topic, taken[0]!));
    await bench.clock.advance(1);
    assert.deepEqual(woken, ['first']);
    const [only] = await bench.receive(crowd[0]!, other);
    bench.shard.acknowledge(leaseOf(crowd[0]!, other, only!));
    await bench.clock.advance(1);
    assert.deepEqual(woken, ['first', 'second']);
    assert.equal((await bench.receive(crowd[1]!, other)).length, 1);
    bench.shard.acknowledge(leaseOf(group, topic, taken[1]!));
    await bench.clock.advance(1);
    assert.deepEqual(woken, ['first', 'second', 'third']);
  });

  test('wakes who waits when a topic gets more queues to read', async () => {
    const bench = new Bench();
    await bench.open();
    const [topic, group] = [
      await bench.topic('narrow', { readQueueCount: 1, writeQueueCount: 2 }),
      await bench.group(),
    ];
    const waiter = bench.shard.waitForMessages(group, topic);
    let found = false;
    void waiter.ready.then((woken) => {
      found = woken;
    });
    await bench.send(topic, 1, 1);
    assert.equal(found, false);
    await bench.topic('narrow', { readQueueCount: 2, writeQueueCount: 2 });
    assert.equal(found, true);
    assert.equal((await bench.receive(group, topic)).length, 1);
  });

  test('deletes topics and groups with all that belongs to them', async () => {
    const bench = new Bench();
    await bench.open();
    const [topic, group] = [await bench.topic(), await bench.group()];
    await bench.send(topic, 3);
    await bench.receive(group, topic);
    const empty = await bench.topic('empty');
    const waiter = bench.shard.waitForMessages(group, empty);
    assert.equal(await bench.clock.settle(bench.shard.deleteTopic('topic')), true);
    assert.equal(await bench.clock.settle(bench.shard.deleteTopic('topic')), false);
    assert.throws(
      () =>
        bench.shard.send({
          topic,
          queueId: 0,
          tagHash: 0,
          message: { system: Buffer.alloc(0), rest: Buffer.alloc(0) },
        }),
      {
        code: 'TOPIC_NOT_FOUND',
      },
    );
    await assert.rejects(bench.receive(group, topic), { code: 'TOPIC_NOT_FOUND' });
    assert.equal(bench.shard.statistics().outstandingCount, 0);
    const again = await bench.topic();
    assert.notEqual(again.uid, topic.uid);
    assert.deepEqual(bench.shard.queueRange(again, 0), { minOffset: 0, maxOffset: 0 });
    assert.equal(await bench.clock.settle(bench.shard.deleteGroup('group')), true);
    assert.equal(await waiter.ready, false);
    await assert.rejects(bench.receive(group, again), { code: 'CONSUMER_GROUP_NOT_FOUND' });
    const { checksum } = bench.shard.checksum();
    await bench.restart();
    assert.equal(bench.shard.checksum().checksum, checksum);
  });

  test('refuses sends with the true cause when the disk is nearly full, and goes on by itself', async () => {
    const bench = new Bench({ diskReserveBytes: 50_000 });
    await bench.open();
    const [topic, group] = [await bench.topic(), await bench.group()];
    await bench.send(topic, 2);
    const [delivery] = await bench.receive(group, topic);
    bench.disk.setCapacity(40_000);
    await bench.clock.advance(2000);
    const send = (): unknown =>
      bench.shard.send({ topic, queueId: 0, tagHash: 0, message: { system: Buffer.alloc(1), rest: Buffer.alloc(1) } });
    assert.throws(send, (error: MqError) => error.code === 'FORBIDDEN' && /disk/.test(error.message));
    assert.equal(bench.shard.acknowledge(leaseOf(group, topic, delivery!)), 'done');
    await bench.settled();
    bench.disk.setCapacity(1e9);
    await bench.clock.advance(2000);
    send();
    await bench.settled();
  });

  test('refuses sends before the disk is full also between two looks at it', async () => {
    const bench = new Bench({ diskReserveBytes: 50_000 });
    await bench.open();
    const topic = await bench.topic();
    bench.disk.setCapacity(200_000);
    await bench.clock.advance(2000);
    const rest = Buffer.alloc(1000);
    const fill = (): never => {
      for (;;) bench.shard.send({ topic, queueId: 0, tagHash: 0, message: { system: Buffer.alloc(1), rest } });
    };
    assert.throws(fill, (error: MqError) => error.code === 'FORBIDDEN' && /disk/.test(error.message));
    await bench.settled();
  });

  test('passes over a message that can not be read, says where it is, and goes on', async () => {
    const bench = new Bench();
    await bench.open();
    const [topic, group] = [await bench.topic(), await bench.group()];
    await bench.send(topic, 200, 0, 500);
    const { physicalOffset } = (await bench.receive(await bench.group('other'), topic, { countMax: 1 }))[0]!;
    await bench.restart();
    bench.disk.flip('/store/commitlog/00000000000000000000', physicalOffset + 100);
    const [sameTopic, sameGroup] = [bench.shard.metadata.topic('topic')!, bench.shard.metadata.group(group.name)!];
    const deliveries = await bench.receive(sameGroup, sameTopic, { countMax: 5 });
    assert.deepEqual(offsets(deliveries), [1, 2, 3, 4]);
    const error = bench.said.find(({ message }) => message.includes('damaged'));
    assert.equal(error?.fields.physicalOffset, physicalOffset);
    assert.equal(bench.shard.statistics().subscriptions[0]!.unreadableCount, 1);
    assert.equal(bench.shard.progress(sameGroup, sameTopic)[0]!.floorOffset, 1);
  });
});

describe('a FIFO group', () => {
  async function prepared(count: number) {
    const bench = new Bench();
    await bench.open();
    const [topic, group] = [await bench.topic(), await bench.group('group', true)];
    await bench.send(topic, count);
    return { bench, topic, group };
  }

  test('is given one batch of a queue at a time, and the rest of it again in order', async () => {
    const { bench, topic, group } = await prepared(4);
    const batch = await bench.receive(group, topic, { countMax: 3 });
    assert.deepEqual(offsets(batch), [0, 1, 2]);
    assert.deepEqual(await bench.receive(group, topic), []);
    bench.shard.acknowledge(leaseOf(group, topic, batch[1]!));
    assert.deepEqual(await bench.receive(group, topic), []);
    await bench.clock.advance(1100);
    const again = await bench.receive(group, topic);
    assert.deepEqual(offsets(again), [0, 2, 3], 'what was acked behind a hole stays acked');
    assert.deepEqual(
      again.map(({ attempt }) => attempt),
      [2, 2, 1],
    );
  });

  test('gets the same messages with the same leases for the same attempt', async () => {
    const { bench, topic, group } = await prepared(4);
    const batch = await bench.receive(group, topic, { countMax: 2, attemptId: 'a' });
    await bench.clock.advance(900);
    const same = await bench.receive(group, topic, { countMax: 2, attemptId: 'a' });
    assert.deepEqual(
      same.map(({ queueOffset, leaseId, attempt }) => [queueOffset, leaseId, attempt]),
      batch.map(({ queueOffset, leaseId, attempt }) => [queueOffset, leaseId, attempt]),
    );
    await bench.clock.advance(900);
    assert.deepEqual(await bench.receive(group, topic, { attemptId: 'b' }), [], 'the repetition gave it more time');
    for (const delivery of same) assert.equal(bench.shard.acknowledge(leaseOf(group, topic, delivery)), 'done');
    assert.deepEqual(offsets(await bench.receive(group, topic, { attemptId: 'a' })), [2, 3]);
  });

  test('is blocked by a message given back until its time has come', async () => {
    const { bench, topic, group } = await prepared(2);
    const [first] = await bench.receive(group, topic, { countMax: 1 });
    bench.shard.changeInvisible(leaseOf(group, topic, first!), 3000);
    await bench.clock.advance(2900);
    assert.deepEqual(await bench.receive(group, topic), []);
    const waiter = bench.shard.waitForMessages(group, topic);
    await bench.clock.advance(200);
    assert.equal(await waiter.ready, true);
    assert.deepEqual(offsets(await bench.receive(group, topic)), [0, 1]);
  });
});

describe('retention', () => {
  const body = 1000;

  test('makes room on a crowded disk only with what every group has settled', async () => {
    const bench = new Bench({ retentionIntervalMs: 1e9, heldAfterExpiryMs: 0, diskCleanRatio: 0 });
    await bench.open();
    const topic = await bench.topic();
    const [eager, slow] = [await bench.group('eager'), await bench.group('slow')];
    await bench.send(topic, 60, 0, body);
    const acknowledgeAll = async (group: Group): Promise<void> => {
      const deliveries = await bench.receive(group, topic, { countMax: 100, bytesMax: 1e9 });
      for (const delivery of deliveries) bench.shard.acknowledge(leaseOf(group, topic, delivery));
      await bench.settled();
    };
    await bench.receive(slow, topic, { countMax: 1, invisibleMs: 1 });
    await acknowledgeAll(eager);
    await bench.clock.advance(1000);
    await bench.clock.settle(bench.shard.retain());
    assert.equal(bench.shard.statistics().logStartOffset, 0, 'the slow group still wants it');
    await bench.clock.settle(bench.shard.retain());
    const told = bench.said.filter(({ message }) => /oldest messages are not consumed/.test(message));
    assert.deepEqual(
      told.map(({ fields }) => fields.waitsFor),
      [['topic: slow']],
    );
    await acknowledgeAll(slow);
    await bench.clock.settle(bench.shard.retain());
    assert.ok(bench.shard.statistics().logStartOffset > 0, 'consumed by all');
  });

  test('keeps what nobody has read on a crowded disk until its own time is over, and says so', async () => {
    const bench = new Bench({ retentionIntervalMs: 1e9, heldAfterExpiryMs: 0, diskCleanRatio: 0 });
    await bench.open();
    const topic = await bench.topic('unread');
    await bench.send(topic, 60, 0, body);
    await bench.clock.settle(bench.shard.retain());
    assert.equal(bench.shard.statistics().logStartOffset, 0);
    const told = bench.said.find(({ message }) => /oldest messages are not consumed/.test(message));
    assert.deepEqual(told?.fields.waitsFor, ['unread: no group reads it']);
    await bench.topic('unread', { retentionMs: 1_000 });
    await bench.clock.advance(2_000);
    await bench.clock.settle(bench.shard.retain());
    assert.ok(bench.shard.statistics().logStartOffset > 0);
  });

  test('removes old segments when nobody holds them, and counts what was not consumed', async () => {
    const bench = new Bench({ retentionMs: 60_000, retentionIntervalMs: 1e9, heldAfterExpiryMs: 0 });
    await bench.open();
    const [topic, group] = [await bench.topic(), await bench.group()];
    await bench.send(topic, 40, 0, body);
    const [held] = await bench.receive(group, topic, { countMax: 1, invisibleMs: 500_000 });
    await bench.clock.advance(100_000);
    await bench.send(topic, 15, 0, body);
    await bench.clock.settle(bench.shard.retain());
    assert.equal(bench.shard.queueRange(topic, 0).minOffset, 0, 'a leased message holds its segment');
    bench.shard.acknowledge(leaseOf(group, topic, held!));
    await bench.clock.settle(bench.shard.retain());
    const { minOffset } = bench.shard.queueRange(topic, 0);
    assert.ok(minOffset > 20, `${minOffset}`);
    const statistics = bench.shard.statistics();
    assert.ok(statistics.logStartOffset > 0);
    assert.equal(statistics.subscriptions[0]!.unconsumedCount, minOffset - 1);
    assert.equal((await bench.receive(group, topic, { countMax: 1 }))[0]!.queueOffset, minOffset);
  });

  test('keeps a segment for the topic that keeps longest, and moves the others on', async () => {
    const bench = new Bench({ retentionMs: 60_000, retentionIntervalMs: 1e9 });
    await bench.open();
    const short = await bench.topic('short');
    const long = await bench.topic('long', { retentionMs: 1e9 });
    const sized = await bench.topic('sized', { retentionBytes: 10_000 });
    for (let round = 0; round < 20; round++)
      for (const topic of [short, long, sized]) await bench.send(topic, 1, 0, body);
    await bench.clock.settle(bench.shard.retain());
    assert.ok(bench.shard.queueRange(sized, 0).minOffset > 0, 'beyond its bytes');
    assert.equal(bench.shard.queueRange(short, 0).minOffset, 0);
    await bench.clock.advance(100_000);
    await bench.clock.settle(bench.shard.retain());
    assert.ok(bench.shard.queueRange(short, 0).minOffset > 0);
    assert.equal(bench.shard.queueRange(long, 0).minOffset, 0);
    assert.equal(bench.shard.statistics().logStartOffset, 0);
  });

  test('leaves enough in the log to make all views again from it alone', async () => {
    const bench = new Bench({ retentionMs: 10_000, retentionIntervalMs: 1e9, heldAfterExpiryMs: 0 });
    await bench.open();
    const [topic, group] = [await bench.topic(), await bench.group()];
    for (let round = 0; round < 6; round++) {
      await bench.send(topic, 30, 0, body);
      await bench.receive(group, topic, { invisibleMs: 1 });
      await bench.clock.advance(20_000);
      await bench.clock.settle(bench.shard.retain());
    }
    assert.ok(bench.shard.statistics().logStartOffset > 0);
    await bench.settled();
    await bench.clock.settle(bench.shard.close());
    const { checksum } = bench.shard.checksum();
    for (const path of bench.disk.image().keys())
      if (!path.includes('commitlog')) await bench.clock.settle(bench.disk.remove(path));
    await bench.open();
    assert.equal(bench.shard.viewsRecovery.base, 'state in the log');
    assert.equal(bench.shard.checksum().checksum, checksum);
  });
});

test('D7: a view file that is deleted, flipped or cut is made again, and says the same', async () => {
  const bench = new Bench();
  await bench.open();
  const topic = await bench.topic('topic', { readQueueCount: 3, writeQueueCount: 3 });
  const group = await bench.group();
  for (let round = 0; round < 10; round++) {
    for (let queueId = 0; queueId < 3; queueId++) await bench.send(topic, 10, queueId, 200);
    const deliveries = await bench.receive(group, topic, { countMax: 20 });
    for (const delivery of deliveries.slice(3)) bench.shard.acknowledge(leaseOf(group, topic, delivery));
    await bench.settled();
  }
  await bench.clock.settle(bench.shard.close());
  const { checksum } = bench.shard.checksum();
  const stored = bench.disk;
  const images = stored.image();
  const random = seededRandom(5);
  const damaged = [...images.keys()].filter((path) => /\.(index|snapshot)$/.test(path));
  assert.ok(damaged.length >= 4, `${damaged.length} files`);
  for (const path of damaged) {
    const size = images.get(path)!.length;
    for (const how of ['delete', 'cut', 'flip', 'flip', 'flip', 'flip'] as const) {
      bench.disk = stored.copy();
      if (how === 'delete') await bench.clock.settle(bench.disk.remove(path));
      else if (how === 'flip') bench.disk.flip(path, random.below(size), 1 << random.below(8));
      else {
        const file = await bench.clock.settle(bench.disk.open(path, 'write'));
        await bench.clock.settle(file.truncate(random.below(size)));
      }
      await bench.open();
      assert.equal(bench.shard.checksum().checksum, checksum, `${how} ${path}`);
      const [sameTopic, fresh] = [bench.shard.metadata.topic('topic')!, await bench.group(`fresh`)];
      const seen = new Set<string>();
      for (;;) {
        const deliveries = await bench.receive(fresh, sameTopic, { invisibleMs: 1e9 });
        if (deliveries.length === 0) break;
        for (const { queueId, queueOffset, message } of deliveries) {
          assert.equal(Buffer.from(message.rest).readUInt32LE(), queueOffset, `${how} ${path}`);
          seen.add(`${queueId}/${queueOffset}`);
        }
      }
      assert.equal(seen.size, 300, `${how} ${path}`);
      await bench.clock.settle(bench.shard.close());
    }
  }
});

test('a second process is refused the directory', async () => {
  const bench = new Bench();
  await bench.open();
  await assert.rejects(bench.open(), { code: 'LOCKED' });
});
