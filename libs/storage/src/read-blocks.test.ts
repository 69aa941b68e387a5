import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { memoryVfs, type Vfs, VfsError, type VfsFile } from '@orbitmq/vfs';
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
    const again = await openTestLog(withBadSector(vfs, () => badPosition));
    badPosition = appended[5]!.physicalOffset + 100;
    for (const [index, { physicalOffset, length, payload }] of appended.entries()) {
      if (index === 5) await assert.rejects(async () => again.read(physicalOffset, length), { code: 'EIO' });
      else assert.deepEqual((await again.read(physicalOffset, length)).payload, payload);
    }
    await again.close();
  });
});

/** Reads over one byte of any file fail. */
function withBadSector(vfs: Vfs, badPosition: () => number): Vfs {
  const wrap = (file: VfsFile): VfsFile => ({
    path: file.path,
    async read(target, position) {
      const isBad = position <= badPosition() && badPosition() < position + target.length;
      if (isBad) throw new VfsError('EIO', 'read', file.path);
      return await file.read(target, position);
    },
    write: (parts, position) => file.write(parts, position),
    truncate: (sizeBytes) => file.truncate(sizeBytes),
    sync: () => file.sync(),
    close: () => file.close(),
  });
  return { ...vfs, open: async (path, mode) => wrap(await vfs.open(path, mode)) };
}
