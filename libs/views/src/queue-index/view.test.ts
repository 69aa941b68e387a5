import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { memoryVfs, type Vfs, VfsError } from '@orbitmq/vfs';
import type { IndexEntry } from './memory-part.ts';
import { type IndexedMessage, QueueIndex } from './view.ts';

const SEGMENT_BYTES = 100_000;
const RECORD_BYTES = 80;
const DIRECTORY = '/index';

/** An index over a log that is only a list of messages. */
async function bench(queueUids: readonly number[] = [1, 2, 3], vfs: Vfs = memoryVfs()) {
  await vfs.makeDirectory(DIRECTORY);
  const log: IndexedMessage[] = [];
  const rebuilt: string[] = [];
  const segmentAt = (physicalOffset: number) => {
    const startOffset = Math.floor(physicalOffset / SEGMENT_BYTES) * SEGMENT_BYTES;
    return { startOffset, endOffset: startOffset + SEGMENT_BYTES };
  };
  const make = (): QueueIndex => {
    const index = new QueueIndex({
      vfs,
      directory: DIRECTORY,
      segmentAt,
      scanMessages: async (from, to, visit) => {
        for (const message of log) if (message.physicalOffset >= from && message.physicalOffset < to) visit(message);
      },
      onRebuilt: (path) => rebuilt.push(path),
    });
    for (const uid of queueUids) index.applyQueue(uid);
    return index;
  };
  let index = make();
  const next = new Map<number, number>();
  const add = (queueUid: number): void => {
    const queueOffset = next.get(queueUid) ?? 0;
    next.set(queueUid, queueOffset + 1);
    const physicalOffset = log.length * RECORD_BYTES;
    const message = { queueUid, queueOffset, physicalOffset, length: RECORD_BYTES, tagHash: 7 - queueOffset };
    log.push(message);
    index.applyMessage(queueUid, queueOffset, physicalOffset, RECORD_BYTES, 7 - queueOffset);
  };
  /** All messages are found where they are; loads what must be. */
  const check = async (from: ReadonlyMap<number, number> = new Map()): Promise<number> => {
    let loads = 0;
    const entry: IndexEntry = { physicalOffset: 0, length: 0, tagHash: 0 };
    for (const message of log) {
      const queue = index.queue(message.queueUid)!;
      if (message.queueOffset < (from.get(message.queueUid) ?? 0)) continue;
      while (!index.locate(queue, message.queueOffset, entry)) {
        loads++;
        await index.load(queue, message.queueOffset);
      }
      const { physicalOffset, length, tagHash } = message;
      assert.deepEqual(entry, { physicalOffset, length, tagHash });
    }
    return loads;
  };
  const reopen = async (segments: number): Promise<void> => {
    const ranges = index.snapshotRanges();
    index = make();
    index.restoreRanges(ranges);
    for (let segment = 0; segment < segments; segment++) await index.recoverSealed(segmentAt(segment * SEGMENT_BYTES));
    const end = log.length * RECORD_BYTES;
    if (end > segments * SEGMENT_BYTES) await index.recoverOpen(segmentAt(end - 1), end);
  };
  return {
    vfs,
    add,
    check,
    reopen,
    rebuilt,
    segmentAt,
    index: () => index,
    file: (n: number) => index.file(segmentAt(n * SEGMENT_BYTES)),
  };
}

describe('the queue index', () => {
  test('finds every message, in memory and in files, over restarts', async () => {
    const { add, check, reopen, file, rebuilt } = await bench();
    for (let count = 0; count < 3000; count++) add(1 + ((count * count) % 3));
    assert.equal(await check(), 0);
    await file(0);
    await file(1);
    assert.ok((await check()) >= 2);
    await reopen(2);
    await check();
    assert.deepEqual(rebuilt, []);
  });

  test('keeps many short runs and one that grows apart from each other', async () => {
    const uids = Array.from({ length: 200 }, (_, index) => index + 1);
    const { add, check, reopen, index, segmentAt } = await bench(uids);
    for (let round = 0; round < 3; round++) for (const uid of uids) add(uid);
    for (let count = 0; count < 400; count++) add(7);
    assert.equal(await check(), 0);
    const open = index().snapshotOpen(0);
    const ranges = index().snapshotRanges();
    await reopen(0);
    const { index: other } = await bench([]);
    other().restoreRanges(ranges);
    assert.equal(other().restoreOpen(open, segmentAt(SEGMENT_BYTES)), false, 'of another segment');
    assert.equal(other().restoreOpen(open, segmentAt(0)), true);
    assert.deepEqual(other().snapshotOpen(0), open);
    assert.equal(await check(), 0);
  });

  test('makes a file again that is damaged while it serves', async () => {
    const { vfs, add, check, file, rebuilt, index } = await bench();
    for (let count = 0; count < 1250; count++) add(1 + (count % 3));
    await file(0);
    const path = `${DIRECTORY}/00000000000000000000.index`;
    const handle = await vfs.open(path, 'write');
    await handle.write([Buffer.from([1, 2, 3, 4])], 500);
    await handle.close();
    await check();
    assert.deepEqual(rebuilt, [path]);
    await vfs.remove(path);
    const queues = await index().queuesOf(0);
    assert.deepEqual(
      queues.map(({ queueUid, firstOffset, count }) => [queueUid, firstOffset, count]),
      [
        [1, 0, 417],
        [2, 0, 417],
        [3, 0, 416],
      ],
    );
    assert.equal(rebuilt.length, 2);
    await check();
  });

  test('keeps in memory what the disk can not read, again and again', async () => {
    const memory = memoryVfs();
    const refuse = (path: string) => Promise.reject(new VfsError('EIO', 'read', path, undefined));
    const vfs: Vfs = {
      ...memory,
      open: async (path, mode) => {
        const opened = await memory.open(path, mode);
        return mode === 'read' ? { ...opened, read: () => refuse(path), close: () => opened.close() } : opened;
      },
    };
    const { add, check, file, rebuilt, index } = await bench([1, 2, 3], vfs);
    for (let count = 0; count < 1250; count++) add(1 + (count % 3));
    await file(0);
    await check();
    assert.equal(rebuilt.length, 2, 'one new file may be better than the old one');
    assert.equal(index().isFiled(0), true, 'nobody tries again');
    await file(0);
    assert.equal(await check(), 0);
    assert.equal((await index().queuesOf(0)).length, 3);
  });

  test('forgets what retention removes, and strays', async () => {
    const { vfs, add, check, file, index } = await bench();
    for (let count = 0; count < 3000; count++) add(1 + (count % 3));
    await file(0);
    await file(1);
    const from = new Map<number, number>();
    for (const row of await index().queuesOf(0)) {
      index().applyTrim(index().queue(row.queueUid)!, row.firstOffset + row.count);
      from.set(row.queueUid, row.count);
    }
    await index().removeBefore(SEGMENT_BYTES);
    assert.deepEqual(await vfs.list(DIRECTORY), ['00000000000000100000.index']);
    await check(from);
    await (await vfs.open(`${DIRECTORY}/00000000000000900000.index.tmp`, 'create')).close();
    await index().removeStrays();
    assert.deepEqual(await vfs.list(DIRECTORY), ['00000000000000100000.index']);
    index().applyQueueDeletion(2);
    assert.equal(index().queue(2), undefined);
  });
});
