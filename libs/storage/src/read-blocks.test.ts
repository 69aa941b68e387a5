import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededRandom } from '@orbitmq/base';
import { memoryVfs, type Vfs, VfsError, type VfsFile } from '@orbitmq/vfs';
import type { CommitLog, LogRecord } from './log.ts';
import { appendMany, openTestLog } from './test-fixture.ts';

describe('reading a backlog', () => {
  it('takes one read of the disk for many records that lie together, in any order and at the same time', async () => {
    const vfs = memoryVfs();
    const log = await openTestLog(vfs);
    const appended = appendMany(log, 40, 300);
    await log.close();
    const again = await openTestLog(vfs);
    const before = again.statistics.diskReadCount;
    const read = await Promise.all(appended.map(({ physicalOffset, length }) => again.read(physicalOffset, length)));
    assert.deepEqual(
      read.map(({ payload }) => payload),
      appended.map(({ payload }) => payload),
    );
    assert.ok(again.statistics.diskReadCount - before <= 2, `${again.statistics.diskReadCount - before} reads`);
    const repeated = again.read(appended[7]!.physicalOffset);
    assert.ok(!(repeated instanceof Promise), 'what has been read is given at once');
    assert.deepEqual(repeated.payload, appended[7]!.payload);
    await again.close();
  });

  it('takes each byte from the disk once, in whatever order records are asked for', async () => {
    const bench = await Backlog.of(700, 3_000);
    const before = bench.log.statistics.diskReadCount;
    for (const index of shuffled(bench.payloads.length)) await bench.check(index);
    const reads = bench.log.statistics.diskReadCount - before;
    const blocksMax = Math.ceil(bench.log.endOffset / 65_536) + bench.log.segments().length;
    assert.ok(reads <= blocksMax, `${reads} reads of ${blocksMax} blocks`);
    await bench.log.close();
  });

  it('takes each byte once also when all records are asked for at the same time', async () => {
    const bench = await Backlog.of(700, 3_000);
    const before = bench.log.statistics.diskReadCount;
    await Promise.all(shuffled(bench.payloads.length).map((index) => bench.check(index)));
    const reads = bench.log.statistics.diskReadCount - before;
    const blocksMax = Math.ceil(bench.log.endOffset / 65_536) + bench.log.segments().length;
    assert.ok(reads <= blocksMax, `${reads} reads of ${blocksMax} blocks`);
    await bench.log.close();
  });

  it('waits for the block in which a record will be looked for, not for one that has it by the way', async () => {
    const vfs = memoryVfs();
    const options = { flushDiskType: 'SYNC_FLUSH', segmentSizeBytes: 1024 * 1024 } as const;
    const first = await openTestLog(vfs, { options });
    const appended = appendMany(first, 400, 300);
    await first.close();
    const log = await openTestLog(vfs, { options });
    const before = log.statistics.diskReadCount;
    const beside = appended.filter(({ physicalOffset }) => physicalOffset >= 65_536 && physicalOffset < 68_000);
    await Promise.all([appended[0]!, ...beside].map(({ physicalOffset, length }) => log.read(physicalOffset, length)));
    assert.ok(beside.length > 5);
    assert.equal(log.statistics.diskReadCount - before, 2);
    await log.close();
  });

  it('keeps no more than it may', async () => {
    const bench = await Backlog.of(700, 3_000, 4 * 65_536);
    const pass = async (): Promise<number> => {
      const before = bench.log.statistics.diskReadCount;
      for (let index = 0; index < bench.payloads.length; index++) await bench.check(index);
      return bench.log.statistics.diskReadCount - before;
    };
    const reads = await pass();
    assert.ok(reads > 10 && (await pass()) === reads, `${reads}`);
    await bench.log.close();
  });

  it('refuses what is not of the length that was asked for, in memory, in a block and on the disk', async () => {
    const vfs = memoryVfs();
    const first = await openTestLog(vfs);
    const [{ physicalOffset, length }] = appendMany(first, 1, 300) as [LogRecord];
    const isRefused = (log: CommitLog): Promise<void> =>
      assert.rejects(async () => log.read(physicalOffset, length + 8), { name: 'CorruptionError', physicalOffset });
    await isRefused(first);
    await first.close();
    const log = await openTestLog(vfs);
    await isRefused(log);
    await log.read(physicalOffset, length);
    await isRefused(log);
    await log.close();
  });

  it('gives records of all sizes, with a large cache, a small one and none', async () => {
    for (const readCacheBytes of [0, 65_536, 262_144, 16 * 1024 * 1024]) {
      const bench = await Backlog.of(120, 90_000, readCacheBytes);
      for (const index of shuffled(bench.payloads.length)) await bench.check(index);
      await Promise.all(shuffled(bench.payloads.length).map((index) => bench.check(index)));
      await bench.log.close();
    }
  });

  it('gives what is appended after a block was read', async () => {
    const vfs = memoryVfs();
    const first = await openTestLog(vfs);
    const [old] = appendMany(first, 1, 100);
    await first.close();
    const log = await openTestLog(vfs);
    await log.read(old!.physicalOffset);
    const appended = appendMany(log, 20, 300);
    await log.settled();
    for (const record of appended) assert.deepEqual((await log.read(record.physicalOffset)).payload, record.payload);
    await log.close();
  });

  it('gives the records beside one whose sector can not be read', async () => {
    const vfs = memoryVfs();
    const log = await openTestLog(vfs);
    const appended = appendMany(log, 10, 300);
    await log.settled();
    await log.close();
    let badPosition = Number.POSITIVE_INFINITY;
    let failedCount = 0;
    const bad = withBadSector(
      vfs,
      () => badPosition,
      () => failedCount++,
    );
    const again = await openTestLog(bad);
    badPosition = appended[5]!.physicalOffset + 100;
    for (const [index, { physicalOffset, length, payload }] of appended.entries()) {
      if (index === 5) await assert.rejects(async () => again.read(physicalOffset, length), { code: 'EIO' });
      else assert.deepEqual((await again.read(physicalOffset, length)).payload, payload);
    }
    // A failing disk takes its time: what is known to fail is not read again for each of its neighbours.
    assert.ok(failedCount <= 1 + 5 + 2, `${failedCount}`);
    await again.close();
  });
});

/** Records of random sizes on the disk, none of them in memory. */
class Backlog {
  readonly log: CommitLog;
  readonly payloads: readonly LogRecord[];

  private constructor(log: CommitLog, payloads: readonly LogRecord[]) {
    this.log = log;
    this.payloads = payloads;
  }

  static async of(count: number, sizeMax: number, readCacheBytes?: number): Promise<Backlog> {
    const vfs = memoryVfs();
    const random = seededRandom(count);
    // No multiple of the size of blocks.
    const segments = { flushDiskType: 'SYNC_FLUSH', segmentSizeBytes: 97 * 4096 } as const;
    const log = await openTestLog(vfs, { options: segments });
    const records: LogRecord[] = [];
    for (let index = 0; index < count; index++) {
      const [record] = appendMany(log, 1, random.below(sizeMax), index);
      records.push({ ...record!, payload: Buffer.from(record!.payload) });
      if (index % 20 === 19) await log.settled();
    }
    await log.close();
    const cache = readCacheBytes === undefined ? {} : { readCacheBytes };
    return new Backlog(await openTestLog(vfs, { options: { ...segments, ...cache } }), records);
  }

  async check(index: number): Promise<void> {
    const { physicalOffset, length, payload } = this.payloads[index]!;
    const read = await this.log.read(physicalOffset, index % 2 === 0 ? length : undefined);
    assert.equal(Buffer.compare(read.payload, payload), 0, `record ${index}`);
  }
}

function shuffled(count: number): number[] {
  const random = seededRandom(count);
  const order = Array.from({ length: count }, (_, index) => ({ index, key: random.below(2 ** 32) }));
  return order.sort((a, b) => a.key - b.key).map(({ index }) => index);
}

/** Reads over one byte of any file fail. */
function withBadSector(vfs: Vfs, badPosition: () => number, onFailure: () => void): Vfs {
  const wrap = (file: VfsFile): VfsFile => ({
    path: file.path,
    async read(target, position) {
      const isBad = position <= badPosition() && badPosition() < position + target.length;
      if (isBad) {
        onFailure();
        throw new VfsError('EIO', 'read', file.path);
      }
      return await file.read(target, position);
    },
    write: (parts, position) => file.write(parts, position),
    truncate: (sizeBytes) => file.truncate(sizeBytes),
    sync: () => file.sync(),
    close: () => file.close(),
  });
  return { ...vfs, open: async (path, mode) => wrap(await vfs.open(path, mode)) };
}
