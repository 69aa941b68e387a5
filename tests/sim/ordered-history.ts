import assert from 'node:assert/strict';
import { javaStringHash, MqError, type Random, seededRandom } from '@orbitmq/base';
import type { Logger } from '@orbitmq/runtime';
import { type Delivery, type LeaseRef, type OpenedShard, openShard, type ShardOptions } from '@orbitmq/shard';
import { SimClock, SimDisk, type SimProcessClock } from '@orbitmq/testkit';
import type { Group, Topic } from '@orbitmq/views';
import { type OrderedMessage, OrderedModel } from './ordered-model.ts';

/** What a history has done, for the curious. */
export interface OrderedSummary {
  readonly seed: number;
  readonly sentCount: number;
  readonly deliveredCount: number;
  readonly deadCount: number;
  readonly queueChangeCount: number;
  readonly restartCount: number;
}

/** A message in a consumer's hand. */
interface InHand {
  readonly model: OrderedModel;
  readonly id: number;
  readonly lease: LeaseRef;
}

const DIRECTORY = '/store';
const TOPIC = 'ordered';
const QUEUES_MAX = 4;
/** From this number on the dice of a step mean a mishap. */
const MISHAPS_FROM = 940;
const KEYS = ['a', 'b', 'c', 'd', 'e'];

const silent: Logger = { child: () => silent, debug() {}, info() {}, warn() {}, error() {} };

/**
 * One seeded life of a shard with ordered groups: message groups, poisoned messages that end as dead letters, consumers
 * that hand them over, numbers of queues that change, ways of blocking that change, and processes that die.
 */
export class OrderedHistory {
  readonly #seed: number;
  readonly #random: Random;
  readonly #clock = new SimClock();
  readonly #messages: OrderedMessage[] = [];
  readonly #models: OrderedModel[];
  readonly #options: ShardOptions;
  /** No process dies, so that everything that was handed out is seen. */
  readonly #isCalm: boolean;
  #hand: InHand[] = [];
  #disk: SimDisk;
  #shard!: OpenedShard;
  #processClock!: SimProcessClock;
  #life = 0;
  #failed = false;
  #violation: Error | undefined;
  #restartCount = 0;
  #deliveredCount = 0;
  #deadCount = 0;
  #queueChangeCount = 0;
  #readerCount = 0;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = seededRandom(seed * 2 + 1);
    this.#disk = new SimDisk({ clock: this.#clock, random: seededRandom(seed * 2 + 2), capacityBytes: 2 ** 30 });
    this.#isCalm = this.#chance(0.25);
    const segmentSizeBytes = this.#pick([8192, 16384, 65536]);
    this.#options = {
      log: {
        flushDiskType: 'SYNC_FLUSH',
        segmentSizeBytes,
        recordBytesMax: 4096,
        unsettledBytesMax: 65536,
        tailCacheBytes: 65536,
      },
      retentionMs: 1e9,
      diskReserveBytes: 3 * segmentSizeBytes,
    };
    const model = (name: string): OrderedModel => new OrderedModel(name, this.#below(3), this.#messages);
    this.#models = [model('by-queue'), model('by-group'), model('changing')];
  }

  async run(): Promise<OrderedSummary> {
    await this.#start();
    await this.#clock.settle(this.#shard.putTopic(topicConfig(1 + this.#below(QUEUES_MAX))));
    for (const model of this.#models) await this.#putGroup(model, model.name === 'by-group');
    const steps = 60 + this.#below(100);
    for (let step = 0; step < steps; step++) {
      await this.#step();
      await this.#clock.advance(this.#below(60));
      if (this.#failed) await this.#restart(this.#pick(['kill', 'power']));
      if (this.#violation !== undefined) throw this.#violation;
    }
    await this.#end();
    return {
      seed: this.#seed,
      sentCount: this.#messages.length,
      deliveredCount: this.#deliveredCount,
      deadCount: this.#deadCount,
      queueChangeCount: this.#queueChangeCount,
      restartCount: this.#restartCount,
    };
  }

  async #step(): Promise<void> {
    const dice = this.#below(this.#isCalm ? MISHAPS_FROM : 1000);
    if (dice < 300) this.#send(1 + this.#below(4));
    else if (dice < 620) void this.#receive(this.#pick(this.#models));
    else if (dice < 840) this.#useHand();
    else if (dice < 880) await this.#clock.advance(this.#below(1500));
    else if (dice < 910) await this.#changeQueues();
    else if (dice < 925) await this.#putGroup(this.#models[2]!, this.#chance(0.5));
    else if (dice < MISHAPS_FROM) void this.#shard.snapshot();
    else if (dice < 950)
      this.#disk.inject({ operation: 'write', path: 'commitlog', error: 'EIO', after: this.#below(4) });
    else if (dice < 960) this.#disk.inject({ operation: 'sync', delayMs: this.#below(300), count: 3 });
    else if (dice < 975) await this.#restart('kill');
    else if (dice < 990) await this.#restart('power');
    else await this.#restart('clean');
  }

  #send(count: number): void {
    const topic = this.#topic();
    const sent: OrderedMessage[] = [];
    for (let index = 0; index < count; index++) {
      const id = this.#messages.length;
      const key = this.#pick(KEYS);
      const rest = Buffer.alloc(4 + this.#below(this.#chance(0.1) ? 2500 : 200));
      rest.writeUInt32LE(id);
      const queueId = Math.abs(javaStringHash(key)) % topic.writeQueueCount;
      try {
        const request = { topic, queueId, tagHash: 0, message: { system: systemOf(key), rest } };
        const { physicalOffset } = this.#shard.send(request);
        const message: OrderedMessage = { id, key, physicalOffset, state: 'pending' };
        this.#messages.push(message);
        sent.push(message);
      } catch (error) {
        if (!(error instanceof MqError)) throw error;
      }
    }
    this.#heed(() => {
      for (const message of sent) message.state = 'stored';
    });
  }

  async #receive(model: OrderedModel): Promise<number> {
    const life = this.#life;
    const [group, topic] = [this.#group(model), this.#topic()];
    const invisibleMs = this.#pick([80, 300, 2000]);
    const countMax = 1 + this.#below(4);
    const request = { group, topic, filter: undefined, countMax, bytesMax: 8000, invisibleMs, attemptId: undefined };
    let deliveries: readonly Delivery[];
    try {
      deliveries = await this.#shard.receive(request);
    } catch (error) {
      if (life === this.#life && !(error instanceof MqError) && !this.#failed) this.#violation ??= error as Error;
      return 0;
    }
    if (life === this.#life) this.#take(model, group, topic, deliveries);
    return deliveries.length;
  }

  #take(model: OrderedModel, group: Group, topic: Topic, deliveries: readonly Delivery[]): void {
    this.#deliveredCount += deliveries.length;
    const batches = new Map<number, Set<number>>();
    for (const delivery of deliveries) {
      const { queueId, queueOffset, leaseId } = delivery;
      const id = idOf(delivery);
      const batch = batches.get(queueId) ?? new Set();
      batches.set(queueId, batch);
      try {
        model.delivered(delivery, id, batch);
      } catch (error) {
        this.#violation ??= error as Error;
      }
      batch.add(id);
      this.#hand.push({ model, id, lease: { group, topic, queueId, queueOffset, leaseId } });
    }
  }

  #useHand(): void {
    const count = Math.min(this.#hand.length, 1 + this.#below(5));
    for (let index = 0; index < count; index++) {
      const [inHand] = this.#hand.splice(this.#below(this.#hand.length), 1);
      const dice = this.#below(10);
      try {
        if (dice < 5) this.#acknowledge(inHand!);
        else if (dice < 7) this.#shard.changeInvisible(inHand!.lease, this.#pick([0, 100, 1000]));
        else if (dice < 9) this.#forward(inHand!);
      } catch (error) {
        if (!(error instanceof MqError)) throw error;
      }
    }
  }

  #acknowledge({ model, id, lease }: InHand): void {
    if (this.#shard.acknowledge(lease) !== 'done') return;
    const holding = model.holding(id);
    if (holding.settled === 'no') holding.settled = 'asked';
    this.#heed(() => {
      holding.settled = 'yes';
    });
  }

  #forward({ model, id, lease }: InHand): void {
    const life = this.#life;
    model.holding(id).isForwarded = true;
    this.#shard.deadLetter(lease).catch((error: unknown) => {
      if (life === this.#life && !(error instanceof MqError) && !this.#failed) this.#violation ??= error as Error;
    });
  }

  async #changeQueues(): Promise<void> {
    this.#queueChangeCount++;
    await this.#patiently(() => this.#shard.putTopic(topicConfig(1 + this.#below(QUEUES_MAX))));
  }

  async #putGroup(model: OrderedModel, byMessageGroup: boolean): Promise<void> {
    await this.#patiently(() => this.#shard.putGroup(groupConfig(model, byMessageGroup)));
  }

  /** Does something that may not be possible just now. */
  async #patiently(action: () => Promise<unknown>): Promise<void> {
    try {
      await this.#clock.settle(action());
    } catch (error) {
      if (!(error instanceof MqError) && !this.#failed) throw error;
    }
  }

  async #restart(how: 'clean' | 'kill' | 'power'): Promise<void> {
    this.#restartCount++;
    if (how === 'clean') {
      await this.#clock.settle(this.#shard.close()).catch((error: Error) => {
        if (!this.#failed) throw error;
      });
    }
    this.#life++;
    this.#processClock.stop();
    const random = seededRandom(this.#below(2 ** 31));
    this.#disk = how === 'power' ? this.#disk.crash(random) : this.#disk.kill(random);
    for (const message of this.#messages) if (message.state === 'pending') message.state = 'unknown';
    this.#hand = this.#hand.filter(() => this.#chance(0.5));
    await this.#start();
    this.#hand = this.#hand.map((inHand) => {
      const lease = { ...inHand.lease, group: this.#group(inHand.model), topic: this.#topic() };
      return { ...inHand, lease };
    });
  }

  async #start(): Promise<void> {
    this.#failed = false;
    this.#processClock = this.#clock.process();
    this.#shard = await this.#clock.settle(this.#open(this.#disk, this.#processClock));
  }

  #open(vfs: SimDisk, clock: SimProcessClock): Promise<OpenedShard> {
    const onFailure = (): void => {
      this.#failed = true;
    };
    const random = seededRandom(this.#seed + this.#life);
    return openShard({ vfs, clock, random, logger: silent, directory: DIRECTORY, options: this.#options, onFailure });
  }

  // ── the end ──

  async #end(): Promise<void> {
    const isExact = this.#restartCount === 0;
    await this.#restart('clean');
    await this.#drain();
    for (const model of this.#models) model.check(await this.#letters(model), isExact);
    for (const model of this.#models) await this.#redrive(model);
    await this.#restart(this.#pick(['clean', 'kill', 'power']));
    await this.#drain();
    for (const model of this.#models) {
      const letters = await this.#letters(model);
      model.check(letters, false);
      for (const { id } of letters) assert.equal(model.holding(id).settled, 'yes', `${id} was handed back and acked`);
    }
    await this.#compareWithReplay();
    if (this.#violation !== undefined) throw this.#violation;
  }

  /** Nothing but consumers that receive and acknowledge, until there is nothing left. */
  async #drain(): Promise<void> {
    this.#hand = [];
    for (let quietRounds = 0; quietRounds < 3; ) {
      let count = 0;
      for (const model of this.#models) {
        count += await this.#clock.settle(this.#receive(model));
        for (const inHand of this.#hand) this.#acknowledge(inHand);
        this.#hand = [];
        await this.#clock.settle(this.#shard.settled());
      }
      if (this.#violation !== undefined) throw this.#violation;
      quietRounds = count === 0 ? quietRounds + 1 : 0;
      // Longer than any lease that may be left.
      if (count === 0) await this.#clock.advance(2500);
    }
  }

  async #letters(model: OrderedModel): Promise<{ id: number; physicalOffset: number }[]> {
    const topic = this.#shard.metadata.topic(`%DLQ%${model.name}`);
    if (topic === undefined) return [];
    const config = groupConfig(new OrderedModel(`reader-${++this.#readerCount}`, 16, []), false);
    const group = await this.#clock.settle(this.#shard.putGroup(config));
    const letters: { id: number; physicalOffset: number }[] = [];
    for (;;) {
      const request = {
        group,
        topic,
        filter: undefined,
        countMax: 32,
        bytesMax: 1e6,
        invisibleMs: 1e6,
        attemptId: undefined,
      };
      const deliveries = await this.#clock.settle(this.#shard.receive(request));
      if (deliveries.length === 0) break;
      for (const delivery of deliveries) {
        const { queueId, queueOffset, leaseId, physicalOffset } = delivery;
        letters.push({ id: idOf(delivery), physicalOffset });
        this.#shard.acknowledge({ group, topic, queueId, queueOffset, leaseId });
      }
    }
    this.#deadCount = Math.max(this.#deadCount, letters.length);
    return letters;
  }

  async #redrive(model: OrderedModel): Promise<void> {
    const group = this.#group(model);
    if (this.#shard.metadata.topic(`%DLQ%${model.name}`) === undefined) return;
    const letters = await this.#letters(model);
    for (let fromOffset = 0; ; ) {
      const request = { group, selection: {}, fromOffset, countMax: 1 + this.#below(5), isDryRun: false };
      const page = await this.#clock.settle(this.#shard.redrive(request));
      for (const { queueOffset, outcome } of page.results) {
        assert.equal(outcome, 'redriven');
        model.redriven(letters[queueOffset]!.id);
      }
      if (!page.more) return;
      fromOffset = page.nextOffset;
    }
  }

  /** What a replay of the log alone gives is what the live views say. */
  async #compareWithReplay(): Promise<void> {
    await this.#clock.advance(1000);
    const live = this.#shard.checksum();
    const copy = this.#disk.copy();
    for (const path of copy.image().keys()) {
      if (/queueindex|snapshots/.test(path)) await this.#clock.settle(copy.remove(path));
    }
    const clock = this.#clock.process();
    const replayed = (await this.#clock.settle(this.#open(copy, clock))).checksum();
    assert.deepEqual(replayed, live, 'a replay gives the state of the live views');
    clock.stop();
    copy.kill();
    await this.#clock.settle(this.#shard.close());
  }

  /** Does what follows from what was done so far, when it is stored, unless the process has died meanwhile. */
  #heed(then: () => void): void {
    const life = this.#life;
    this.#shard.settled().then(
      () => {
        if (life === this.#life) then();
      },
      () => {},
    );
  }

  #topic(): Topic {
    return this.#shard.metadata.topic(TOPIC)!;
  }

  #group(model: OrderedModel): Group {
    return this.#shard.metadata.group(model.name)!;
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

/** System properties with a message group of one letter (field 17). */
function systemOf(key: string): Buffer {
  return Buffer.from([0x8a, 0x01, 1, key.charCodeAt(0)]);
}

function idOf({ message }: Delivery): number {
  return Buffer.from(message.rest).readUInt32LE();
}

function topicConfig(writeQueueCount: number) {
  return {
    name: TOPIC,
    readQueueCount: QUEUES_MAX,
    writeQueueCount,
    permission: 6,
    messageType: 'FIFO',
    retentionMs: undefined,
    retentionBytes: undefined,
    autoCreated: false,
    attributes: new Map<string, string>(),
  } as const;
}

function groupConfig({ name, attemptMax }: OrderedModel, byMessageGroup: boolean) {
  return {
    name,
    consumeEnable: true,
    consumeMessageOrderly: true,
    retryMaxTimes: attemptMax - 1,
    retryPolicy: { kind: 'customized', delaysMs: [1000] },
    autoCreated: false,
    attributes: new Map<string, string>(byMessageGroup ? [['fifo.blocking', 'MESSAGE_GROUP']] : []),
  } as const;
}
