import assert from 'node:assert/strict';
import { MqError, type Random, seededRandom } from '@orbitmq/base';
import type { Logger } from '@orbitmq/runtime';
import { type Delivery, type OpenedShard, openShard, type ShardOptions } from '@orbitmq/shard';
import { SimClock, SimDisk, type SimProcessClock } from '@orbitmq/testkit';
import type { Group, Topic } from '@orbitmq/views';
import { TimedModel } from './timed-model.ts';

/** What a history has done, for the curious. */
export interface TimedSummary {
  readonly seed: number;
  readonly flushDiskType: string;
  readonly sentCount: number;
  readonly deliveredCount: number;
  readonly recalledCount: number;
  readonly restartCount: number;
  readonly removedBytes: number;
  readonly comparedCount: number;
}

const DIRECTORY = '/store';
const QUEUE_COUNT = 2;
/** Longest delay: several times the retention, so that bodies are carried forward. */
const DELAY_MS_MAX = 20_000;
const RETENTION_MS = 4000;
/** Under ASYNC_FLUSH a power loss may cost what was answered so shortly before. */
const FORGOTTEN_MS = 1500;

const silent: Logger = { child: () => silent, debug() {}, info() {}, warn() {}, error() {} };

/** One seeded life of a shard with timed messages: sent, recalled, delivered, over crashes, clock jumps and retention. */
export class TimedHistory {
  readonly #seed: number;
  readonly #random: Random;
  readonly #clock = new SimClock();
  readonly #model = new TimedModel();
  readonly #options: ShardOptions;
  /** The wall clock jumps, or retention takes what is old: both at once would rightly lose what nobody has read yet. */
  readonly #jumps: boolean;
  #disk: SimDisk;
  #shard!: OpenedShard;
  #processClock!: SimProcessClock;
  #life = 0;
  #failed = false;
  #violation: Error | undefined;
  #restartCount = 0;
  #deliveredCount = 0;
  #recalledCount = 0;
  #removedBytes = 0;
  #comparedCount = 0;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = seededRandom(seed * 2 + 1);
    this.#disk = new SimDisk({ clock: this.#clock, random: seededRandom(seed * 2 + 2), capacityBytes: 2 ** 30 });
    this.#jumps = this.#chance(0.3);
    const segmentSizeBytes = this.#pick([8192, 16384, 65536]);
    this.#options = {
      log: {
        flushDiskType: this.#chance(0.5) ? 'SYNC_FLUSH' : 'ASYNC_FLUSH',
        segmentSizeBytes,
        recordBytesMax: 4096,
        unsettledBytesMax: 65536,
        tailCacheBytes: 65536,
        flushIntervalMs: 100,
      },
      retentionMs: this.#jumps ? 1e9 : RETENTION_MS,
      retentionIntervalMs: 500,
      heldAfterExpiryMs: 2000,
      diskReserveBytes: 3 * segmentSizeBytes,
    };
  }

  async run(): Promise<TimedSummary> {
    await this.#start();
    await this.#clock.settle(this.#shard.putTopic(topicConfig()));
    await this.#clock.settle(this.#shard.putGroup(groupConfig()));
    await this.#clock.advance(2 * FORGOTTEN_MS);
    const steps = 80 + this.#below(120);
    for (let step = 0; step < steps; step++) {
      await this.#step();
      await this.#clock.advance(this.#below(200));
      if (this.#failed) await this.#restart(this.#pick(['kill', 'power']));
      await this.#receive();
      this.#check();
    }
    await this.#end();
    return {
      seed: this.#seed,
      flushDiskType: this.#options.log.flushDiskType,
      sentCount: this.#model.sentCount,
      deliveredCount: this.#deliveredCount,
      recalledCount: this.#recalledCount,
      restartCount: this.#restartCount,
      removedBytes: this.#removedBytes,
      comparedCount: this.#comparedCount,
    };
  }

  async #step(): Promise<void> {
    const dice = this.#below(1000);
    if (dice < 550) this.#send(1 + this.#below(6));
    else if (dice < 680) this.#recall();
    else if (dice < 740) await this.#clock.advance(this.#below(800));
    else if (dice < 780) void this.#shard.snapshot();
    else if (dice < 820 && this.#jumps) this.#jumpWall(this.#pick([-30_000, -1000, 1000, 10_000]));
    else if (dice < 850) this.#breakSomething();
    else if (dice < 880) await this.#restart('kill');
    else if (dice < 920) await this.#restart('power');
    else if (dice < 950) await this.#restart('clean');
    else await this.#compareWithReplay();
  }

  #send(count: number): void {
    const topic = this.#topic();
    const ids: number[] = [];
    const nowMs = this.#clock.wallMs();
    for (let index = 0; index < count; index++) {
      const id = this.#model.nextId();
      const rest = Buffer.alloc(4 + this.#below(this.#chance(0.1) ? 2500 : 400), id);
      rest.writeUInt32LE(id);
      const deliveryTimestampMs = Math.ceil(nowMs) + this.#pick([0, 50, 1000, DELAY_MS_MAX]) + this.#below(300);
      try {
        const message = { system: Buffer.from([id & 0xff]), rest };
        const queueId = this.#below(QUEUE_COUNT);
        const { timer } = this.#shard.sendTimed({ topic, queueId, tagHash: 1, message, deliveryTimestampMs });
        ids.push(id);
        this.#model.sent(id, deliveryTimestampMs, timer, this.#clock.monotonicMs());
      } catch (error) {
        if (!(error instanceof MqError)) throw error;
      }
    }
    this.#heed(() => this.#model.answered(ids));
  }

  #recall(): void {
    const candidate = this.#model.recallable(this.#below(1_000_000));
    if (candidate === undefined) return;
    const { id, timer } = candidate;
    try {
      if (!this.#shard.cancelTimer(this.#topic(), timer)) {
        this.#model.notRecalled(id, this.#clock.wallMs());
        return;
      }
    } catch (error) {
      if (!(error instanceof MqError)) throw error;
      return;
    }
    this.#model.recallAsked(id);
    this.#heed(() => {
      this.#recalledCount++;
      this.#model.recalled(id, this.#clock.monotonicMs());
    });
  }

  /** Takes what is there, and acknowledges it. */
  async #receive(): Promise<void> {
    for (;;) {
      const [topic, group] = [this.#topic(), this.#group()];
      const life = this.#life;
      let deliveries: Delivery[];
      try {
        deliveries = await this.#clock.settle(
          this.#shard.receive({
            group,
            topic,
            filter: undefined,
            countMax: 32,
            bytesMax: 1e6,
            invisibleMs: 1000,
            attemptId: undefined,
          }),
        );
      } catch (error) {
        if (!(error instanceof MqError || this.#failed)) throw error;
        return;
      }
      if (deliveries.length === 0 || life !== this.#life) return;
      for (const delivery of deliveries) {
        const { message, queueId, queueOffset, leaseId } = delivery;
        const id = Buffer.from(message.rest).readUInt32LE();
        this.#deliveredCount++;
        this.#model.delivered(id, { queueId, queueOffset }, this.#clock.wallMs());
        assert.ok(
          message.rest.subarray(4).every((byte) => byte === (id & 0xff)),
          'a body comes back as it was sent',
        );
        try {
          this.#shard.acknowledge({ group, topic, queueId, queueOffset, leaseId });
        } catch (error) {
          if (!(error instanceof MqError)) throw error;
        }
      }
    }
  }

  #jumpWall(byMs: number): void {
    this.#model.wallReached(this.#clock.wallMs());
    this.#clock.jumpWall(byMs);
  }

  #breakSomething(): void {
    const path = this.#pick(['commitlog', 'queueindex', 'snapshots']);
    this.#disk.inject({ operation: this.#pick(['write', 'sync'] as const), path, error: 'EIO', after: this.#below(4) });
  }

  async #restart(how: 'clean' | 'kill' | 'power'): Promise<void> {
    this.#restartCount++;
    this.#removedBytes += this.#shard.statistics().removedBytes;
    const stopped = this.#shard;
    let clean = how === 'clean' && !this.#failed;
    if (clean) {
      await this.#clock.settle(stopped.close()).catch((error: Error) => {
        clean = false;
        if (!this.#failed) throw error;
      });
    }
    this.#life++;
    this.#processClock.stop();
    const random = seededRandom(this.#below(2 ** 31));
    const forgets = how === 'power' && this.#options.log.flushDiskType === 'ASYNC_FLUSH';
    this.#disk = how === 'power' ? this.#disk.crash(random) : this.#disk.kill(random);
    this.#model.died(forgets ? this.#clock.monotonicMs() - FORGOTTEN_MS : Number.POSITIVE_INFINITY);
    if (clean) await this.#compareWith(stopped.checksum());
    await this.#start();
  }

  async #start(): Promise<void> {
    this.#failed = false;
    this.#processClock = this.#clock.process();
    this.#shard = await this.#clock.settle(
      this.#open(this.#disk, this.#processClock, () => {
        this.#failed = true;
      }),
    );
  }

  #open(vfs: SimDisk, clock: SimProcessClock, onFailure: (error: Error) => void): Promise<OpenedShard> {
    const random = seededRandom(this.#seed + this.#life);
    return openShard({ vfs, clock, random, logger: silent, directory: DIRECTORY, options: this.#options, onFailure });
  }

  async #compareWithReplay(): Promise<void> {
    for (let round = 0; round < 20; round++) {
      const { position, checksum } = this.#shard.checksum();
      const { logFlushedOffset } = this.#shard.statistics();
      if (logFlushedOffset === position) {
        await this.#compareWith({ position, checksum });
        return;
      }
      await this.#clock.advance(20);
      if (this.#failed) return;
    }
  }

  /** What a replay gives is what the live views said, unless something has fired or ended meanwhile. */
  async #compareWith(live: { position: number; checksum: number }): Promise<void> {
    const replayed = await this.#recoverCopy();
    if (replayed.position !== live.position) return;
    assert.equal(replayed.checksum, live.checksum, 'a replay gives the state of the live views');
    this.#comparedCount++;
  }

  /** State of a copy of the files, as recovery finds it before time goes on. */
  async #recoverCopy(): Promise<{ position: number; checksum: number }> {
    const copy = this.#disk.copy();
    const clock = this.#clock.process();
    const shard = await this.#clock.settle(this.#open(copy, clock, () => {}));
    const result = shard.checksum();
    clock.stop();
    copy.kill();
    return result;
  }

  /** No more mishaps: everything that waits comes, and nothing else. */
  async #end(): Promise<void> {
    await this.#restart(this.#pick(['clean', 'kill', 'power']));
    const isOver = (): boolean => this.#model.waiting().length === 0 && this.#shard.timerCount(this.#topic()) === 0;
    for (let waitedMs = 0; waitedMs < 600_000 && !isOver(); waitedMs += 400) {
      await this.#clock.advance(400);
      await this.#receive();
      if (this.#failed) await this.#restart('kill');
      this.#check();
    }
    assert.deepEqual(this.#model.waiting(), [], 'T2 every message that was stored and not recalled has come');
    await this.#clock.advance(2000);
    await this.#receive();
    assert.equal(this.#shard.timerCount(this.#topic()), 0, 'nothing waits any more');
    this.#removedBytes += this.#shard.statistics().removedBytes;
    await this.#clock.settle(this.#shard.close());
  }

  #heed(answered: () => void): void {
    const life = this.#life;
    this.#shard.settled().then(
      () => {
        if (life === this.#life) answered();
      },
      () => {},
    );
  }

  #check(): void {
    if (this.#violation !== undefined) throw this.#violation;
  }

  #topic(): Topic {
    return this.#shard.metadata.topic('timed')!;
  }

  #group(): Group {
    return this.#shard.metadata.group('group')!;
  }

  #below(limit: number): number {
    return this.#random.below(limit);
  }

  #chance(share: number): boolean {
    return this.#random.below(1_000_000) < share * 1_000_000;
  }

  #pick<Choice>(choices: readonly Choice[]): Choice {
    return choices[this.#below(choices.length)]!;
  }
}

function topicConfig(): Parameters<OpenedShard['putTopic']>[0] {
  return {
    name: 'timed',
    readQueueCount: QUEUE_COUNT,
    writeQueueCount: QUEUE_COUNT,
    permission: 6,
    messageType: 'DELAY',
    retentionMs: undefined,
    retentionBytes: undefined,
    autoCreated: false,
    attributes: new Map(),
  };
}

function groupConfig(): Parameters<OpenedShard['putGroup']>[0] {
  return {
    name: 'group',
    consumeEnable: true,
    consumeMessageOrderly: false,
    retryMaxTimes: 1000,
    retryPolicy: { kind: 'customized', delaysMs: [1000] },
    autoCreated: false,
    attributes: new Map(),
  };
}
