import assert from 'node:assert/strict';
import { MqError, type Random, seededRandom } from '@orbitmq/base';
import type { Logger } from '@orbitmq/runtime';
import { type Delivery, type OpenedShard, openShard, type ShardOptions } from '@orbitmq/shard';
import { SimClock, SimDisk, type SimProcessClock } from '@orbitmq/testkit';
import { type Group, type Topic, TRANSACTION_END, type TransactionEnd } from '@orbitmq/views';
import { type SimTransaction, TransactionModel } from './transaction-model.ts';

/** What a history has done, for the curious. */
export interface TransactionSummary {
  readonly seed: number;
  readonly flushDiskType: string;
  readonly sentCount: number;
  readonly deliveredCount: number;
  readonly checkedCount: number;
  readonly restartCount: number;
  readonly removedBytes: number;
  readonly comparedCount: number;
}

const DIRECTORY = '/store';
const QUEUE_COUNT = 2;
const IMMUNITY_MS = 1000;
const CHECK_PAUSE_MS = 2000;
const CHECK_MAX = 4;
/** A fraction of the time for which transactions stay open, so that bodies are carried forward. */
const RETENTION_MS = 4000;
/** Under ASYNC_FLUSH a power loss may cost what was answered so shortly before. */
const FORGOTTEN_MS = 1500;
const { committed, rolledBack, discarded } = TRANSACTION_END;

const silent: Logger = { child: () => silent, debug() {}, info() {}, warn() {}, error() {} };

/** One seeded life of a shard with transactions: half messages, ends, checks, deliveries, over crashes and retention. */
export class TransactionHistory {
  readonly #seed: number;
  readonly #random: Random;
  readonly #clock = new SimClock();
  readonly #model = new TransactionModel();
  readonly #options: ShardOptions;
  #disk: SimDisk;
  #shard!: OpenedShard;
  #processClock!: SimProcessClock;
  #life = 0;
  #failed = false;
  #violation: Error | undefined;
  #restartCount = 0;
  #deliveredCount = 0;
  #checkedCount = 0;
  #removedBytes = 0;
  #comparedCount = 0;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = seededRandom(seed * 2 + 1);
    this.#disk = new SimDisk({ clock: this.#clock, random: seededRandom(seed * 2 + 2), capacityBytes: 2 ** 30 });
    const segmentSizeBytes = this.#pick([8192, 16384, 65536]);
    this.#options = {
      log: {
        flushDiskType: this.#pick(['SYNC_FLUSH', 'ASYNC_FLUSH']),
        segmentSizeBytes,
        recordBytesMax: 4096,
        unsettledBytesMax: 65536,
        tailCacheBytes: 65536,
        flushIntervalMs: 100,
      },
      retentionMs: RETENTION_MS,
      retentionIntervalMs: 500,
      heldAfterExpiryMs: 2000,
      diskReserveBytes: 3 * segmentSizeBytes,
      transactionsMax: this.#pick([20, 10_000]),
    };
  }

  async run(): Promise<TransactionSummary> {
    await this.#start();
    await this.#clock.settle(this.#shard.putTopic(TOPIC));
    await this.#clock.settle(this.#shard.putGroup(GROUP));
    await this.#clock.advance(2 * FORGOTTEN_MS);
    const steps = 100 + this.#below(140);
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
      flushDiskType: this.#options.log.flushDiskType!,
      sentCount: this.#model.sentCount,
      deliveredCount: this.#deliveredCount,
      checkedCount: this.#checkedCount,
      restartCount: this.#restartCount,
      removedBytes: this.#removedBytes,
      comparedCount: this.#comparedCount,
    };
  }

  async #step(): Promise<void> {
    const dice = this.#below(1000);
    if (dice < 300) this.#send(1 + this.#below(6));
    else if (dice < 560) this.#endSome(1 + this.#below(4));
    else if (dice < 700) await this.#askProducers();
    else if (dice < 760) await this.#clock.advance(this.#below(1500));
    else if (dice < 790) void this.#shard.snapshot();
    else if (dice < 810) this.#clock.jumpWall(this.#pick([-1000, 1000]));
    else if (dice < 840) this.#breakSomething();
    else if (dice < 880) await this.#restart('kill');
    else if (dice < 920) await this.#restart('power');
    else if (dice < 950) await this.#restart('clean');
    else await this.#compareWithReplay();
  }

  #send(count: number): void {
    const topic = this.#topic();
    const sent: SimTransaction[] = [];
    for (let index = 0; index < count; index++) {
      const id = this.#model.nextId();
      const rest = Buffer.alloc(4 + this.#below(this.#random.below(10) === 0 ? 2500 : 400), id);
      rest.writeUInt32LE(id);
      const message = { system: Buffer.from([id & 0xff]), rest };
      try {
        const { half } = this.#shard.sendHalf({ topic, tagHash: 1, message, immunityMs: IMMUNITY_MS });
        sent.push(this.#model.sent(id, half, this.#clock.monotonicMs()));
      } catch (error) {
        if (!(error instanceof MqError)) throw error;
      }
    }
    this.#heed(() => {
      for (const transaction of sent) transaction.stored = 'yes';
    });
  }

  #endSome(count: number): void {
    const known = this.#model.known();
    if (known.length === 0) return;
    for (let index = 0; index < count; index++) {
      // Recent ones mostly; now and then one that has ended.
      const from = this.#random.below(3) === 0 ? 0 : Math.max(0, known.length - 12);
      const transaction = known[from + this.#below(known.length - from)]!;
      this.#endOne(transaction, this.#pick([committed, committed, rolledBack]));
    }
  }

  #endOne(transaction: SimTransaction, end: TransactionEnd): void {
    let outcome: ReturnType<OpenedShard['endTransaction']>;
    try {
      outcome = this.#shard.endTransaction(this.#topic(), transaction.half, end, this.#below(QUEUE_COUNT));
    } catch (error) {
      if (!(error instanceof MqError)) throw error;
      return;
    }
    if (outcome.kind === 'ended') {
      const taken = this.#model.ended(transaction, end, this.#clock.monotonicMs());
      this.#heed(() => {
        taken.answer = 'yes';
      });
    } else if (outcome.kind === 'ended before') {
      const { end: before } = outcome;
      this.#heed(() => this.#model.endedBefore(transaction, before, this.#clock.monotonicMs()));
    } else {
      this.#model.lost(transaction);
    }
  }

  /** As the messaging service does it: asks about what is due, discards what was asked too often. */
  async #askProducers(): Promise<void> {
    const known = new Map(this.#model.known().map((transaction) => [transaction.half.id, transaction]));
    const asked = [];
    for (const { half, checkCount } of this.#shard.dueTransactions(this.#topic(), 8)) {
      this.#model.due(half);
      const transaction = known.get(half.id);
      if (transaction === undefined) continue;
      if (checkCount >= CHECK_MAX) this.#endOne(transaction, discarded);
      else if (this.#random.below(4) > 0) asked.push(half);
    }
    const life = this.#life;
    for (const half of asked) {
      const reading = this.#shard.readHalf(half).catch((error: unknown) => {
        if (!(error instanceof MqError || this.#failed)) throw error;
        return undefined;
      });
      const stored = await this.#clock.settle(reading);
      if (life !== this.#life) return;
      if (stored !== undefined) checkBody(stored.message.rest);
    }
    try {
      this.#shard.transactionsChecked(asked, CHECK_PAUSE_MS);
      this.#checkedCount += asked.length;
    } catch (error) {
      if (!(error instanceof MqError)) throw error;
    }
  }

  /** Takes what is there, and acknowledges it. */
  async #receive(): Promise<void> {
    for (;;) {
      const [topic, group, life] = [this.#topic(), this.#group(), this.#life];
      let deliveries: Delivery[];
      try {
        deliveries = await this.#clock.settle(this.#shard.receive({ ...RECEIVE, group, topic }));
      } catch (error) {
        if (!(error instanceof MqError || this.#failed)) throw error;
        return;
      }
      if (deliveries.length === 0 || life !== this.#life) return;
      for (const { message, queueId, queueOffset, leaseId } of deliveries) {
        this.#deliveredCount++;
        const id = checkBody(message.rest);
        this.#model.delivered(id, { queueId, queueOffset }, this.#clock.monotonicMs());
        try {
          this.#shard.acknowledge({ group, topic, queueId, queueOffset, leaseId });
        } catch (error) {
          if (!(error instanceof MqError)) throw error;
        }
      }
    }
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
    const opening = this.#open(this.#disk, this.#processClock, () => {
      this.#failed = true;
    });
    this.#shard = await this.#clock.settle(opening);
  }

  #open(vfs: SimDisk, clock: SimProcessClock, onFailure: (error: Error) => void): Promise<OpenedShard> {
    const random = seededRandom(this.#seed + this.#life);
    return openShard({ vfs, clock, random, logger: silent, directory: DIRECTORY, options: this.#options, onFailure });
  }

  async #compareWithReplay(): Promise<void> {
    for (let round = 0; round < 20 && !this.#failed; round++) {
      const live = this.#shard.checksum();
      if (this.#shard.statistics().logFlushedOffset === live.position) {
        await this.#compareWith(live);
        return;
      }
      await this.#clock.advance(20);
    }
  }

  /** What a replay gives is what the live views said. */
  async #compareWith(live: { position: number; checksum: number }): Promise<void> {
    const copy = this.#disk.copy();
    const clock = this.#clock.process();
    const shard = await this.#clock.settle(this.#open(copy, clock, () => {}));
    const replayed = shard.checksum();
    clock.stop();
    copy.kill();
    if (replayed.position !== live.position) return;
    assert.equal(replayed.checksum, live.checksum, 'a replay gives the state of the live views');
    this.#comparedCount++;
  }

  /** No more mishaps: what was committed comes, and what is open can be committed and comes too. */
  async #end(): Promise<void> {
    await this.#restart(this.#pick(['clean', 'kill', 'power']));
    const isOver = (): boolean =>
      this.#model.waiting().length === 0 && this.#shard.openTransactions(this.#topic(), 0, 1).length === 0;
    for (let round = 0; round < 500 && !isOver(); round++) {
      for (const transaction of this.#model.known()) {
        if (transaction.ends.every(({ answer }) => answer === 'unknown')) this.#endOne(transaction, committed);
      }
      await this.#clock.advance(400);
      await this.#receive();
      if (this.#failed) await this.#restart('kill');
      this.#check();
    }
    assert.deepEqual(this.#model.waiting(), [], 'T1 every message whose commit was answered has come');
    assert.deepEqual(this.#shard.openTransactions(this.#topic(), 0, 9), [], 'nothing is open any more');
    this.#removedBytes += this.#shard.statistics().removedBytes;
    await this.#clock.settle(this.#shard.close());
  }

  #heed(answered: () => void): void {
    const life = this.#life;
    this.#shard.settled().then(
      () => {
        if (life !== this.#life) return;
        try {
          answered();
        } catch (error) {
          this.#violation ??= error as Error;
        }
      },
      () => {},
    );
  }

  #check(): void {
    if (this.#violation !== undefined) throw this.#violation;
  }

  #topic(): Topic {
    return this.#shard.metadata.topic(TOPIC.name)!;
  }

  #group(): Group {
    return this.#shard.metadata.group(GROUP.name)!;
  }

  #below(limit: number): number {
    return this.#random.below(limit);
  }

  #pick<Choice>(choices: readonly Choice[]): Choice {
    return choices[this.#below(choices.length)]!;
  }
}

/** @returns the id in a body that is as it was sent */
function checkBody(rest: Uint8Array): number {
  const id = Buffer.from(rest).readUInt32LE();
  assert.ok(
    rest.subarray(4).every((byte) => byte === (id & 0xff)),
    'a body comes back as it was sent',
  );
  return id;
}

const RECEIVE = { filter: undefined, countMax: 32, bytesMax: 1e6, invisibleMs: 1000, attemptId: undefined } as const;

const TOPIC: Parameters<OpenedShard['putTopic']>[0] = {
  name: 'transactions',
  readQueueCount: QUEUE_COUNT,
  writeQueueCount: QUEUE_COUNT,
  permission: 6,
  messageType: 'TRANSACTION',
  retentionMs: undefined,
  retentionBytes: undefined,
  autoCreated: false,
  attributes: new Map(),
};

const GROUP: Parameters<OpenedShard['putGroup']>[0] = {
  name: 'group',
  consumeEnable: true,
  consumeMessageOrderly: false,
  retryMaxTimes: 1000,
  retryPolicy: { kind: 'customized', delaysMs: [1000] },
  autoCreated: false,
  attributes: new Map(),
};
