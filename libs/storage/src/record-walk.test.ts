import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { memoryVfs, type Vfs, type VfsFile } from '@orbitmq/vfs';
import type { LogRecord } from './log.ts';
import { appendMany, openTestLog } from './test-fixture.ts';

describe('a walk over the log', () => {
  it('reads no more than it walks, as those walk a little at a time who follow the log', async () => {
    const counted = withCountedReads(memoryVfs());
    const log = await openTestLog(counted.vfs);
    const appended = appendMany(log, 40, 300);
    await log.settled();
    const [first, last] = [appended[10]!, appended[13]!];
    const walked: LogRecord[] = [];
    counted.reset();
    const end = last.physicalOffset + last.length;
    assert.equal(await log.scan(first.physicalOffset, end, (record) => walked.push(record)), end);
    assert.deepEqual(
      walked.map(({ payload }) => payload),
      appended.slice(10, 14).map(({ payload }) => payload),
    );
    assert.equal(counted.wantedBytes(), end - first.physicalOffset);
    await log.close();
  });

  it('comes to the end of the record that its end cuts', async () => {
    const log = await openTestLog();
    const appended = appendMany(log, 3, 300);
    await log.settled();
    for (const more of [1, 8, 40, 41, 100]) {
      const walked: LogRecord[] = [];
      const to = appended[1]!.physicalOffset + more;
      const reached = await log.scan(appended[0]!.physicalOffset, to, (record) => walked.push(record));
      assert.equal(reached, appended[2]!.physicalOffset);
      assert.deepEqual(
        walked.map(({ physicalOffset }) => physicalOffset),
        appended.slice(0, 2).map(({ physicalOffset }) => physicalOffset),
      );
    }
    await log.close();
  });
});

/** Counts the bytes that reads ask for. */
function withCountedReads(vfs: Vfs): { vfs: Vfs; wantedBytes: () => number; reset: () => void } {
  let wantedBytes = 0;
  const wrap = (file: VfsFile): VfsFile => ({
    path: file.path,
    read(target, position) {
      wantedBytes += target.length;
      return file.read(target, position);
    },
    write: (parts, position) => file.write(parts, position),
    sync: () => file.sync(),
    truncate: (sizeBytes) => file.truncate(sizeBytes),
    close: () => file.close(),
  });
  const open: Vfs['open'] = async (path, mode) => wrap(await vfs.open(path, mode));
  return {
    vfs: { ...vfs, open },
    wantedBytes: () => wantedBytes,
    reset: () => {
      wantedBytes = 0;
    },
  };
}
