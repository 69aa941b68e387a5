import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KIB, MIB, MqError } from '@orbitmq/base';
import { memoryVfs, type Vfs, VfsError } from '@orbitmq/vfs';
import { CorruptionError, type LogRecord, type SegmentInfo } from './log.ts';
import { appendMany, copyOf, imageOf, openTestLog, StoppedClock, scanAll } from './test-fixture.ts';

describe('commit log', () => {
  it('gives back what was appended, from memory and from disk, after a restart too', async () => {
    const vfs = memoryVfs();
    const log = await openTestLog(vfs);
    const appended = appendMany(log, 100, 300);
    await log.settled();
    await log.close();
    const again = await openTestLog(vfs);
    assert.equal(again.recovery.cleanEnd, true);
    const found = await scanAll(again);
    assert.equal(found.length, 100);
    for (const [index, record] of found.entries()) {
      assert.equal(record.physicalOffset, appended[index]!.physicalOffset);
      assert.deepEqual(record.payload, appended[index]!.payload);
      const read = await again.read(record.physicalOffset);
      assert.deepEqual(read.payload, record.payload);
      assert.deepEqual((await again.read(record.physicalOffset, record.length)).payload, record.payload);
    }
  });

  it('reads what is in memory at once', async () => {
    const log = await openTestLog();
    const [record] = appendMany(log, 1, 10);
    const read = log.read(record!.physicalOffset);
    assert.ok(!(read instanceof Promise));
    assert.deepEqual(read.payload, record!.payload);
  });

  it('gives the payload of what was read in memory also when that is long not there any more', async () => {
    const options = { flushDiskType: 'SYNC_FLUSH', segmentSizeBytes: 32 * MIB, tailCacheBytes: 64 * KIB } as const;
    const log = await openTestLog(memoryVfs(), { options });
    const [{ physicalOffset }] = appendMany(log, 1, 300, 7) as [LogRecord];
    const record = log.read(physicalOffset);
    assert.ok(!(record instanceof Promise));
    for (let count = 0; count < 8; count++) {
      appendMany(log, 2, 700_000, 100);
      await log.settled();
    }
    assert.ok(log.read(physicalOffset) instanceof Promise);
    assert.deepEqual(Buffer.from(record.payload), Buffer.alloc(300, 7));
    await log.close();
  });

  it('counts only as stored what has been fsynced, all appends of a turn with one promise', async () => {
    const log = await openTestLog();
    appendMany(log, 3, 10);
    const first = log.settled();
    appendMany(log, 3, 10);
    assert.equal(log.settled(), first);
    assert.equal(log.settledOffset, 0);
    await first;
    assert.equal(log.settledOffset, log.endOffset);
    assert.equal(log.flushedOffset, log.endOffset);
    assert.equal(log.statistics.batchCount, 1);
    assert.equal(log.statistics.syncCount, 1);
  });

  it('gathers the next batch while one is being written', async () => {
    const log = await openTestLog();
    appendMany(log, 1, 10);
    const first = log.settled();
    await Promise.resolve();
    appendMany(log, 2, 10);
    const second = log.settled();
    appendMany(log, 2, 10);
    assert.notEqual(second, first);
    assert.equal(log.settled(), second);
    await second;
    assert.equal(log.settledOffset, log.endOffset);
    assert.equal(log.statistics.batchCount, 2);
  });

  it('tells listeners of each batch', async () => {
    const log = await openTestLog();
    const offsets: number[] = [];
    const stop = log.onSettled((settledOffset) => offsets.push(settledOffset));
    appendMany(log, 2, 10);
    await log.settled();
    assert.deepEqual(offsets, [log.endOffset]);
    stop();
    appendMany(log, 2, 10);
    await log.settled();
    assert.equal(offsets.length, 1);
  });

  it('under ASYNC_FLUSH counts as stored what was written, and fsyncs after the interval', async () => {
    const clock = new StoppedClock();
    const log = await openTestLog(memoryVfs(), {
      clock,
      options: { flushDiskType: 'ASYNC_FLUSH', segmentSizeBytes: 8192 },
    });
    appendMany(log, 3, 10);
    await log.settled();
    const firstEnd = log.endOffset;
    assert.equal(log.flushedOffset, firstEnd, 'the first batch brings the epoch to the disk');
    appendMany(log, 3, 10);
    await log.settled();
    assert.equal(log.settledOffset, log.endOffset);
    assert.equal(log.flushedOffset, firstEnd);
    clock.fire();
    await log.flush(log.endOffset);
    assert.equal(log.flushedOffset, log.endOffset);
    assert.equal(log.statistics.syncCount, 2);
  });

  it('knows what a power loss has cost from what took its place', async () => {
    const options = { flushDiskType: 'ASYNC_FLUSH', segmentSizeBytes: 8192 } as const;
    const lost: { epoch: number; physicalOffset: number }[] = [];
    let vfs = memoryVfs();
    for (let life = 0; life < 3; life++) {
      const log = await openTestLog(vfs, { options });
      appendMany(log, 1, 10);
      await log.settled();
      vfs = await copyOf(vfs);
      const { physicalOffset } = appendMany(log, 1, 10)[0]!;
      lost.push({ epoch: log.epoch, physicalOffset });
      await log.close();
    }
    const log = await openTestLog(vfs, { options });
    appendMany(log, 20, 10);
    assert.equal(new Set(lost.map(({ epoch }) => epoch)).size, 3);
    for (const { epoch, physicalOffset } of lost) {
      assert.equal(log.isKept(epoch, physicalOffset - 8), true);
      assert.equal(log.isKept(epoch, physicalOffset), false);
      assert.equal(log.isKept(log.epoch, physicalOffset), true);
    }
  });

  it('writes a flush mark when it is quiet, and only one', async () => {
    const clock = new StoppedClock();
    const log = await openTestLog(memoryVfs(), { clock });
    appendMany(log, 1, 10);
    await log.settled();
    const endOffset = log.endOffset;
    clock.fire();
    assert.equal(log.endOffset, endOffset + 40);
    await log.settled();
    clock.fire();
    assert.equal(log.endOffset, endOffset + 40);
    assert.equal(clock.timers.length, 0);
    assert.equal((await scanAll(log)).length, 1);
  });

  it('fills segments, seals them in order and tells', async () => {
    const log = await openTestLog();
    const sealed: SegmentInfo[] = [];
    log.onSealed((segment) => sealed.push(segment));
    appendMany(log, 60, 1000);
    await log.settled();
    const segments = log.segments();
    assert.ok(segments.length > 5);
    assert.deepEqual(sealed, segments.slice(0, -1));
    for (const [index, segment] of segments.entries()) {
      assert.equal(segment.startOffset, index * 8192);
      assert.equal(segment.sealed, index < segments.length - 1);
    }
    assert.equal((await scanAll(log)).length, 60);
  });

  it('fits records to the last byte of a segment', async () => {
    for (let payloadBytes = 300; payloadBytes < 400; payloadBytes += 7) {
      const vfs = memoryVfs();
      const log = await openTestLog(vfs);
      appendMany(log, 200, payloadBytes);
      await log.settled();
      await log.close();
      assert.equal((await scanAll(await openTestLog(vfs))).length, 200);
    }
  });

  it('removes whole segments from the old end only', async () => {
    const vfs = memoryVfs();
    const log = await openTestLog(vfs);
    const appended = appendMany(log, 60, 1000);
    await log.settled();
    assert.equal(await log.removeBefore(8191), 0);
    assert.equal(await log.removeBefore(20_000), 2 * 8192);
    assert.equal(log.startOffset, 16_384);
    await assert.rejects(async () => log.read(appended[0]!.physicalOffset), { code: 'OFFSET_NOT_FOUND' });
    await log.removeBefore(Number.MAX_SAFE_INTEGER);
    assert.equal(log.segments().length, 1);
    await log.close();
    const again = await openTestLog(vfs);
    assert.equal(again.startOffset, log.startOffset);
    assert.equal(again.epoch, 2);
  });

  it('leaves no gap when a segment can not be removed, and removes it later', async () => {
    const vfs = memoryVfs();
    let isBroken = true;
    const log = await openTestLog({
      ...vfs,
      remove: (path) => (isBroken ? Promise.reject(new VfsError('EIO', 'remove', path)) : vfs.remove(path)),
    });
    appendMany(log, 60, 1000);
    await log.settled();
    await assert.rejects(log.removeBefore(20_000), { code: 'EIO' });
    assert.equal(log.startOffset, 0);
    isBroken = false;
    assert.equal(await log.removeBefore(20_000), 2 * 8192);
    await log.close();
    assert.equal((await openTestLog(vfs)).startOffset, 16_384);
  });

  it('D3: takes no more when the removal of a segment can not be made durable', async () => {
    const vfs = memoryVfs();
    let isBroken = false;
    const log = await openTestLog({
      ...vfs,
      syncDirectory: (path) =>
        isBroken ? Promise.reject(new VfsError('EIO', 'syncDirectory', path)) : vfs.syncDirectory(path),
    });
    appendMany(log, 60, 1000);
    await log.settled();
    isBroken = true;
    await assert.rejects(log.removeBefore(20_000), { code: 'EIO' });
    assert.throws(() => appendMany(log, 1, 10), { code: 'INTERNAL_SERVER_ERROR' });
  });

  it('refuses what is too large, too much, of its own types, or late', async () => {
    const log = await openTestLog(memoryVfs(), {
      options: { flushDiskType: 'SYNC_FLUSH', segmentSizeBytes: 8192, recordBytesMax: 2048, unsettledBytesMax: 4096 },
    });
    const refused =
      (code: string): ((error: unknown) => boolean) =>
      (error) =>
        error instanceof MqError && error.code === code;
    assert.throws(() => appendMany(log, 1, 2048), refused('MESSAGE_BODY_TOO_LARGE'));
    assert.throws(() => log.append(4, []), RangeError);
    assert.throws(() => appendMany(log, 10, 1000), refused('TOO_MANY_REQUESTS'));
    await log.settled();
    appendMany(log, 1, 1000);
    await log.close();
    assert.throws(() => appendMany(log, 1, 10), refused('INTERNAL_SERVER_ERROR'));
    await log.close();
  });

  it('says where it is asked for something that is no record', async () => {
    const log = await openTestLog();
    const [record] = appendMany(log, 1, 100);
    await log.settled();
    assert.throws(() => log.read(record!.physicalOffset + 8), CorruptionError);
    assert.throws(() => log.read(record!.physicalOffset, record!.length + 8), CorruptionError);
    await assert.rejects(async () => log.read(log.endOffset), { code: 'OFFSET_NOT_FOUND' });
    await assert.rejects(async () => log.read(-8), { code: 'OFFSET_NOT_FOUND' });
  });

  it('shard time never falls over a restart, whatever the wall clock does', async () => {
    const vfs = memoryVfs();
    const clock = new StoppedClock();
    clock.nowMs = 3_600_000;
    const log = await openTestLog(vfs, { clock });
    const [record] = appendMany(log, 1, 10);
    await log.close();
    const again = await openTestLog(vfs);
    assert.ok(again.shardTimeMs() >= record!.shardTimeMs);
  });

  it('opening and closing without an append changes nothing', async () => {
    const vfs = memoryVfs();
    const log = await openTestLog(vfs);
    appendMany(log, 30, 1000);
    await log.close();
    await (await openTestLog(vfs)).close();
    const image = await imageOf(vfs);
    const again = await openTestLog(vfs);
    assert.equal(again.epoch, 2);
    await again.close();
    assert.deepEqual(await imageOf(vfs), image);
  });

  it('keeps few files open and closes all', async () => {
    const { vfs, openCount } = countingVfs();
    const log = await openTestLog(vfs);
    const appended = appendMany(log, 400, 1000);
    await log.settled();
    for (const { physicalOffset } of appended) await log.read(physicalOffset);
    assert.ok(log.segments().length > 50);
    await scanAll(log);
    assert.ok(openCount() <= 20, `${openCount()} open files`);
    await log.close();
    assert.equal(openCount(), 0);
  });
});

function countingVfs(): { vfs: Vfs; openCount: () => number } {
  let count = 0;
  const inner = memoryVfs();
  const vfs: Vfs = {
    ...inner,
    async open(path, mode) {
      const file = await inner.open(path, mode);
      count++;
      let closed = false;
      return {
        path,
        read: (target, position) => file.read(target, position),
        write: (parts, position) => file.write(parts, position),
        sync: () => file.sync(),
        truncate: (sizeBytes) => file.truncate(sizeBytes),
        async close() {
          if (!closed) count--;
          closed = true;
          await file.close();
        },
      };
    },
  };
  return { vfs, openCount: () => count };
}
