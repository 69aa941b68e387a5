import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { memoryVfs, type Vfs } from '@orbitmq/vfs';
import { KeyIndex } from './view.ts';

const DIRECTORY = '/keys';
const EVERYTHING = { low: 1, high: 2, from: 0, to: 1000, filesMax: 8 };

async function openIndex(vfs: Vfs): Promise<KeyIndex> {
  await vfs.makeDirectory(DIRECTORY);
  return new KeyIndex(vfs, DIRECTORY);
}

async function places(index: KeyIndex): Promise<readonly number[]> {
  const { physicalOffsets } = await index.find(EVERYTHING, (error) => assert.fail(error));
  return physicalOffsets;
}

describe('the index of keys', () => {
  it('finds what is in a file, in a part whose file is being written, and in the next part', async () => {
    const index = await openIndex(memoryVfs());
    for (const start of [0, 160]) {
      index.begin(start);
      index.add(1, 2, start + 8);
      index.close(start + 160);
      index.begin(start + 160);
      index.add(1, 2, start + 168);
      assert.deepEqual(await places(index), start === 0 ? [168, 8] : [328, 168, 8]);
      assert.equal(index.uncoveredFrom(start), start + 160);
      assert.equal(index.coveredFrom(start), start);
      const filing = index.fileClosed();
      index.add(1, 2, start + 176);
      await filing;
      assert.equal(index.hasClosed, false);
      assert.equal(index.uncoveredFrom(start), start + 160);
      assert.deepEqual(await places(index), start === 0 ? [176, 168, 8] : [336, 328, 168, 8]);
    }
  });

  it('keeps a part whose file can not be written, and goes on behind it', async () => {
    const vfs = memoryVfs();
    let isFull = true;
    const index = await openIndex({
      ...vfs,
      open: (path, mode) => (isFull && mode === 'create' ? Promise.reject(new Error('full')) : vfs.open(path, mode)),
    });
    index.begin(0);
    index.add(1, 2, 8);
    index.close(160);
    index.begin(160);
    await assert.rejects(index.fileClosed(), /full/);
    index.add(1, 2, 168);
    assert.equal(index.hasClosed, true);
    assert.deepEqual(await places(index), [168, 8]);
    isFull = false;
    await index.fileClosed();
    const again = await openIndex(vfs);
    await again.recover(0, 1000, (error) => assert.fail(error));
    assert.deepEqual(await places(again), [8]);
  });

  it('finds a key of very many messages, a part at a time', async () => {
    const index = await openIndex(memoryVfs());
    const [count, partBytes] = [150_000, 8 * 150_000 + 80];
    for (const start of [0, partBytes, 2 * partBytes]) {
      index.begin(start);
      for (let nth = 1; nth <= count; nth++) index.add(1, 2, start + nth * 8);
      if (start === 2 * partBytes) break;
      index.close(start + partBytes);
      await index.fileClosed();
    }
    const search = { low: 1, high: 2, from: 0, filesMax: 8 };
    const find = (to: number) => index.find({ ...search, to }, (error) => assert.fail(error));
    const newest = await find(3 * partBytes);
    assert.deepEqual([newest.physicalOffsets.length, newest.searchedFrom], [2 * count, partBytes]);
    assert.deepEqual(newest.physicalOffsets.slice(0, 2), [2 * partBytes + count * 8, 2 * partBytes + count * 8 - 8]);
    const oldest = await find(newest.searchedFrom);
    assert.deepEqual([oldest.physicalOffsets.length, oldest.searchedFrom], [count, 0]);
    assert.deepEqual([oldest.physicalOffsets[0], oldest.physicalOffsets.at(-1)], [count * 8, 8]);
  });
});
