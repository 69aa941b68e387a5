import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MqError, seededRandom } from '@orbitmq/base';
import { memoryVfs, type Vfs } from '@orbitmq/vfs';
import fc from 'fast-check';
import type { CommitLog } from './log.ts';
import { HEADER_BYTES, RECORD_TYPES } from './record.ts';
import { ChunkError, type LogChunk } from './replica.ts';
import { appendMany, contentOf, DIRECTORY, openTestLog, StoppedClock, scanAll } from './test-fixture.ts';
import { truncateLog, wipeLog } from './truncate.ts';

const MEBIBYTE = 1 << 20;

function openFollower(vfs: Vfs = memoryVfs(), clock = new StoppedClock()): Promise<CommitLog> {
  return openTestLog(vfs, { clock, role: 'follower', random: seededRandom(2) });
}

/** Gives the follower all that the leader has. */
async function catchUp(leader: CommitLog, follower: CommitLog, bytesMax = MEBIBYTE): Promise<void> {
  if (follower.logId === undefined) await give(leader, follower, leader.startOffset, bytesMax);
  else await give(leader, follower, follower.endOffset, bytesMax);
  await follower.settled();
}

async function give(leader: CommitLog, follower: CommitLog, from: number, bytesMax: number): Promise<void> {
  let position = from;
  for (;;) {
    const chunk = await leader.readChunk(position, bytesMax);
    if (chunk.bytes.length === 0) return;
    follower.receive(chunk);
    position = chunk.endOffset;
  }
}

/** All files of a log up to where it ends, but for the bytes in blanks. */
async function bytesOf(log: CommitLog, vfs: Vfs): Promise<Map<number, string>> {
  const files = new Map<number, string>();
  for (const { startOffset, endOffset } of log.segments()) {
    const content = Buffer.from(await contentOf(vfs, String(startOffset).padStart(20, '0')));
    assert.equal(content.length, endOffset - startOffset);
    let at = 0;
    while (at + HEADER_BYTES <= content.length && startOffset + at < log.endOffset) {
      const length = content.readUInt32LE(at + 4);
      if (content[at + 20] === RECORD_TYPES.blank) content.fill(0, at + HEADER_BYTES, at + length);
      at += length;
    }
    files.set(startOffset, content.toString('hex'));
  }
  return files;
}

async function assertEqualLogs(
  [leader, leaderVfs]: [CommitLog, Vfs],
  [follower, followerVfs]: [CommitLog, Vfs],
): Promise<void> {
  assert.equal(follower.logId, leader.logId);
  assert.equal(follower.endOffset, leader.endOffset);
  assert.deepEqual(follower.epochs(), leader.epochs());
  const times = (log: CommitLog): number[] => log.segments().map(({ newestTimestampMs }) => newestTimestampMs);
  assert.deepEqual(times(follower), times(leader));
  assert.deepEqual(await bytesOf(follower, followerVfs), await bytesOf(leader, leaderVfs));
}

describe('a follower', () => {
  it('has the same bytes of large chunks among small ones, and leaves those that it gives on to who reads them', async () => {
    const options = { flushDiskType: 'SYNC_FLUSH', segmentSizeBytes: 256 * 1024 } as const;
    const size = fc.oneof(fc.integer({ min: 40, max: 2000 }), fc.integer({ min: 16_000, max: 120_000 }));
    await fc.assert(
      fc.asyncProperty(fc.array(size, { minLength: 1, maxLength: 15 }), fc.boolean(), async (sizes, restarts) => {
        const [leaderVfs, followerVfs] = [memoryVfs(), memoryVfs()];
        const leader = await openTestLog(leaderVfs, { options });
        let follower = await openTestLog(followerVfs, { role: 'follower', options });
        for (const [index, payloadBytes] of sizes.entries()) {
          appendMany(leader, 1, payloadBytes, index);
          const from = follower.logId === undefined ? leader.startOffset : follower.endOffset;
          const read = await leader.readChunk(from, MEBIBYTE);
          const chunk = { ...read, bytes: Uint8Array.from(read.bytes) };
          follower.receive(chunk);
          await follower.settled();
          const held = await follower.readChunk(from, MEBIBYTE);
          assert.equal(Buffer.compare(held.bytes, chunk.bytes.subarray(0, held.bytes.length)), 0);
          // They and the room before them are whoever's who has read them.
          const { bytes, headroomBytes = 0 } = held;
          new Uint8Array(bytes.buffer, bytes.byteOffset - headroomBytes, headroomBytes + bytes.length).fill(0xff);
          const again = await follower.readChunk(from, MEBIBYTE);
          assert.equal(Buffer.compare(again.bytes, chunk.bytes.subarray(0, again.bytes.length)), 0);
          while (follower.endOffset < leader.endOffset) await catchUp(leader, follower);
        }
        if (restarts) {
          await follower.close();
          follower = await openTestLog(followerVfs, { role: 'follower', options });
        }
        await leader.settled();
        await assertEqualLogs([leader, leaderVfs], [follower, followerVfs]);
        await leader.close();
        await follower.close();
      }),
      { numRuns: 30 },
    );
  });

  it('has the same bytes as its leader, whatever the batches and chunks are', async () => {
    const action = fc.oneof(
      fc.record({ kind: fc.constant('append' as const), count: fc.integer({ min: 1, max: 9 }), bytes: fc.nat(3900) }),
      fc.record({ kind: fc.constant('give' as const), bytesMax: fc.integer({ min: 1, max: 9000 }) }),
      fc.constantFrom({ kind: 'restart leader' as const }, { kind: 'restart follower' as const }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 30 }), async (actions) => {
        const [leaderVfs, followerVfs] = [memoryVfs(), memoryVfs()];
        let leader = await openTestLog(leaderVfs);
        let follower = await openFollower(followerVfs);
        for (const step of actions) {
          if (step.kind === 'append') appendMany(leader, step.count, step.bytes);
          else if (step.kind === 'give') await catchUp(leader, follower, step.bytesMax);
          else if (step.kind === 'restart leader') {
            await leader.close();
            leader = await openTestLog(leaderVfs);
          } else {
            await follower.close();
            follower = await openFollower(followerVfs);
          }
        }
        appendMany(leader, 1, 10);
        await leader.settled();
        await catchUp(leader, follower);
        await assertEqualLogs([leader, leaderVfs], [follower, followerVfs]);
        await follower.close();
        follower = await openFollower(followerVfs);
        assert.equal(follower.recovery.cutBytes, 0);
        assert.equal(follower.recovery.cleanEnd, true);
        await assertEqualLogs([leader, leaderVfs], [follower, followerVfs]);
      }),
      { numRuns: 150 },
    );
  });

  it('begins where its leader begins, and nothing is written by opening', async () => {
    const [leaderVfs, followerVfs] = [memoryVfs(), memoryVfs()];
    const leader = await openTestLog(leaderVfs);
    appendMany(leader, 60, 500);
    await leader.settled();
    await leader.removeBefore(leader.segments().at(-1)!.startOffset);
    assert.ok(leader.startOffset > 0);
    const follower = await openFollower(followerVfs);
    assert.deepEqual(await followerVfs.list(`${DIRECTORY}/commitlog`), []);
    assert.equal(follower.logId, undefined);
    assert.deepEqual(follower.epochs(), []);
    await catchUp(leader, follower);
    assert.equal(follower.startOffset, leader.startOffset);
    assert.equal(follower.storedOffset, leader.endOffset);
    await assertEqualLogs([leader, leaderVfs], [follower, followerVfs]);
    await follower.close();
    await assertEqualLogs([leader, leaderVfs], [await openFollower(followerVfs), followerVfs]);
  });

  it('takes nothing of a chunk that is damaged, does not continue, or is of another log', async () => {
    const leader = await openTestLog();
    appendMany(leader, 8, 100);
    const follower = await openFollower();
    const whole = (await leader.readChunk(0, MEBIBYTE)) as LogChunk;
    const refuse = (chunk: LogChunk): void => {
      assert.throws(() => follower.receive(chunk), ChunkError);
      assert.equal(follower.endOffset, 0);
      assert.equal(follower.segments().length, 0);
    };
    for (let at = 0; at < whole.bytes.length; at += 3) {
      const bytes = Buffer.from(whole.bytes);
      bytes[at]! ^= 1 << (at % 8);
      refuse({ ...whole, bytes });
    }
    for (let size = 1; size < whole.bytes.length; size += 5) refuse({ ...whole, bytes: whole.bytes.subarray(0, size) });
    refuse({ ...whole, endOffset: whole.endOffset + 8 });
    refuse({ ...whole, startOffset: 8 });
    follower.receive(whole);
    await follower.settled();
    assert.throws(() => follower.receive(whole), ChunkError);
    const ends = whole.endOffset;
    // An epoch that has not begun here.
    const next = await openTestLog(memoryVfs(), { lead: { epoch: 7 } });
    appendMany(next, 9, 100);
    assert.throws(() => follower.receive(next.readChunk(ends, MEBIBYTE) as LogChunk), ChunkError);
    assert.equal(follower.endOffset, ends);
  });

  it('refuses appends, and a leader what only followers do', async () => {
    const follower = await openFollower();
    assert.throws(
      () => appendMany(follower, 1, 10),
      (error) => error instanceof MqError,
    );
    const leader = await openTestLog();
    assert.throws(() => leader.receive({ startOffset: 0, endOffset: 0, bytes: new Uint8Array(0) }));
    await assert.rejects(leader.lead({}));
  });

  it('becomes leader with what it has, and its former leader follows after a cut', async () => {
    const [oldVfs, newVfs] = [memoryVfs(), memoryVfs()];
    const old = await openTestLog(oldVfs);
    appendMany(old, 30, 300);
    await old.settled();
    let next = await openFollower(newVfs);
    await catchUp(old, next);
    const common = old.endOffset;
    const appended = appendMany(old, 30, 300, 50);
    await old.settled();
    await assert.rejects(next.lead({ epoch: 1 }), /from 2 to/);
    await next.lead({ epoch: 5 });
    assert.equal(next.role, 'leader');
    assert.equal(next.epoch, 5);
    assert.equal(next.confirmedOffset, common);
    appendMany(next, 20, 200, 90);
    await next.settled();
    assert.deepEqual(next.epochs(), [
      { epoch: 1, startOffset: 0 },
      { epoch: 5, startOffset: common },
    ]);
    old.fence(new MqError('HA_NOT_AVAILABLE', 'another one leads'));
    await old.close();
    const arguments_ = { vfs: oldVfs, clock: new StoppedClock(), directory: DIRECTORY, segmentSizeBytes: 8192 };
    await assert.rejects(truncateLog(arguments_, common, common + 8), /is confirmed/);
    await assert.rejects(truncateLog(arguments_, appended[3]!.physicalOffset + 8, 0), /within a record/);
    await truncateLog(arguments_, common, common);
    let former = await openFollower(oldVfs);
    assert.equal(former.endOffset, common);
    await catchUp(next, former);
    await assertEqualLogs([next, newVfs], [former, oldVfs]);
    // And again, the other way round.
    await former.lead({});
    assert.equal(former.epoch, 6);
    appendMany(former, 20, 200, 120);
    await former.settled();
    await next.close();
    const end = former.epochs().at(-1)!.startOffset;
    await truncateLog({ ...arguments_, vfs: newVfs }, end, end);
    next = await openFollower(newVfs);
    await catchUp(former, next);
    await assertEqualLogs([former, oldVfs], [next, newVfs]);
    await former.close();
    former = await openFollower(oldVfs);
    assert.equal(former.epochs().length, 3);
  });

  it('starts anew when its log is wiped', async () => {
    const vfs = memoryVfs();
    const leader = await openTestLog();
    appendMany(leader, 60, 300);
    const follower = await openFollower(vfs);
    await catchUp(leader, follower);
    await follower.close();
    await wipeLog({ vfs, clock: new StoppedClock(), directory: DIRECTORY });
    const again = await openFollower(vfs);
    assert.equal(again.logId, undefined);
    const other = await openTestLog(memoryVfs(), { random: seededRandom(77) });
    appendMany(other, 3, 30);
    await catchUp(other, again);
    assert.equal(again.logId, other.logId);
    assert.equal((await scanAll(again)).length, 3);
  });

  it('finds the epochs of old segments, with and without the file that says them', async () => {
    const vfs = memoryVfs();
    for (let life = 0; life < 6; life++) {
      const log = await openTestLog(vfs);
      appendMany(log, 1 + ((life * 7) % 40), 700);
      await log.close();
    }
    const log = await openTestLog(vfs);
    const epochs = log.epochs();
    assert.deepEqual(
      epochs.map(({ epoch }) => epoch),
      [1, 2, 3, 4, 5, 6, 7],
    );
    await log.close();
    await vfs.remove(`${DIRECTORY}/commitlog/epochs`);
    assert.deepEqual((await openTestLog(vfs)).epochs(), epochs);
  });
});
