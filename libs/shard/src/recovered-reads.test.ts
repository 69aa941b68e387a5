import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LogChunk, LogCopies } from '@orbitmq/storage';
import type { Group, Topic } from '@orbitmq/views';
import type { Delivery } from './index.ts';
import { TestShard } from './test-shard.ts';

const FIRST_SEGMENT = 'commitlog/00000000000000000000';
const BODY_BYTES = 3_000;
/** Messages, the first ones of them in the first segment. */
const COUNT = 10;
/** The one whose bytes are not what was written. */
const DAMAGED = 1;

/** Another copy of the first segment; it may be away. */
class SegmentCopy implements LogCopies {
  isThere = true;
  areExpected = true;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = Uint8Array.from(bytes);
  }

  async read(from: number, bytesMax: number): Promise<LogChunk | undefined> {
    if (!this.isThere || from >= this.#bytes.length) return undefined;
    const bytes = this.#bytes.subarray(from, from + bytesMax);
    return { startOffset: from, endOffset: from + bytes.length, bytes };
  }
}

interface Bench {
  readonly bench: TestShard;
  readonly topic: Topic;
  readonly group: Group;
  /** As the first segment was before anything happened to it. */
  readonly copy: SegmentCopy;
}

/** A shard that has just been started, and another copy of its first segment. */
async function started(): Promise<Bench> {
  const bench = new TestShard();
  await bench.open();
  const [topic, group] = [await bench.topic('topic', { readQueueCount: 1, writeQueueCount: 1 }), await bench.group()];
  for (let index = 0; index < COUNT; index++) {
    const message = { system: Buffer.alloc(0), rest: bodyOf(index) };
    bench.shard.send({ topic, queueId: 0, tagHash: 0, message });
  }
  await bench.settled();
  await bench.restart();
  const copy = new SegmentCopy(segmentOf(bench).bytes);
  bench.shard.useCopies(copy);
  return { bench, topic, group, copy };
}

/** As `started`, with bytes in a message that were not written there. */
async function damaged(): Promise<Bench> {
  const found = await started();
  const { path, bytes } = segmentOf(found.bench);
  const { clock, disk } = found.bench;
  const file = await clock.settle(disk.open(path, 'write'));
  await clock.settle(file.write([Buffer.from('damage')], Buffer.from(bytes).indexOf(bodyOf(DAMAGED)) + 1_000));
  await clock.settle(file.close());
  return found;
}

function segmentOf({ disk }: TestShard): { readonly path: string; readonly bytes: Uint8Array } {
  const [path, bytes] = [...disk.image()].find(([name]) => name.endsWith(FIRST_SEGMENT))!;
  return { path, bytes };
}

function bodyOf(index: number): Buffer {
  return Buffer.alloc(BODY_BYTES, index + 1);
}

/** Receives for so long; @returns messages by offset, in the order in which they came */
async function receiveFor({ bench, group, topic }: Bench, seconds: number): Promise<number[]> {
  const offsets: number[] = [];
  for (let second = 0; second < seconds; second++) {
    for (const { queueOffset, message } of await bench.receive(group, topic, { invisibleMs: 5_000 })) {
      assert.deepEqual(Buffer.from(message.rest), bodyOf(queueOffset));
      offsets.push(queueOffset);
    }
    await bench.clock.advance(1_000);
  }
  return offsets;
}

function unreadableCount({ bench }: Bench): number {
  return bench.shard.statistics().subscriptions.reduce((sum, { unreadableCount: count }) => sum + count, 0);
}

async function close({ bench }: Bench): Promise<void> {
  await bench.clock.settle(bench.shard.close());
}

const WHOLE = Array.from({ length: COUNT }, (_, index) => index);

describe('a message that this copy of the log has lost', () => {
  it('is read from another copy where it is damaged here, and its place is told once', async () => {
    const found = await damaged();
    const { bench } = found;
    assert.deepEqual((await receiveFor(found, 4)).slice(0, COUNT), WHOLE);
    // Handed out again, it is read again.
    await receiveFor(found, 10);
    const { recoveredReadCount, readFailureCount, log } = bench.shard.statistics();
    assert.ok(recoveredReadCount >= 2, `${recoveredReadCount}`);
    assert.deepEqual([readFailureCount, unreadableCount(found)], [0, 0]);
    assert.equal(log.copyReadCount, recoveredReadCount);
    const told = bench.warned.filter(({ message }) => message.includes('from a slave'));
    assert.equal(told.length, 1);
    await close(found);
  });

  it('is read from another copy where the disk refuses to read, which is not tried all the time', async () => {
    const found = await started();
    const { bench } = found;
    bench.disk.inject({ operation: 'read', path: FIRST_SEGMENT, count: 1e9, error: 'EIO' });
    assert.deepEqual((await receiveFor(found, 4)).slice(0, COUNT), WHOLE);
    // Longer than a place is given up after: the copy still has it.
    const offsets = await receiveFor(found, 120);
    assert.ok(offsets.includes(DAMAGED));
    const { recoveredReadCount, readFailureCount } = bench.shard.statistics();
    assert.ok(readFailureCount < recoveredReadCount / 2, `${readFailureCount} of ${recoveredReadCount}`);
    assert.equal(unreadableCount(found), 0);
    await close(found);
  });

  it('waits for a copy that may soon be there', async () => {
    const found = await damaged();
    found.copy.isThere = false;
    const before = await receiveFor(found, 20);
    assert.equal(before.includes(DAMAGED), false);
    assert.equal(new Set(before).size, COUNT - 1);
    assert.equal(unreadableCount(found), 0);
    found.copy.isThere = true;
    assert.ok((await receiveFor(found, 10)).includes(DAMAGED));
    assert.equal(unreadableCount(found), 0);
    await close(found);
  });

  it('is found by its place, and where none begins none is found, nor is the disk blamed for it', async () => {
    const found = await damaged();
    const { bench, group, topic } = found;
    const [{ physicalOffset }] = (await bench.receive(group, topic)).slice(DAMAGED) as [Delivery];
    const at = (place: number) => bench.clock.settle(bench.shard.messageAt(place));
    assert.deepEqual(Buffer.from((await at(physicalOffset))!.message.rest), bodyOf(DAMAGED));
    found.copy.isThere = false;
    const told = bench.warned.length;
    for (const place of [physicalOffset - 8, physicalOffset + 8, physicalOffset + 48]) {
      assert.equal(await at(place), undefined);
    }
    assert.equal(bench.warned.length, told);
    await close(found);
  });

  it('is passed over when no copy has had it for a minute', async () => {
    const found = await damaged();
    found.copy.isThere = false;
    await receiveFor(found, 55);
    assert.equal(unreadableCount(found), 0);
    await receiveFor(found, 40);
    assert.equal(unreadableCount(found), 1);
    await close(found);
  });

  it('is passed over at once when no copy is expected', async () => {
    const found = await damaged();
    found.copy.isThere = false;
    found.copy.areExpected = false;
    await receiveFor(found, 2);
    assert.equal(unreadableCount(found), 1);
    await close(found);
  });
});
