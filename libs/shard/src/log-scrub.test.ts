import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HOUR_MS, MINUTE_MS, seededRandom } from '@orbitmq/base';
import type { LogFields, Logger } from '@orbitmq/runtime';
import { SimClock, SimDisk } from '@orbitmq/testkit';
import { type OpenedShard, openShard, type ShardOptions } from './index.ts';

const FIRST_SEGMENT = '/store/commitlog/00000000000000000000';

/** A shard with sealed segments, and the errors that it has logged. */
class Bench {
  readonly clock = new SimClock();
  readonly disk = new SimDisk({ clock: this.clock, random: seededRandom(1) });
  readonly errors: LogFields[] = [];
  shard!: OpenedShard;

  async open(options: Partial<ShardOptions> = {}): Promise<void> {
    const ignore = (): void => {};
    const error = (fields: LogFields): void => void this.errors.push(fields);
    const logger: Logger = { child: () => logger, debug: ignore, info: ignore, warn: ignore, error };
    const log = { flushDiskType: 'SYNC_FLUSH', segmentSizeBytes: 16_384, recordBytesMax: 8_192 } as const;
    const opening = openShard({
      vfs: this.disk,
      clock: this.clock.process(),
      random: seededRandom(2),
      logger,
      directory: '/store',
      options: { log, diskReserveBytes: 0, ...options },
    });
    this.shard = await this.clock.settle(opening);
  }

  /** Fills some segments. */
  async fill(): Promise<void> {
    const topic = await this.clock.settle(
      this.shard.putTopic({
        name: 'topic',
        readQueueCount: 1,
        writeQueueCount: 1,
        permission: 6,
        messageType: 'NORMAL',
        retentionMs: undefined,
        retentionBytes: undefined,
        autoCreated: false,
        attributes: new Map(),
      }),
    );
    const message = { system: Buffer.alloc(8), rest: Buffer.alloc(4_000) };
    for (let count = 0; count < 20; count++) this.shard.send({ topic, queueId: 0, tagHash: 0, message });
    await this.clock.settle(this.shard.settled());
  }
}

describe('D14: the sealed log is read again', () => {
  test('a bit that turns in a sealed segment is found within a round, counted, and logged with file and offset', async () => {
    const bench = new Bench();
    await bench.open();
    await bench.fill();
    await bench.clock.advance(2 * MINUTE_MS);
    const before = bench.shard.statistics().scrub;
    assert.ok(before.checkedBytes >= 16_384);
    assert.deepEqual({ rounds: before.roundCount, damages: before.damageCount }, { rounds: 1, damages: 0 });
    bench.disk.flip(FIRST_SEGMENT, 9_000);
    await bench.clock.advance(24 * HOUR_MS + MINUTE_MS);
    assert.equal(bench.shard.statistics().scrub.damageCount, 1);
    assert.equal(bench.errors.length, 1);
    const [{ file, physicalOffset }] = bench.errors as [LogFields];
    assert.equal(file, FIRST_SEGMENT);
    assert.ok(Number(physicalOffset) > 4_096 && Number(physicalOffset) <= 9_000);
    await bench.fill();
    await bench.clock.settle(bench.shard.close());
  });

  test('0 bytes a second turn it off', async () => {
    const bench = new Bench();
    await bench.open({ scrubBytesPerSecond: 0 });
    await bench.fill();
    await bench.clock.advance(HOUR_MS);
    assert.deepEqual(bench.shard.statistics().scrub, { checkedBytes: 0, roundCount: 0, damageCount: 0 });
    await bench.clock.settle(bench.shard.close());
  });
});

test('the epoch rises with each start that has written, also when the clock was set back', async () => {
  const bench = new Bench();
  await bench.open();
  const first = bench.shard.epoch;
  await bench.clock.settle(bench.shard.close());
  bench.clock.jumpWall(-HOUR_MS);
  await bench.open();
  const second = bench.shard.epoch;
  assert.ok(second > first);
});
