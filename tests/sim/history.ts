import assert from 'node:assert/strict';
import { MqError, type Random, seededRandom } from '@orbitmq/base';
import type { Logger } from '@orbitmq/runtime';
import {
  type Delivery,
  type LeaseOutcome,
  type LeaseRef,
  type MessageFilter,
  type OpenedShard,
  openShard,
  type ShardOptions,
} from '@orbitmq/shard';
import { SimClock, SimDisk, type SimProcessClock } from '@orbitmq/testkit';
import type { Group, Topic } from '@orbitmq/views';
import { Model, type SimGroup, type SimMessage, type SimReceive, Violation } from './model.ts';

/** What a history has done, for the curious. */
export interface HistorySummary {
  readonly seed: number;
  readonly flushDiskType: string;
  readonly sentCount: number;
  readonly deliveredCount: number;
  readonly restartCount: number;
  readonly simulatedMs: number;
}

/** A message in a consumer's hand. */
interface InHand {
  readonly group: SimGroup;
  readonly id: number;
  readonly lease: LeaseRef;
}

const DIRECTORY = '/store';
const FLUSH_INTERVAL_MS = 100;
/** Under ASYNC_FLUSH a power loss may cost what was answered so shortly before. */
const FORGOTTEN_MS = 1500;

const silent: Logger = { child: () => silent, debug() {}, info() {}, warn() {}, error() {} };

/**
 * One seeded life of a shard: producers, consumers and mishaps over a simulated disk and clock, then peace, in which
 * everything that was promised must come out.
 */
export class History {
  readonly #seed: number;
  readonly #random: Random;
  readonly #clock = new SimClock();
  readonly #model = new Model();
  readonly #flushDiskType: 'SYNC_FLUSH' | 'ASYNC_FLUSH';
  readonly #options: ShardOptions;
  readonly #groups: SimGroup[];
  readonly #topics: string[];
  #hand: InHand[] = [];
  #disk: SimDisk;
  #shard!: OpenedShard;
  #processClock!: SimProcessClock;
  /** Number of the process; what an older one still says is not heard. */
  #life = 0;
  #failed = false;
  #failedAtMs = Number.POSITIVE_INFINITY;
  #violation: Error | undefined;
  #wallJumpedMs = 0;
  #restartCount = 0;
  #deliveredCount = 0;
  #capacityBytes = 2 ** 30;
  #removedCount = 0;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = seededRandom(seed * 2 + 1);
    this.#flushDiskType = this.#chance(0.5) ? 'SYNC_FLUSH' : 'ASYNC_FLUSH';
    this.#disk = new SimDisk({
      clock: this.#clock,
      random: seededRandom(seed * 2 + 2),
      capacityBytes: this.#capacityBytes,
    });
    const segmentSizeBytes = this.#pick([8192, 16384, 65536]);
    this.#options = {
      log: {
        flushDiskType: this.#flushDiskType,
        segmentSizeBytes,
        recordBytesMax: 4096,
        unsettledBytesMax: 65536,
        tailCacheBytes: 65536,
        flushIntervalMs: FLUSH_INTERVAL_MS,
      },
      outstandingMax: this.#pick([50, 1000]),
      retentionMs: this.#pick([2000, 1e9]),
      retentionIntervalMs: 500,
      heldAfterExpiryMs: this.#pick([0, 3000]),
      diskReserveBytes: 3 * segmentSizeBytes,
    };
    this.#topics = ['first', 'second'].slice(0, 1 + this.#below(2));
    const group = (name: string, orderly: boolean, tag?: number): SimGroup => ({
      name,
      orderly,
      tag,
      holdings: new Map(),
    });
    this.#groups = [group('standard', false), group('fifo', true), group('filtered', this.#chance(0.3), 1)];
  }

  async run(): Promise<HistorySummary> {
    await this.#start();
    for (const name of this.#topics) {
      const queueCount = 1 + this.#below(3);
      await this.#clock.settle(this.#shard.putTopic(topicConfig(name, queueCount)));
    }
    for (const { name, orderly } of this.#groups)
      await this.#clock.settle(this.#shard.putGroup(groupConfig(name, orderly)));
    // Under ASYNC_FLUSH a power loss may undo what is so young, and nothing would be left to look at.
    await this.#clock.settle(this.#shard.snapshot());
    const steps = 60 + this.#below(120);
    for (let step = 0; step < steps; step++) {
      await this.#step();
      await this.#clock.advance(this.#below(60));
      if (this.#failed) await this.#restart(this.#pick(['kill', 'power']));
      this.#check();
    }
    await this.#end();
    return {
      seed: this.#seed,
      flushDiskType: this.#flushDiskType,
      sentCount: this.#model.messages.length,
      deliveredCount: this.#deliveredCount,
      restartCount: this.#restartCount,
      simulatedMs: Math.round(this.#clock.monotonicMs()),
    };
  }

  async #step(): Promise<void> {
    const dice = this.#below(1000);
    if (dice < 350) this.#send(1 + this.#below(6));
    else if (dice < 620) void this.#receive(this.#pick(this.#groups), this.#pick([80, 300, 2000]));
    else if (dice < 800) this.#useHand();
    else if (dice < 840) await this.#clock.advance(this.#below(1500));
    else if (dice < 860) void this.#shard.snapshot();
    else if (dice < 875) this.#jumpWall();
    else if (dice < 890)
      this.#disk.inject({ operation: this.#pick(['write', 'sync']), delayMs: this.#below(300), count: 3 });
    else if (dice < 900) this.#breakLog();
    else if (dice < 915) this.#breakViews();
    else if (dice < 930) this.#fillDisk();
    else if (dice < 940) this.#disk.setCapacity(this.#capacityBytes);
    else if (dice < 955) await this.#restart('kill');
    else if (dice < 975) await this.#restart('power');
    else if (dice < 985) await this.#restart('clean');
    else if (dice < 993) await this.#compareWithReplay();
    else await this.#recoverTwice();
  }

  // ── producers and consumers ──

  #send(count: number): void {
    const life = this.#life;
    const topic = this.#topic(this.#pick(this.#topics));
    if (topic === undefined) return;
    const sent: SimMessage[] = [];
    for (let index = 0; index < count; index++) {
      const id = this.#model.messages.length;
      const [queueId, tag] = [this.#below(topic.writeQueueCount), this.#below(3)];
      const rest = Buffer.alloc(4 + this.#below(this.#chance(0.1) ? 2500 : 200));
      rest.writeUInt32LE(id);
      try {
        const message = { system: Buffer.from([tag]), rest };
        const { queueOffset } = this.#shard.send({ topic, queueId, tagHash: tag, message });
        const sentAtMs = this.#clock.monotonicMs();
        sent.push(this.#model.sent({ topic: topic.name, queueId, tag, offset: queueOffset, sentAtMs }, id));
      } catch (error) {
        if (!(error instanceof MqError)) throw error;
      }
    }
    this.#heed(life, this.#shard.settled(), () => {
      for (const message of sent) this.#model.answered(message);
    });
  }

  async #receive(group: SimGroup, invisibleMs: number): Promise<number> {
    const life = this.#life;
    const topic = this.#topic(this.#pick(this.#topics));
    const found = this.#group(group);
    if (topic === undefined || found === undefined) return 0;
    const attemptId = this.#chance(0.5) ? `attempt-${this.#below(4)}` : undefined;
    const calledAtMs = this.#clock.monotonicMs();
    const receive: SimReceive = { group, topic: topic.name, calledAtMs, invisibleMs, attemptId };
    const filter = group.tag === undefined ? undefined : filterFor(group.tag, this.#chance(0.5));
    const countMax = 1 + this.#below(10);
    const request = { group: found, topic, filter, countMax, bytesMax: 8000, invisibleMs, attemptId };
    this.#model.called(receive);
    let deliveries: Delivery[] = [];
    try {
      deliveries = await this.#shard.receive(request);
    } catch (error) {
      if (life === this.#life && !(error instanceof MqError) && !this.#failed) this.#violation ??= error as Error;
    }
    if (life !== this.#life) return 0;
    this.#model.returned(receive);
    try {
      this.#take(receive, found, topic, deliveries);
    } catch (error) {
      this.#violation ??= error as Error;
    }
    return deliveries.length;
  }

  #take(receive: SimReceive, group: Group, topic: Topic, deliveries: readonly Delivery[]): void {
    const nowMs = this.#clock.monotonicMs();
    this.#deliveredCount += deliveries.length;
    this.#noteRemoved();
    if (receive.group.orderly) {
      for (const batch of byQueue(deliveries)) this.#model.checkOrder(receive, batch, nowMs);
    }
    for (const delivery of deliveries) {
      const id = Buffer.from(delivery.message.rest).readUInt32LE();
      this.#model.delivered(receive, delivery, id, nowMs);
      const { queueId, queueOffset, leaseId } = delivery;
      this.#hand.push({ group: receive.group, id, lease: { group, topic, queueId, queueOffset, leaseId } });
    }
  }

  #useHand(): void {
    const count = Math.min(this.#hand.length, 1 + this.#below(8));
    const together = new Map<string, InHand[]>();
    for (let index = 0; index < count; index++) {
      const [inHand] = this.#hand.splice(this.#below(this.#hand.length), 1);
      const dice = this.#below(10);
      if (dice < 3) {
        const { group, topic } = inHand!.lease;
        const pair = `${group.uid}/${topic.uid}`;
        together.set(pair, [...(together.get(pair) ?? []), inHand!]);
        continue;
      }
      unlessRefused(() => {
        if (dice < 6) this.#acknowledged(inHand!, this.#shard.acknowledge(inHand!.lease));
        else if (dice < 8) this.#nack(inHand!);
        else if (dice < 9) this.#renew(inHand!);
      });
    }
    for (const some of together.values()) unlessRefused(() => this.#acknowledgeAll(some));
  }

  #acknowledgeAll(some: readonly InHand[]): void {
    const outcomes = this.#shard.acknowledgeAll(some.map(({ lease }) => lease));
    for (const [index, inHand] of some.entries()) this.#acknowledged(inHand, outcomes[index]!);
  }

  #acknowledged({ group, id, lease }: InHand, outcome: LeaseOutcome): void {
    const holding = group.holdings.get(id)!;
    const isCurrent = holding.leaseId === lease.leaseId;
    // Later than that another receive may have it, and its answer be on the way.
    const isExpired = this.#clock.monotonicMs() >= holding.earliestEndMs;
    if (
      isCurrent &&
      !isExpired &&
      holding.settled === 'no' &&
      outcome !== 'done' &&
      !holding.isAttemptLoose &&
      this.#isHeld(id)
    ) {
      throw new Violation('C4 the current lease can be acked', { id, lease: lease.leaseId, holding, outcome });
    }
    if (!isCurrent && outcome === 'done' && holding.leaseId > lease.leaseId && !holding.isAttemptLoose) {
      throw new Violation('C4 an older lease settles nothing', { id, lease: lease.leaseId, holding });
    }
    if (outcome !== 'done') return;
    // It was thought to be lost with the power; an answer that gives it again may be on its way.
    if (holding.leaseId === 0) holding.leaseId = lease.leaseId;
    if (holding.settled === 'no') holding.settled = 'asked';
    this.#heed(this.#life, this.#shard.settled(), () => {
      holding.settled = 'yes';
    });
  }

  #nack({ group, id, lease }: InHand): void {
    const invisibleMs = this.#pick([0, 100, 1000]);
    const holding = group.holdings.get(id)!;
    const { outcome, leaseId } = this.#shard.changeInvisible(lease, invisibleMs);
    if (outcome !== 'done' || holding.settled !== 'no') return;
    const earliestEndMs = this.#clock.monotonicMs() + invisibleMs;
    holding.leaseId = leaseId;
    holding.earliestEndMs = Math.min(holding.earliestEndMs, earliestEndMs);
    holding.attemptId = undefined;
    this.#heed(this.#life, this.#shard.settled(), () => {
      if (holding.leaseId === leaseId && holding.settled === 'no') holding.earliestEndMs = earliestEndMs;
    });
  }

  #renew(inHand: InHand): void {
    const holding = inHand.group.holdings.get(inHand.id)!;
    if (holding.leaseId !== inHand.lease.leaseId || holding.settled !== 'no' || !this.#isHeld(inHand.id)) return;
    this.#shard.renew([inHand.lease], 1500, inHand.lease.queueOffset % 2);
    // Later than that it may have been handed out again, and the answer be on the way.
    if (this.#clock.monotonicMs() >= holding.earliestEndMs) return;
    // It counts when it is stored; a lease that would have ended later ends sooner.
    const earliestEndMs = this.#clock.monotonicMs() + 1500;
    const { leaseId } = holding;
    holding.earliestEndMs = Math.min(holding.earliestEndMs, earliestEndMs);
    this.#heed(this.#life, this.#shard.settled(), () => {
      if (holding.leaseId === leaseId && holding.settled === 'no') holding.earliestEndMs = earliestEndMs;
    });
    this.#hand.push(inHand);
  }

  #isHeld(id: number): boolean {
    const message = this.#model.messages[id]!;
    const topic = this.#topic(message.topic);
    return topic !== undefined && message.offset >= this.#shard.queueRange(topic, message.queueId).minOffset;
  }

  // ── mishaps ──

  #jumpWall(): void {
    const byMs = this.#pick([-3_600_000, 3_600_000, -1000, 5000]);
    this.#clock.jumpWall(byMs);
    this.#wallJumpedMs += byMs;
  }

  #breakLog(): void {
    const operation = this.#pick(['write', 'sync'] as const);
    this.#disk.inject({ operation, path: 'commitlog', error: 'EIO', after: this.#below(4) });
  }

  #breakViews(): void {
    const operation = this.#pick(['write', 'sync', 'rename', 'syncDirectory', 'open'] as const);
    this.#disk.inject({
      operation,
      path: this.#pick(['queueindex', 'snapshots']),
      error: 'EIO',
      after: this.#below(3),
    });
  }

  #fillDisk(): void {
    let usedBytes = 0;
    for (const bytes of this.#disk.image().values()) usedBytes += bytes.length;
    this.#disk.setCapacity(usedBytes + this.#below(3) * this.#options.log.segmentSizeBytes!);
  }

  async #restart(how: 'clean' | 'kill' | 'power'): Promise<void> {
    this.#restartCount++;
    const stopped = this.#shard;
    if (how === 'clean') {
      this.#disk.setCapacity(this.#capacityBytes);
      const life = this.#life;
      await this.#clock.settle(this.#shard.close()).catch((error: Error) => {
        if (!this.#failed) throw error;
      });
      this.#life = life + 1;
    }
    this.#life++;
    this.#processClock.stop();
    const random = seededRandom(this.#below(2 ** 31));
    const forgets = how === 'power' && this.#flushDiskType === 'ASYNC_FLUSH';
    this.#disk = how === 'power' ? this.#disk.crash(random) : this.#disk.kill(random);
    this.#disk.setCapacity(this.#capacityBytes);
    this.#model.died(this.#groups, forgets);
    this.#hand = this.#hand.filter(() => this.#chance(0.5));
    const wasFailed = this.#failed;
    const endedAtMs = Math.min(this.#failedAtMs, this.#clock.monotonicMs());
    await this.#start();
    if (how === 'clean' && !wasFailed) {
      assert.equal(
        this.#shard.checksum().checksum,
        stopped.checksum().checksum,
        'a clean stop and start changes no state',
      );
    }
    const forgottenFromMs = forgets ? endedAtMs - FORGOTTEN_MS : Number.POSITIVE_INFINITY;
    this.#model.checkStored((topic, queueId) => this.#range(topic, queueId), forgottenFromMs);
    this.#reissue();
  }

  /** Clients of the new process look topics and groups up again. */
  #reissue(): void {
    this.#hand = this.#hand.flatMap(({ group, id, lease }) => {
      const [found, topic] = [this.#group(group), this.#topic(lease.topic.name)];
      return found === undefined || topic === undefined
        ? []
        : [{ group, id, lease: { ...lease, group: found, topic } }];
    });
  }

  async #start(): Promise<void> {
    this.#removedCount = -1;
    this.#failed = false;
    this.#failedAtMs = Number.POSITIVE_INFINITY;
    this.#processClock = this.#clock.process();
    if (this.#wallJumpedMs > 0) this.#model.leasesAged(this.#groups, this.#wallJumpedMs);
    this.#wallJumpedMs = 0;
    this.#shard = await this.#clock.settle(
      this.#open(this.#disk, () => {
        this.#failed = true;
        this.#failedAtMs = this.#clock.monotonicMs();
      }),
    );
  }

  #open(
    vfs: SimDisk,
    onFailure: (error: Error) => void,
    clock: SimProcessClock = this.#processClock,
  ): Promise<OpenedShard> {
    const random = seededRandom(this.#seed + this.#life);
    return openShard({ vfs, clock, random, logger: silent, directory: DIRECTORY, options: this.#options, onFailure });
  }

  /** What a replay of everything that can be read gives is what the live views say. */
  async #compareWithReplay(): Promise<void> {
    if (await this.#isQuiet()) {
      const live = this.#shard.checksum();
      const replayed = await this.#recoverCopy(this.#disk, this.#chance(0.5));
      assert.equal(replayed.position, live.position, 'the copy of the log ends where the log does');
      assert.equal(replayed.checksum, live.checksum, 'a replay gives the state of the live views');
    }
  }

  /** Waits until nothing is under way; false when the process ends over it. */
  async #isQuiet(): Promise<boolean> {
    for (let round = 0; round < 50; round++) {
      const { position } = this.#shard.checksum();
      await this.#clock.advance(40);
      if (this.#failed) return false;
      const { logEndOffset, logFlushedOffset } = this.#shard.statistics();
      if (logEndOffset === position && logFlushedOffset === position) return true;
    }
    return false;
  }

  /** Recovery of a crashed log changes nothing when it is done again. */
  async #recoverTwice(): Promise<void> {
    const crashed = this.#disk.copy().crash(seededRandom(this.#below(2 ** 31)));
    const clock = this.#clock.process();
    await this.#clock.settle(this.#open(crashed, () => {}, clock));
    clock.stop();
    // It must not go on in the dark: retention, say, would still append.
    const recovered = crashed.kill();
    const first = recovered.image();
    const once = await this.#recoverCopy(recovered, false);
    const again = recovered.copy();
    const twice = await this.#recoverCopy(again, true);
    assert.equal(twice.checksum, once.checksum, 'a second recovery gives the same state');
    for (const [path, bytes] of again.image()) {
      if (!path.includes('commitlog')) continue;
      assert.ok(
        Buffer.compare(bytes, first.get(path) ?? Buffer.alloc(0)) === 0,
        `a second recovery leaves ${path} alone`,
      );
    }
  }

  async #recoverCopy(disk: SimDisk, withoutViews: boolean): Promise<{ position: number; checksum: number }> {
    const copy = disk.copy();
    copy.setCapacity(this.#capacityBytes);
    if (withoutViews) {
      for (const path of copy.image().keys()) {
        if (/queueindex|snapshots/.test(path)) await this.#clock.settle(copy.remove(path));
      }
    }
    const clock = this.#clock.process();
    const shard = await this.#clock.settle(this.#open(copy, () => {}, clock));
    const result = shard.checksum();
    clock.stop();
    copy.kill();
    return result;
  }

  // ── the end ──

  /** No more mishaps: consumers that do nothing but wait, receive and acknowledge get everything. */
  async #end(): Promise<void> {
    await this.#restart(this.#pick(['clean', 'kill', 'power']));
    const isDone = (): boolean => {
      this.#check();
      this.#noteRemoved();
      return this.#groups.every((group) => this.#model.open(group).length === 0);
    };
    for (const group of this.#groups) {
      for (const topic of this.#topics)
        for (let index = 0; index < 2; index++) void this.#consume(group, topic, this.#life);
    }
    try {
      await this.#clock.runUntil(isDone, 120_000);
    } catch (error) {
      if (error instanceof Violation) throw error;
      const open = this.#groups.map((group) => ({ group: group.name, open: this.#model.open(group).slice(0, 3) }));
      throw new Violation('C1 every message comes to every group', { open, cause: String(error) });
    }
    await this.#compareWithReplay();
    await this.#clock.settle(this.#shard.close());
    this.#check();
  }

  async #consume(group: SimGroup, topicName: string, life: number): Promise<void> {
    const filter = group.tag === undefined ? undefined : filterFor(group.tag, true);
    for (;;) {
      const [found, topic] = [this.#group(group), this.#topic(topicName)];
      if (found === undefined || topic === undefined) return;
      const receive: SimReceive = {
        group,
        topic: topicName,
        calledAtMs: this.#clock.monotonicMs(),
        invisibleMs: 5000,
        attemptId: undefined,
      };
      this.#model.called(receive);
      try {
        const request = {
          group: found,
          topic,
          filter,
          countMax: 8,
          bytesMax: 20_000,
          invisibleMs: 5000,
          attemptId: undefined,
        };
        const deliveries = await this.#shard.receive(request);
        if (life !== this.#life) return;
        this.#model.returned(receive);
        this.#hand = [];
        this.#take(receive, found, topic, deliveries);
        this.#acknowledgeAll(this.#hand);
        if (deliveries.length === 0) await this.#shard.waitForMessages(found, topic).ready;
      } catch (error) {
        // Whoever is told to come again later does so.
        if (error instanceof MqError && error.code === 'TOO_MANY_REQUESTS') await this.#pause(100);
        else if (error instanceof MqError && error.code === 'FORBIDDEN') return;
        else {
          this.#violation ??= error as Error;
          return;
        }
      }
      if (life !== this.#life) return;
    }
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.setTimer(delayMs, resolve);
    });
  }

  #noteRemoved(): void {
    let removedCount = 0;
    for (const name of this.#topics) {
      for (let queueId = 0; queueId < 3; queueId++) removedCount += this.#range(name, queueId).minOffset;
    }
    if (removedCount === this.#removedCount) return;
    this.#removedCount = removedCount;
    for (const message of this.#model.messages) {
      if (message.state === 'stored' && message.offset < this.#range(message.topic, message.queueId).minOffset) {
        message.state = 'removed';
      }
    }
  }

  #check(): void {
    if (this.#violation !== undefined) throw this.#violation;
    const nowMs = this.#clock.monotonicMs();
    for (const group of this.#groups) {
      this.#model.checkHeld(group, (topic, queueId) => this.#range(topic, queueId).minOffset, nowMs);
    }
  }

  // ── looking up ──

  /** Does what follows from a promise of this process, unless it has died meanwhile. */
  #heed(life: number, promise: Promise<void>, then: () => void): void {
    promise.then(
      () => {
        if (life !== this.#life) return;
        try {
          then();
        } catch (error) {
          this.#violation ??= error as Error;
        }
      },
      () => {},
    );
  }

  #topic(name: string): Topic | undefined {
    return this.#shard.metadata.topic(name);
  }

  #group(group: SimGroup): Group | undefined {
    return this.#shard.metadata.group(group.name);
  }

  #range(topicName: string, queueId: number): { minOffset: number; maxOffset: number } {
    const topic = this.#topic(topicName);
    return topic === undefined ? { minOffset: 0, maxOffset: 0 } : this.#shard.queueRange(topic, queueId);
  }

  #below(limit: number): number {
    return this.#random.below(limit);
  }

  #chance(probability: number): boolean {
    return this.#random.below(1000) < probability * 1000;
  }

  #pick<Item>(items: readonly Item[]): Item {
    return items[this.#random.below(items.length)]!;
  }
}

function filterFor(tag: number, exact: boolean): MessageFilter {
  const mayMatch = (tagHash: number): boolean => tagHash === tag;
  // Without the hash's help every message has to be read.
  return exact ? { mayMatch } : { mayMatch: () => true, matches: ({ system }) => system[0] === tag };
}

/** Clients are told, and go on, when the broker can take nothing now. */
function unlessRefused(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof MqError)) throw error;
  }
}

function byQueue(deliveries: readonly Delivery[]): Iterable<Delivery[]> {
  return Map.groupBy(deliveries, (delivery) => delivery.queueId).values();
}

function topicConfig(name: string, queueCount: number) {
  return {
    name,
    readQueueCount: queueCount,
    writeQueueCount: queueCount,
    permission: 6,
    messageType: 'NORMAL',
    retentionMs: undefined,
    retentionBytes: undefined,
    autoCreated: false,
    attributes: new Map<string, string>(),
  } as const;
}

function groupConfig(name: string, orderly: boolean) {
  return {
    name,
    consumeEnable: true,
    consumeMessageOrderly: orderly,
    retryMaxTimes: 16,
    retryPolicy: { kind: 'customized', delaysMs: [1000] },
    autoCreated: false,
    attributes: new Map<string, string>(),
  } as const;
}
