import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededRandom } from '@orbitmq/base';
import { type CommitLog, type CommitLogOptions, type LogRecord, openCommitLog } from '@orbitmq/storage';
import { SimClock, SimDisk } from '@orbitmq/testkit';

const SEGMENT_BYTES = 64 * 1024;

/** A log on a simulated disk of its own, and what it reported. */
class Bench {
  readonly clock = new SimClock();
  readonly random = seededRandom(7);
  disk = new SimDisk({ clock: this.clock, random: this.random });
  failures: Error[] = [];
  stallCount = 0;

  open(flushDiskType: CommitLogOptions['flushDiskType'] = 'SYNC_FLUSH'): Promise<CommitLog> {
    return this.clock.settle(
      openCommitLog({
        vfs: this.disk,
        clock: this.clock,
        random: this.random,
        directory: '/data',
        options: { flushDiskType, segmentSizeBytes: SEGMENT_BYTES, zeroFill: false },
        onFailure: (error) => this.failures.push(error),
        onStall: () => this.stallCount++,
      }),
    );
  }

  /** Appends `count` records of 1,000 bytes and waits until they are stored. */
  async store(log: CommitLog, count: number): Promise<void> {
    append(log, count);
    await this.clock.settle(log.settled());
  }

  async idsOf(log: CommitLog): Promise<number[]> {
    const ids: number[] = [];
    const visit = (record: LogRecord): void => {
      ids.push(Buffer.from(record.payload).readUInt32LE(0));
    };
    await this.clock.settle(log.scan(log.startOffset, log.endOffset, visit));
    return ids;
  }
}

let nextId = 0;

function append(log: CommitLog, count: number): number[] {
  return Array.from({ length: count }, () => {
    const payload = Buffer.alloc(1000);
    payload.writeUInt32LE(++nextId, 0);
    log.append(8, [payload]);
    return nextId;
  });
}

describe('commit log: failing disks', () => {
  for (const error of ['EIO', 'ENOSPC']) {
    for (const operation of ['sync', 'write'] as const) {
      it(`${operation} with ${error} is final: nothing is acknowledged, no fsync follows`, async () => {
        const bench = new Bench();
        const log = await bench.open();
        await bench.store(log, 10);
        bench.disk.inject({ operation, error });
        append(log, 5);
        await assert.rejects(bench.clock.settle(log.settled()), { code: error });
        const { syncCount } = log.statistics;
        const settledOffset = log.settledOffset;
        assert.equal(bench.failures.length, 1);
        assert.throws(() => append(log, 1), { code: 'INTERNAL_SERVER_ERROR' });
        await assert.rejects(log.settled(), { code: error });
        await assert.rejects(log.flush(), { code: error });
        await bench.clock.advance(10_000);
        await bench.clock.settle(log.close());
        assert.equal(log.statistics.syncCount, syncCount);
        assert.equal(log.settledOffset, settledOffset);
        assert.equal(bench.failures.length, 1);
      });
    }
  }

  it('an fsync of the interval that fails under ASYNC_FLUSH is final too', async () => {
    const bench = new Bench();
    const log = await bench.open('ASYNC_FLUSH');
    await bench.store(log, 5);
    bench.disk.inject({ operation: 'sync', error: 'EIO' });
    await bench.store(log, 5);
    append(log, 5);
    await bench.clock.advance(2_000);
    assert.equal(bench.failures.length, 1);
    assert.throws(() => append(log, 1), { code: 'INTERNAL_SERVER_ERROR' });
  });

  it('what is read after a failed fsync and a restart survives a loss of power', async () => {
    for (let seed = 1; seed <= 30; seed++) {
      const bench = new Bench();
      let log = await bench.open();
      await bench.store(log, 20);
      bench.disk.inject({ operation: 'sync', error: 'EIO' });
      append(log, 5);
      await assert.rejects(bench.clock.settle(log.settled()));
      // The page cache still has all of it, and calls it clean.
      bench.disk = bench.disk.kill();
      log = await bench.open();
      const served = await bench.idsOf(log);
      assert.ok(served.length >= 20);
      bench.disk = bench.disk.crash(seededRandom(seed));
      assert.deepEqual(await bench.idsOf(await bench.open()), served);
    }
  });

  it('waits for room when a new segment does not fit, and goes on by itself', async () => {
    const bench = new Bench();
    const log = await bench.open();
    await bench.store(log, 5);
    const remove = bench.disk.inject({ operation: 'truncate', path: 'commitlog', error: 'ENOSPC', count: 1_000 });
    append(log, 100);
    let stored = false;
    void log.settled().then(() => {
      stored = true;
    });
    await bench.clock.advance(5_500);
    assert.equal(stored, false);
    assert.ok(bench.stallCount >= 4, `${bench.stallCount} stalls`);
    remove();
    await bench.clock.advance(2_000);
    assert.equal(stored, true);
    assert.equal(bench.failures.length, 0);
    assert.equal((await bench.idsOf(log)).length, 105);
  });

  it('a full disk in the middle of a write is final, and what was acknowledged is there', async () => {
    const bench = new Bench();
    bench.disk.setCapacity(40_960);
    const log = await bench.open();
    const acknowledged: number[] = [];
    for (;;) {
      const ids = append(log, 3);
      const error = await bench.clock.settle(log.settled()).catch((cause) => cause);
      if (error !== undefined) {
        assert.equal(error.code, 'ENOSPC');
        break;
      }
      acknowledged.push(...ids);
    }
    assert.ok(acknowledged.length > 20);
    bench.disk = bench.disk.crash();
    bench.disk.setCapacity(1e9);
    const found = await bench.idsOf(await bench.open());
    assert.deepEqual(found.slice(0, acknowledged.length), acknowledged);
  });

  it('acknowledges nothing during an fsync that takes long', async () => {
    const bench = new Bench();
    const log = await bench.open();
    await bench.store(log, 1);
    bench.disk.inject({ operation: 'sync', delayMs: 2_000 });
    append(log, 1);
    const before = log.settledOffset;
    const { endOffset } = log;
    await bench.clock.advance(1_900);
    assert.equal(log.settledOffset, before);
    await bench.clock.advance(200);
    assert.ok(log.settledOffset >= endOffset);
  });

  it('a log that fails while it is closed says so', async () => {
    const bench = new Bench();
    const log = await bench.open();
    await bench.store(log, 1);
    bench.disk.inject({ operation: 'sync', error: 'EIO' });
    await assert.rejects(bench.clock.settle(log.close()), { code: 'EIO' });
  });

  it('refuses to start on a disk that can not be read', async () => {
    const bench = new Bench();
    const log = await bench.open();
    await bench.store(log, 10);
    await bench.clock.settle(log.close());
    bench.disk.inject({ operation: 'read', error: 'EIO' });
    await assert.rejects(bench.open(), { code: 'EIO' });
  });
});
