import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { memoryVfs, type Vfs } from '@orbitmq/vfs';
import { CorruptionError } from './log.ts';
import { segmentName } from './segment.ts';
import {
  appendMany,
  contentOf,
  copyOf,
  DIRECTORY,
  imageOf,
  openTestLog,
  overwrite,
  StoppedClock,
  scanAll,
} from './test-fixture.ts';

const FIRST = segmentName(0);

describe('recovery', () => {
  it('refuses each damaged byte of the first, a middle and the last stored record', async () => {
    const { vfs, records } = await markedLog(12, 100);
    for (const record of [records[0]!, records[5]!, records.at(-1)!]) {
      for (let at = 0; at < record.length; at++) {
        const damaged = await copyOf(vfs);
        const position = record.physicalOffset + at;
        await overwrite(damaged, FIRST, position, Uint8Array.of((await contentOf(damaged, FIRST))[position]! ^ 0x10));
        const image = await imageOf(damaged);
        await assert.rejects(openTestLog(damaged), (error) => {
          assert.ok(error instanceof CorruptionError);
          assert.equal(error.physicalOffset, record.physicalOffset);
          assert.equal(error.file, `${DIRECTORY}/commitlog/${FIRST}`);
          assert.match(error.message, /Put back this file from another copy/);
          return true;
        });
        assert.deepEqual(await imageOf(damaged), image, 'a refused log was changed');
      }
    }
  });

  it('refuses zeros in place of a stored record', async () => {
    const { vfs, records } = await markedLog(12, 100);
    await overwrite(vfs, FIRST, records[5]!.physicalOffset, new Uint8Array(records[5]!.length));
    await assert.rejects(openTestLog(vfs), CorruptionError);
  });

  it('cuts a torn tail at each byte, and nothing of it comes back', async () => {
    const { vfs, records, endOffset } = await unmarkedLog();
    const whole = await contentOf(vfs, FIRST);
    const torn = records.at(-1)!;
    for (let keptBytes = 0; keptBytes < torn.length; keptBytes++) {
      const copy = await copyOf(vfs);
      const lost = torn.physicalOffset + keptBytes;
      await overwrite(copy, FIRST, lost, new Uint8Array(endOffset - lost));
      // A record whose last bytes are padding is whole without them.
      if (Buffer.compare(await contentOf(copy, FIRST), whole) === 0) continue;
      const log = await openTestLog(copy);
      assert.equal(log.endOffset, torn.physicalOffset);
      assert.ok(log.recovery.cutBytes <= keptBytes);
      assert.equal(log.recovery.cleanEnd, false);
      assert.equal((await scanAll(log)).length, records.length - 1);
      const content = await contentOf(copy, FIRST);
      assert.ok(content.subarray(torn.physicalOffset).every((byte) => byte === 0));
      assert.equal(content.length, 8192);
    }
  });

  it('cuts what nobody had been told of, also when whole records lie behind it', async () => {
    const { vfs, records } = await unmarkedLog();
    await overwrite(vfs, FIRST, records.at(-3)!.physicalOffset + 50, Uint8Array.of(0xff));
    const log = await openTestLog(vfs);
    assert.equal(log.endOffset, records.at(-3)!.physicalOffset);
    assert.ok(log.recovery.cutBytes > records.at(-1)!.length);
  });

  it('never uses the epoch of something cut again', async () => {
    const { vfs, records } = await unmarkedLog();
    await overwrite(vfs, FIRST, records[0]!.physicalOffset - 64, new Uint8Array(64));
    const log = await openTestLog(vfs);
    assert.equal(log.endOffset, 0);
    assert.equal(log.epoch, 2);
  });

  it('does not take bytes of an older life behind newer ones for records', async () => {
    const { vfs, records } = await unmarkedLog();
    const older = await contentOf(vfs, FIRST);
    const cutOffset = records[5]!.physicalOffset;
    await overwrite(vfs, FIRST, cutOffset, new Uint8Array(records[5]!.length));
    const log = await openTestLog(vfs);
    // With the epoch start before it, it ends where an old record began.
    const newer = log.append(8, [new Uint8Array(40)]);
    await log.settled();
    assert.equal(newer.physicalOffset + newer.length, records[6]!.physicalOffset);
    await overwrite(vfs, FIRST, records[6]!.physicalOffset, older.subarray(records[6]!.physicalOffset));
    const again = await openTestLog(vfs);
    assert.equal(again.endOffset, records[6]!.physicalOffset);
    assert.equal((await scanAll(again)).length, 6);
  });

  it('a second recovery changes no byte', async () => {
    const { vfs, records } = await unmarkedLog();
    await overwrite(vfs, FIRST, records.at(-2)!.physicalOffset + 3, Uint8Array.of(0xff));
    await openTestLog(vfs);
    const image = await imageOf(vfs);
    const log = await openTestLog(vfs);
    assert.deepEqual(await imageOf(vfs), image);
    assert.equal(log.recovery.cutBytes, 0);
  });

  it('goes on over a cut in the segment before, and removes the later one', async () => {
    const vfs = memoryVfs();
    const log = await openTestLog(vfs, { options: { flushDiskType: 'ASYNC_FLUSH', segmentSizeBytes: 8192 } });
    const records = appendMany(log, 10, 1000);
    await log.settled();
    const bad = records[5]!;
    await overwrite(vfs, FIRST, bad.physicalOffset + 100, Uint8Array.of(0xff));
    const again = await openTestLog(vfs);
    assert.equal(again.endOffset, bad.physicalOffset);
    assert.deepEqual(await vfs.list(`${DIRECTORY}/commitlog`), [FIRST]);
    appendMany(again, 20, 1000);
    await again.close();
    assert.equal((await scanAll(await openTestLog(vfs))).length, 25);
  });

  it('refuses a missing, a shortened, a doubled and a foreign segment by name', async () => {
    const path = (startOffset: number): string => `${DIRECTORY}/commitlog/${segmentName(startOffset)}`;
    const { vfs } = await markedLog(40, 1000);
    const missing = await copyOf(vfs);
    await missing.remove(path(16_384));
    await assert.rejects(openTestLog(missing), /0000000000000008192.*what lies between is missing/s);

    const short = await copyOf(vfs);
    await truncate(short, path(8192), 5000);
    await assert.rejects(openTestLog(short), /0000000000000008192, which ends at physical offset 13192/);

    const long = await copyOf(vfs);
    await truncate(long, path(8192), 9000);
    await assert.rejects(openTestLog(long), /behind the begin of the next file/);

    const { vfs: other } = await markedLog(40, 900, 2);
    const foreign = await copyOf(vfs);
    await overwrite(foreign, segmentName(8192), 0, await contentOf(other, segmentName(8192)));
    await assert.rejects(openTestLog(foreign), /belongs to the log/);

    const beheaded = await copyOf(vfs);
    await overwrite(beheaded, FIRST, 0, Uint8Array.of(1, 2, 3));
    await assert.rejects(openTestLog(beheaded), /there is no whole record/);
  });

  it('leaves other files alone', async () => {
    const { vfs } = await markedLog(10, 1000);
    const file = await vfs.open(`${DIRECTORY}/commitlog/lost+found.txt`, 'create');
    await file.write([Buffer.from('hello')], 0);
    await openTestLog(vfs);
    assert.deepEqual(Buffer.from(await contentOf(vfs, 'lost+found.txt')).toString(), 'hello');
  });

  it('goes on with segments of another size', async () => {
    const { vfs, records } = await markedLog(10, 1000);
    const options = { flushDiskType: 'SYNC_FLUSH', segmentSizeBytes: 16_384 } as const;
    const log = await openTestLog(vfs, { options });
    appendMany(log, 40, 1000);
    await log.close();
    assert.equal((await scanAll(await openTestLog(vfs))).length, records.length + 40);
  });

  it('takes a first segment that was never made whole for an empty log', async () => {
    for (const sizeBytes of [0, 100, 8192]) {
      const vfs = memoryVfs();
      await vfs.makeDirectory(`${DIRECTORY}/commitlog`);
      await (await vfs.open(`${DIRECTORY}/commitlog/${FIRST}`, 'create')).truncate(sizeBytes);
      const log = await openTestLog(vfs);
      assert.equal(log.endOffset, 0);
      appendMany(log, 10, 1000);
      await log.close();
      assert.equal((await scanAll(await openTestLog(vfs))).length, 10);
    }
  });

  it('refuses records of a newer format', async () => {
    const { vfs, records } = await markedLog(3, 16);
    const { ByteWindow } = await import('./record.ts');
    const { crc32 } = await import('node:zlib');
    const { physicalOffset, length } = records[1]!;
    const bytes = (await contentOf(vfs, FIRST)).slice(physicalOffset, physicalOffset + length);
    bytes[21] = 2;
    new ByteWindow(bytes).view.setUint32(0, crc32(bytes.subarray(4)), true);
    await overwrite(vfs, FIRST, physicalOffset, bytes);
    await assert.rejects(openTestLog(vfs), /written by a newer version/);
  });
});

/** A log whose records are all fsynced, and proven so by a flush mark; its process was killed. */
async function markedLog(count: number, payloadBytes: number, seed = 1) {
  const vfs = memoryVfs();
  const clock = new StoppedClock();
  clock.nowMs = seed;
  const log = await openTestLog(vfs, { clock, random: { bytes: (n) => new Uint8Array(n).fill(seed), below: () => 0 } });
  const records = appendMany(log, count, payloadBytes);
  await log.settled();
  clock.fire();
  await log.settled();
  return { vfs, records };
}

/** A log in one segment of which nothing is known to be fsynced; its process was killed. */
async function unmarkedLog() {
  const vfs = memoryVfs();
  const log = await openTestLog(vfs);
  const records = appendMany(log, 10, 100);
  await log.settled();
  return { vfs, records, endOffset: log.endOffset };
}

async function truncate(vfs: Vfs, path: string, sizeBytes: number): Promise<void> {
  const file = await vfs.open(path, 'write');
  await file.truncate(sizeBytes);
  await file.close();
}
