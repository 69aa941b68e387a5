import { seededRandom } from '@orbitmq/base';
import type { Logger } from '@orbitmq/runtime';
import { SimClock, SimDisk, type SimProcessClock } from '@orbitmq/testkit';
import type { Group, Topic } from '@orbitmq/views';
import { type Delivery, type OpenedShard, openShard, type ReceiveRequest, type ShardOptions } from './index.ts';

/** A shard with small segments on a simulated disk and clock, for tests. */
export class TestShard {
  readonly clock = new SimClock();
  disk = new SimDisk({ clock: this.clock, random: seededRandom(1) });
  shard!: OpenedShard;
  /** What it has warned of, and its errors. */
  readonly warned: { readonly fields: Record<string, unknown>; readonly message: string }[] = [];
  #options: ShardOptions;
  #processClock!: SimProcessClock;

  constructor(options: Partial<ShardOptions> = {}) {
    this.#options = {
      log: { flushDiskType: 'SYNC_FLUSH', segmentSizeBytes: 16384, recordBytesMax: 8192, tailCacheBytes: 65536 },
      diskReserveBytes: 0,
      ...options,
    };
  }

  async open(): Promise<OpenedShard> {
    this.#processClock = this.clock.process();
    const opening = openShard({
      vfs: this.disk,
      clock: this.#processClock,
      random: seededRandom(2),
      logger: this.#logger(),
      directory: '/store',
      options: this.#options,
    });
    this.shard = await this.clock.settle(opening);
    return this.shard;
  }

  #logger(): Logger {
    const warn = (fields: Record<string, unknown>, message: string): void => {
      this.warned.push({ fields, message });
    };
    const logger: Logger = { child: () => logger, debug() {}, info() {}, warn, error: warn };
    return logger;
  }

  /** Stops in order and starts again, perhaps with other options. */
  async restart(options: ShardOptions = this.#options): Promise<OpenedShard> {
    this.#options = options;
    await this.clock.settle(this.shard.close());
    this.#processClock.stop();
    return await this.open();
  }

  /**
   * Loses power, and with it all that was not fsynced; starts again.
   * @param without files with such a path are gone, too
   */
  async crash(without?: RegExp): Promise<OpenedShard> {
    this.#processClock.stop();
    this.disk = this.disk.crash(seededRandom(3));
    for (const path of without === undefined ? [] : this.disk.image().keys()) {
      if (without?.test(path)) await this.clock.settle(this.disk.remove(path));
    }
    return await this.open();
  }

  topic(name = 'topic', fields: Partial<Topic> = {}): Promise<Topic> {
    const config = {
      name,
      readQueueCount: 2,
      writeQueueCount: 2,
      permission: 6,
      messageType: 'MIXED' as const,
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

  receive(group: Group, topic: Topic, fields: Partial<ReceiveRequest> = {}): Promise<Delivery[]> {
    const request = {
      group,
      topic,
      filter: undefined,
      countMax: 32,
      bytesMax: 1e6,
      invisibleMs: 30_000,
      attemptId: undefined,
    };
    return this.clock.settle(this.shard.receive({ ...request, ...fields }));
  }

  settled(): Promise<void> {
    return this.clock.settle(this.shard.settled());
  }
}
