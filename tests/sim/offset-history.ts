import assert from 'node:assert/strict';
import { type Random, seededRandom } from '@orbitmq/base';
import type { Logger } from '@orbitmq/runtime';
import { type Delivery, type OffsetTarget, type OpenedShard, openShard } from '@orbitmq/shard';
import { SimClock, SimDisk, type SimProcessClock } from '@orbitmq/testkit';
import type { Group, Topic } from '@orbitmq/views';
import { Violation } from './model.ts';

const QUEUE_COUNT = 2;
const STEPS = 120;
const INVISIBLE_MS = 2000;
const silent: Logger = { child: () => silent, debug() {}, info() {}, warn() {}, error() {} };

/** What a history has done, for the curious. */
export interface OffsetSummary {
  readonly seed: number;
  readonly storedCount: number;
  readonly repeatedCount: number;
  readonly resetCount: number;
  readonly restartCount: number;
}

/** What a group may be given of a queue since its offset was set last. */
interface Standing {
  from: number;
  readonly acknowledged: Set<number>;
}

interface Handle {
  readonly group: string;
  readonly delivery: Delivery;
  /** The offset has been set since. */
  isVoid: boolean;
}

/** One seeded life of a shard whose producers send again, and whose groups are set to other places, over crashes. */
export class OffsetHistory {
  readonly #seed: number;
  readonly #random: Random;
  readonly #clock = new SimClock();
  #disk: SimDisk;
  #shard!: OpenedShard;
  #processClock!: SimProcessClock;
  /** Place of each id that was answered. */
  readonly #places = new Map<string, string>();
  readonly #ids: string[] = [];
  readonly #standings = new Map<string, Standing>();
  #handles: Handle[] = [];
  #repeatedCount = 0;
  #resetCount = 0;
  #restartCount = 0;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = seededRandom(seed * 2 + 1);
    this.#disk = new SimDisk({ clock: this.#clock, random: seededRandom(seed * 2 + 2), capacityBytes: 2 ** 30 });
  }

  async run(): Promise<OffsetSummary> {
    await this.#open();
    await this.#make();
    for (let step = 0; step < STEPS; step++) await this.#step();
    await this.#restart(false);
    for (const group of ['plain', 'fifo']) await this.#drain(group);
    this.#checkStoredOnce();
    return {
      seed: this.#seed,
      storedCount: this.#places.size,
      repeatedCount: this.#repeatedCount,
      resetCount: this.#resetCount,
      restartCount: this.#restartCount,
    };
  }

  async #step(): Promise<void> {
    const dice = this.#random.below(100);
    if (dice < 40) return await this.#send(this.#newId());
    if (dice < 50) return await this.#send(this.#ids[this.#random.below(this.#ids.length)] ?? this.#newId());
    if (dice < 75) return void (await this.#receive(this.#pick(['plain', 'fifo'])));
    if (dice < 88) return await this.#acknowledge();
    if (dice < 94) return await this.#reset(this.#pick(['plain', 'fifo']));
    if (dice < 97) return await this.#clock.advance(this.#random.below(2 * INVISIBLE_MS));
    await this.#restart(true);
  }

  async #send(id: string): Promise<void> {
    const place = this.#append(id);
    const answered = await this.#clock.settle(Promise.resolve(place));
    await this.#clock.settle(this.#shard.settled());
    this.#answered(id, answered);
  }

  #answered(id: string, place: string): void {
    const before = this.#places.get(id);
    if (before !== undefined) {
      this.#repeatedCount++;
      // An earlier send says only the offset: the queue is the sender's choice, which is lost.
      if (before.split('/')[1] !== place.split('/')[1])
        throw new Violation('a send is answered like the first', { id, before, place });
      return;
    }
    this.#places.set(id, place);
  }

  /** As the messaging service sends. */
  async #append(id: string): Promise<string> {
    const bytes = Buffer.from(id);
    const message = { system: Buffer.concat([Buffer.from([0x1a, bytes.length]), bytes]), rest: Buffer.alloc(0) };
    let from = 0;
    for (;;) {
      const earlier = this.#shard.findSent(this.#topic(), message, from);
      const { position } = this.#shard;
      const known = earlier instanceof Promise ? await earlier : earlier;
      if (known !== undefined) {
        assert(known.kind === 'message');
        return `?/${known.queueOffset}`;
      }
      if (!(earlier instanceof Promise)) break;
      from = position;
    }
    const queueId = this.#random.below(QUEUE_COUNT);
    const sent = this.#shard.send({ topic: this.#topic(), queueId, tagHash: 0, message });
    return `${queueId}/${sent.queueOffset}`;
  }

  async #receive(group: string): Promise<number> {
    const deliveries = await this.#clock.settle(
      this.#shard.receive({
        group: this.#group(group),
        topic: this.#topic(),
        filter: undefined,
        countMax: 1 + this.#random.below(8),
        bytesMax: 1e6,
        invisibleMs: INVISIBLE_MS,
        attemptId: undefined,
      }),
    );
    for (const delivery of deliveries) {
      const { queueId, queueOffset } = delivery;
      const standing = this.#standing(group, queueId);
      if (queueOffset < standing.from)
        throw new Violation('what was skipped is not given', { group, queueId, queueOffset });
      if (standing.acknowledged.has(queueOffset))
        throw new Violation('C2 not after its ack', { group, queueId, queueOffset });
      this.#handles.push({ group, delivery, isVoid: false });
    }
    return deliveries.length;
  }

  async #acknowledge(): Promise<void> {
    const handle = this.#handles[this.#random.below(this.#handles.length)];
    if (handle !== undefined) await this.#settle(handle);
  }

  async #settle(handle: Handle): Promise<void> {
    const { group, delivery, isVoid } = handle;
    const { queueId, queueOffset, leaseId } = delivery;
    const lease = { group: this.#group(group), topic: this.#topic(), queueId, queueOffset, leaseId };
    const outcome = this.#shard.acknowledge(lease);
    if (isVoid && outcome !== 'unknown') throw new Violation('a handle of before is void', { ...lease, outcome });
    await this.#clock.settle(this.#shard.settled());
    if (outcome === 'done') this.#standing(group, queueId).acknowledged.add(queueOffset);
  }

  async #reset(group: string): Promise<void> {
    const request = this.#resetRequest(group);
    const planned = await this.#clock.settle(this.#shard.planOffsets(request));
    const changes = await this.#clock.settle(this.#shard.setOffsets(request));
    assert.deepEqual(changes, planned, 'a dry run says what is done');
    this.#resetCount++;
    for (const { queueId, newOffset } of changes) this.#moved(group, queueId, newOffset);
  }

  #moved(group: string, queueId: number, newOffset: number): void {
    this.#standings.set(`${group}/${queueId}`, { from: newOffset, acknowledged: new Set() });
    for (const handle of this.#handles) {
      if (handle.group === group && handle.delivery.queueId === queueId) handle.isVoid = true;
    }
  }

  #resetRequest(group: string) {
    const queueId = this.#random.below(QUEUE_COUNT);
    const { maxOffset } = this.#shard.queueRange(this.#topic(), queueId);
    const target = this.#pick<OffsetTarget>([
      { kind: 'earliest' },
      { kind: 'latest' },
      { kind: 'offset', offset: this.#random.below(maxOffset + 1) },
    ]);
    return { group: this.#group(group), topic: this.#topic(), queueId, target };
  }

  /** @param hard the power may fail, also in the middle of something */
  async #restart(hard: boolean): Promise<void> {
    this.#restartCount++;
    const kind = hard ? this.#random.below(4) : 0;
    let unanswered: string | undefined;
    let unsure: string | undefined;
    if (kind === 2) {
      unanswered = this.#newId();
      void this.#append(unanswered).catch(() => {});
    }
    if (kind === 3) {
      unsure = this.#pick(['plain', 'fifo']);
      void this.#shard.setOffsets(this.#resetRequest(unsure)).catch(() => {});
    }
    if (kind === 0) await this.#clock.settle(this.#shard.close());
    else this.#disk = this.#disk.crash(this.#random);
    this.#processClock.stop();
    await this.#open();
    if (unanswered !== undefined) await this.#send(unanswered);
    if (unsure === undefined) return;
    // Nobody knows whether it was stored: it is done again, for certain.
    for (const queueId of Array(QUEUE_COUNT).keys()) {
      const target = { kind: 'earliest' } as const;
      const request = { group: this.#group(unsure), topic: this.#topic(), queueId, target };
      for (const { newOffset } of await this.#clock.settle(this.#shard.setOffsets(request))) {
        this.#moved(unsure, queueId, newOffset);
      }
    }
    this.#handles = this.#handles.filter(({ group }) => group !== unsure);
  }

  /** Everything from where the group was set on must come, until it is acknowledged. */
  async #drain(group: string): Promise<void> {
    for (let idle = 0; idle < 3; ) {
      const known = this.#handles.length;
      idle = (await this.#receive(group)) === 0 ? idle + 1 : 0;
      for (const handle of this.#handles.slice(known)) await this.#settle(handle);
      await this.#clock.advance(idle > 0 ? 2 * INVISIBLE_MS : 1);
    }
    for (const queueId of Array(QUEUE_COUNT).keys()) {
      const { maxOffset } = this.#shard.queueRange(this.#topic(), queueId);
      const { from, acknowledged } = this.#standing(group, queueId);
      for (let offset = from; offset < maxOffset; offset++) {
        if (!acknowledged.has(offset)) throw new Violation('C1 every message comes', { group, queueId, offset, from });
      }
    }
  }

  #checkStoredOnce(): void {
    const stored = [...Array(QUEUE_COUNT).keys()].reduce(
      (sum, queueId) => sum + this.#shard.queueRange(this.#topic(), queueId).maxOffset,
      0,
    );
    if (stored !== this.#places.size)
      throw new Violation('a message is stored once', { stored, sent: this.#places.size });
  }

  async #open(): Promise<void> {
    this.#processClock = this.#clock.process();
    this.#shard = await this.#clock.settle(
      openShard({
        vfs: this.#disk,
        clock: this.#processClock,
        random: this.#random,
        logger: silent,
        directory: '/store',
        options: {
          log: { flushDiskType: 'SYNC_FLUSH', segmentSizeBytes: 8192, recordBytesMax: 4096, tailCacheBytes: 65536 },
          diskReserveBytes: 0,
        },
      }),
    );
  }

  async #make(): Promise<void> {
    const attributes = new Map<string, string>();
    const counts = { readQueueCount: QUEUE_COUNT, writeQueueCount: QUEUE_COUNT };
    const kept = { retentionMs: undefined, retentionBytes: undefined, autoCreated: false, attributes };
    await this.#clock.settle(
      this.#shard.putTopic({ name: 'topic', ...counts, permission: 6, messageType: 'NORMAL', ...kept }),
    );
    for (const [name, consumeMessageOrderly] of [
      ['plain', false],
      ['fifo', true],
    ] as const) {
      const retryPolicy = { kind: 'customized', delaysMs: [1000] } as const;
      const config = { name, consumeEnable: true, consumeMessageOrderly, retryMaxTimes: 1000, retryPolicy };
      await this.#clock.settle(this.#shard.putGroup({ ...config, autoCreated: false, attributes }));
    }
  }

  #newId(): string {
    const id = `message-${this.#ids.length}`;
    this.#ids.push(id);
    return id;
  }

  #standing(group: string, queueId: number): Standing {
    const key = `${group}/${queueId}`;
    let standing = this.#standings.get(key);
    if (standing === undefined) {
      standing = { from: 0, acknowledged: new Set() };
      this.#standings.set(key, standing);
    }
    return standing;
  }

  #topic(): Topic {
    return this.#shard.metadata.topic('topic')!;
  }

  #group(name: string): Group {
    return this.#shard.metadata.group(name)!;
  }

  #pick<Item>(items: readonly Item[]): Item {
    return items[this.#random.below(items.length)]!;
  }
}
