import assert from 'node:assert/strict';
import { MqError, type Random, seededRandom } from '@orbitmq/base';
import type { Logger } from '@orbitmq/runtime';
import {
  type Delivery,
  type LeaseRef,
  type LiteSubscriber,
  type OpenedShard,
  openShard,
  type ShardOptions,
} from '@orbitmq/shard';
import { SimClock, SimDisk, type SimProcessClock } from '@orbitmq/testkit';
import type { Group, Topic } from '@orbitmq/views';
import { type LiteLife, type LiteMessage, LiteModel } from './lite-model.ts';

/** What a history has done, for the curious. */
export interface LiteSummary {
  readonly seed: number;
  readonly sentCount: number;
  readonly deliveredCount: number;
  readonly lifeCount: number;
  readonly overCount: number;
  readonly restartCount: number;
}

/** A message in a consumer's hand. */
interface InHand {
  readonly model: LiteModel;
  readonly message: LiteMessage;
  readonly lease: LeaseRef;
}

/** A client: it receives when it is woken, and never else. */
interface Client {
  readonly model: LiteModel;
  subscriber: LiteSubscriber;
}

const DIRECTORY = '/store';
const TOPIC = 'parent';
const NAMES = Array.from({ length: 12 }, (_, index) => `lite-${index}`);
/** From this number on the dice of a step mean a mishap. */
const MISHAPS_FROM = 940;
const EXPIRATION_MS = 60_000;
const LIFE_MS_MIN = 20_000;
const CHECK_INTERVAL_MS = 5_000;
const HELD_MS_MAX = 5_000;

const silent: Logger = { child: () => silent, debug() {}, info() {}, warn() {}, error() {} };

/**
 * One seeded life of a shard with lite topics: clients that name some or take all and are only woken, offsets that are set,
 * lite topics that rest, that expire and begin anew, and processes that die.
 */
export class LiteHistory {
  readonly #seed: number;
  readonly #random: Random;
  readonly #clock = new SimClock();
  readonly #options: ShardOptions;
  readonly #messages: LiteMessage[] = [];
  readonly #lives: LiteLife[] = [];
  readonly #current = new Map<string, LiteLife>();
  readonly #models = [new LiteModel('by-name'), new LiteModel('all')];
  #clients: Client[] = [];
  #hand: InHand[] = [];
  #disk: SimDisk;
  #shard!: OpenedShard;
  #processClock!: SimProcessClock;
  #life = 0;
  #failed = false;
  #violation: Error | undefined;
  #restartCount = 0;
  #deliveredCount = 0;
  #attemptCount = 0;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = seededRandom(seed * 2 + 1);
    this.#disk = new SimDisk({ clock: this.#clock, random: seededRandom(seed * 2 + 2), capacityBytes: 2 ** 30 });
    const segmentSizeBytes = this.#pick([8192, 16384, 65536]);
    this.#options = {
      log: {
        flushDiskType: 'SYNC_FLUSH',
        segmentSizeBytes,
        recordBytesMax: 4096,
        unsettledBytesMax: 65536,
        tailCacheBytes: 65536,
      },
      outstandingMax: this.#pick([10, 1_000_000]),
      retentionMs: 1e9,
      liteLifeMsMin: LIFE_MS_MIN,
      liteCheckIntervalMs: CHECK_INTERVAL_MS,
      diskReserveBytes: 3 * segmentSizeBytes,
    };
  }

  async run(): Promise<LiteSummary> {
    await this.#start();
    await this.#clock.settle(this.#shard.putTopic(topicConfig()));
    for (const { name } of this.#models) await this.#clock.settle(this.#shard.putGroup(groupConfig(name)));
    this.#openClients();
    const steps = 60 + this.#below(100);
    for (let step = 0; step < steps; step++) {
      await this.#step();
      await this.#clock.advance(this.#below(60));
      if (this.#failed) await this.#restart(this.#pick(['kill', 'power']));
      this.#lookAtLives();
      if (this.#violation !== undefined) throw this.#violation;
    }
    await this.#end();
    return {
      seed: this.#seed,
      sentCount: this.#messages.length,
      deliveredCount: this.#deliveredCount,
      lifeCount: this.#lives.length,
      overCount: this.#lives.filter(({ isOver }) => isOver).length,
      restartCount: this.#restartCount,
    };
  }

  async #step(): Promise<void> {
    const dice = this.#below(1000);
    if (dice < 380) this.#send(1 + this.#below(5));
    else if (dice < 700) this.#useHand();
    else if (dice < 760) this.#changeNames();
    else if (dice < 800) this.#setOffset();
    else if (dice < 850) await this.#clock.advance(this.#below(1500));
    else if (dice < 865) await this.#clock.advance(this.#below(2 * EXPIRATION_MS));
    else if (dice < 890) this.#exchangeClient();
    else if (dice < MISHAPS_FROM) void this.#shard.snapshot();
    else if (dice < 950)
      this.#disk.inject({ operation: 'write', path: 'commitlog', error: 'EIO', after: this.#below(4) });
    else if (dice < 960) this.#disk.inject({ operation: 'sync', delayMs: this.#below(300), count: 3 });
    else if (dice < 975) await this.#restart('kill');
    else if (dice < 990) await this.#restart('power');
    else await this.#restart('clean');
  }

  #send(count: number): void {
    const sent: LiteMessage[] = [];
    for (let index = 0; index < count; index++) {
      const name = this.#pick(NAMES);
      const rest = Buffer.alloc(4 + this.#below(this.#chance(0.1) ? 2500 : 200));
      rest.writeUInt32LE(this.#messages.length);
      const message = { system: systemOf(name), rest };
      try {
        const { queueId } = this.#shard.sendLite({ topic: this.#topic(), liteTopic: name, tagHash: 0, message });
        const life = this.#lifeOf(name, queueId);
        const known: LiteMessage = { id: this.#messages.length, life, state: 'pending' };
        life.messages.push(known);
        this.#messages.push(known);
        sent.push(known);
      } catch (error) {
        if (!(error instanceof MqError)) throw error;
      }
    }
    const sentMs = this.#clock.monotonicMs();
    this.#heed(() => {
      for (const message of sent) {
        if (message.state === 'pending') message.state = 'stored';
        message.life.lastStoredMs = Math.max(message.life.lastStoredMs, sentMs);
      }
    });
  }

  #lifeOf(name: string, queueId: number): LiteLife {
    const current = this.#current.get(name);
    if (current?.queueId === queueId) return current;
    if (current !== undefined) this.#endLife(current);
    const life: LiteLife = { name, queueId, messages: [], lastStoredMs: Number.NEGATIVE_INFINITY, isOver: false };
    this.#lives.push(life);
    this.#current.set(name, life);
    return life;
  }

  /** The shard has no such lite topic any more, or another life of it. */
  #endLife(life: LiteLife): void {
    const quietMs = this.#clock.monotonicMs() - life.lastStoredMs;
    assert.ok(quietMs >= EXPIRATION_MS, `${life.name} is gone ${quietMs} ms after its last message`);
    life.isOver = true;
    this.#current.delete(life.name);
  }

  #lookAtLives(): void {
    for (const life of [...this.#current.values()]) {
      if (this.#shard.liteTopic(this.#topic(), life.name)?.queueId !== life.queueId) this.#endLife(life);
    }
  }

  // ── consumers ──

  #openClients(): void {
    this.#clients = [false, false, false, true, true].map((isWildcard) => this.#openClient(isWildcard));
  }

  #openClient(isWildcard: boolean): Client {
    const model = this.#models[isWildcard ? 1 : 0]!;
    const subscriber = this.#shard.openLiteSubscriber(this.#group(model), this.#topic(), isWildcard);
    for (const name of isWildcard ? [] : NAMES) if (this.#chance(0.5)) subscriber.subscribe(name);
    const client = { model, subscriber };
    void this.#consume(client, this.#life);
    return client;
  }

  async #consume(client: Client, life: number): Promise<void> {
    const { subscriber } = client;
    while (life === this.#life && !subscriber.isClosed) {
      try {
        if (!(await subscriber.waitForMessages().ready)) continue;
        if (life !== this.#life) return;
        await this.#receive(client, life);
      } catch (error) {
        if (life !== this.#life || subscriber.isClosed || this.#failed) return;
        if (!(error instanceof MqError)) this.#violation ??= error as Error;
        if (!(error instanceof MqError) || error.code === 'FORBIDDEN') return;
      }
    }
  }

  async #receive({ model, subscriber }: Client, life: number): Promise<void> {
    const invisibleMs = this.#pick([80, 300, 2000]);
    const sinceMs = this.#clock.monotonicMs();
    const countMax = 1 + this.#below(6);
    const attemptId = this.#chance(0.5) ? `attempt-${this.#attemptCount++}` : undefined;
    const request = { countMax, bytesMax: 8000, invisibleMs, attemptId };
    const { moveCount, restCount } = model;
    const deliveries = await subscriber.receive(request);
    if (life !== this.#life) return;
    const heldUntilMs = moveCount === model.moveCount ? sinceMs + invisibleMs : undefined;
    this.#take(model, deliveries, heldUntilMs, restCount);
  }

  /** @param heldUntilMs the earliest moment at which the leases may end; undefined when an offset was set meanwhile */
  #take(model: LiteModel, deliveries: readonly Delivery[], heldUntilMs: number | undefined, restCount: number): void {
    this.#deliveredCount += deliveries.length;
    const batches = new Map<LiteLife, LiteMessage[]>();
    for (const { queueId, queueOffset, leaseId, message: bytes } of deliveries) {
      const message = this.#messages[Buffer.from(bytes.rest).readUInt32LE()]!;
      const batch = batches.get(message.life) ?? [];
      batches.set(message.life, batch);
      batch.push(message);
      const lease = { group: this.#group(model), topic: this.#topic(), queueId, queueOffset, leaseId };
      this.#hand.push({ model, message, lease });
    }
    try {
      for (const batch of batches.values()) {
        const taken = { messages: batch, leaseId: deliveries[0]!.leaseId };
        if (heldUntilMs === undefined) model.deliveredMeanwhile(taken);
        else model.delivered(taken, this.#clock.monotonicMs(), heldUntilMs, restCount);
      }
    } catch (error) {
      this.#violation ??= error as Error;
    }
  }

  #useHand(): void {
    const count = Math.min(this.#hand.length, 1 + this.#below(8));
    for (let index = 0; index < count; index++) {
      const [inHand] = this.#hand.splice(this.#below(this.#hand.length), 1);
      const dice = this.#below(10);
      try {
        if (dice < 6) this.#acknowledge(inHand!);
        else if (dice < 8) this.#giveBack(inHand!, this.#pick([0, 100, 1000]), false);
        else if (dice < 9) this.#giveBack(inHand!, this.#pick([100, 1000, 3000]), true);
      } catch (error) {
        if (!(error instanceof MqError)) throw error;
      }
    }
  }

  #acknowledge({ model, message, lease }: InHand): void {
    if (this.#shard.acknowledge(lease) !== 'done') return;
    const holding = model.holding(message);
    holding.heldUntilMs = 0;
    if (holding.settled === 'no') holding.settled = 'asked';
    this.#heed(() => {
      if (holding.settled === 'asked') holding.settled = 'yes';
    });
  }

  #giveBack({ model, message, lease }: InHand, restMs: number, suspends: boolean): void {
    if (this.#shard.changeInvisible(lease, restMs, suspends).outcome !== 'done') return;
    const nowMs = this.#clock.monotonicMs();
    // A lease that has ended speaks for its message alone.
    const isAll = suspends && model.holding(message).heldUntilMs > nowMs;
    model.rests(message, nowMs + restMs, isAll);
  }

  #changeNames(): void {
    const { subscriber } = this.#pick(this.#clients);
    const name = this.#pick(NAMES);
    if (!subscriber.isWildcard && !subscriber.subscribe(name)) subscriber.unsubscribe(name);
  }

  #exchangeClient(): void {
    const index = this.#below(this.#clients.length);
    const { subscriber } = this.#clients[index]!;
    subscriber.close();
    this.#clients[index] = this.#openClient(subscriber.isWildcard);
  }

  #setOffset(): void {
    const model = this.#pick(this.#models);
    const name = this.#pick(NAMES);
    const life = this.#current.get(name);
    if (life === undefined) return;
    const kind = this.#pick(['earliest', 'latest'] as const);
    const process = this.#life;
    const stored = model.moves(life, kind === 'earliest' ? 'rewound' : 'skipped');
    this.#shard.setLiteOffsets(this.#group(model), this.#topic(), [name], { kind }).then(
      () => {
        if (process === this.#life) stored();
      },
      (error: unknown) => {
        if (process === this.#life && !(error instanceof MqError) && !this.#failed) this.#violation ??= error as Error;
      },
    );
  }

  // ── processes ──

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
    for (const model of this.#models) model.dies();
    this.#hand = this.#hand.filter(() => this.#chance(0.5));
    await this.#start();
    this.#forgetLost();
    this.#hand = this.#hand.map((inHand) => {
      const lease = { ...inHand.lease, group: this.#group(inHand.model), topic: this.#topic() };
      return { ...inHand, lease };
    });
    this.#openClients();
  }

  /** What was not answered for may be gone, and then others take its place. */
  #forgetLost(): void {
    for (const life of [...this.#current.values()]) {
      const info = this.#shard.liteTopic(this.#topic(), life.name);
      if (info?.queueId !== life.queueId && life.messages.some(({ state }) => state === 'stored')) continue;
      const isThere = info?.queueId === life.queueId;
      if (!isThere) this.#current.delete(life.name);
      const countMax = isThere ? info.maxOffset : 0;
      for (const message of life.messages.slice(countMax)) {
        assert.notEqual(message.state, 'stored', `D1: ${message.id} was answered for and is not there`);
        message.state = 'lost';
      }
      life.messages.length = Math.min(life.messages.length, countMax);
    }
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

  /** Clients that acknowledge all they get, and get it only because they are woken; then nothing is sent, and all expire. */
  async #end(): Promise<void> {
    await this.#restart('clean');
    for (const { subscriber } of this.#clients) for (const name of NAMES) subscriber.subscribe(name);
    for (let count = 0; count < 3 * NAMES.length; count++) {
      await this.#clock.advance(20);
      this.#send(1);
    }
    for (let quietMs = 0; quietMs <= HELD_MS_MAX; quietMs += 50) {
      this.#lookAtLives();
      if (this.#hand.length > 0) quietMs = 0;
      for (const inHand of this.#hand.splice(0)) this.#acknowledge(inHand);
      await this.#clock.advance(50);
      if (this.#violation !== undefined) throw this.#violation;
    }
    this.#lookAtLives();
    for (const model of this.#models) {
      model.check(this.#lives);
      const { lagCount } = this.#shard.liteLag(this.#group(model), this.#topic(), 0);
      assert.equal(lagCount, 0, `${model.name} has nothing left`);
    }
    await this.#compareWithReplay();
    await this.#clock.advance(LIFE_MS_MIN + EXPIRATION_MS + 2 * CHECK_INTERVAL_MS);
    assert.equal(this.#shard.liteTopicCount(), 0, 'what nothing is sent to expires');
    await this.#compareWithReplay();
    await this.#clock.settle(this.#shard.close());
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

  #group(model: LiteModel): Group {
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

/** System properties with a lite topic (field 21). */
function systemOf(name: string): Buffer {
  return Buffer.concat([Buffer.from([0xaa, 0x01, name.length]), Buffer.from(name)]);
}

function topicConfig() {
  return {
    name: TOPIC,
    readQueueCount: 1,
    writeQueueCount: 1,
    permission: 6,
    messageType: 'LITE',
    retentionMs: undefined,
    retentionBytes: undefined,
    autoCreated: false,
    attributes: new Map([['lite.topic.expiration', '1']]),
  } as const;
}

function groupConfig(name: string) {
  return {
    name,
    consumeEnable: true,
    consumeMessageOrderly: false,
    retryMaxTimes: 100_000,
    retryPolicy: { kind: 'customized', delaysMs: [1000] },
    autoCreated: false,
    attributes: new Map([['lite.bind.topic', TOPIC]]),
  } as const;
}
