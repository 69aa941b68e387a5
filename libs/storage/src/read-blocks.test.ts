import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { memoryVfs } from '@orbitmq/vfs';
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
});
