import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MIB } from '@orbitmq/base';
import { memoryVfs, type Vfs } from '@orbitmq/vfs';
import type { CommitLog, LogRecord } from './log.ts';
import type { LogChunk, LogCopies } from './replica.ts';
import { appendMany, copyOf, openTestLog, overwrite } from './test-fixture.ts';

/** Far behind the end is all that lies before the last kilobytes. */
const BEHIND_BYTES = 2048;
const PAYLOAD_BYTES = 300;
const FIRST_SEGMENT = '0'.repeat(20);

/** Another copy of a log, as it is or as a test changes what it says. */
class Copies implements LogCopies {
  readonly areExpected = true;
  readonly asked: { readonly from: number; readonly bytesMax: number }[] = [];
  change = (chunk: LogChunk): LogChunk | undefined => chunk;
  /** So many bytes are given, whatever was asked for. */
  bytesMax: number | undefined;
  readonly #log: CommitLog;

  constructor(log: CommitLog) {
    this.#log = log;
  }

  async read(from: number, bytesMax: number): Promise<LogChunk | undefined> {
    this.asked.push({ from, bytesMax });
    return this.change(await this.#log.readChunk(from, this.bytesMax ?? bytesMax));
  }
}

interface Bench extends AsyncDisposable {
  readonly log: CommitLog;
  readonly vfs: Vfs;
  readonly copies: Copies;
  /** What both logs hold, the oldest first. */
  readonly records: readonly LogRecord[];
}

/** A log of some segments of which nothing is in memory, and a copy of it. */
async function opened(options: { copyBehindBytes?: number; readCacheBytes?: number } = {}): Promise<Bench> {
  const vfs = memoryVfs();
  const first = await openTestLog(vfs);
  const records = appendMany(first, 60, PAYLOAD_BYTES);
  await first.close();
  const log = await openTestLog(vfs, { options: { flushDiskType: 'SYNC_FLUSH', segmentSizeBytes: 8192, ...options } });
  const other = await openTestLog(await copyOf(vfs), { role: 'follower' });
  const copies = new Copies(other);
  log.useCopies(copies);
  return {
    ...{ log, vfs, copies, records },
    async [Symbol.asyncDispose]() {
      await log.close();
      await other.close();
    },
  };
}

const payloadOf = async (reading: LogRecord | Promise<LogRecord>): Promise<string> =>
  Buffer.from((await reading).payload).toString('hex');

describe('reading from another copy', () => {
  it('reads there what lies far behind, in blocks, and nothing else', async () => {
    await using bench = await opened({ copyBehindBytes: BEHIND_BYTES });
    const { log, copies, records } = bench;
    const far = records.filter(({ physicalOffset }) => log.endOffset - physicalOffset > BEHIND_BYTES);
    const before = log.statistics.diskReadCount;
    for (const { physicalOffset, length, payload } of far) {
      assert.equal(await payloadOf(log.read(physicalOffset, length)), Buffer.from(payload).toString('hex'));
    }
    assert.equal(log.statistics.diskReadCount, before);
    assert.equal(log.statistics.copyReadCount, copies.asked.length);
    assert.ok(copies.asked.length < far.length / 5, `${copies.asked.length} reads for ${far.length} records`);
    const last = records.at(-1)!;
    const askedBefore = copies.asked.length;
    await log.read(last.physicalOffset, last.length);
    assert.equal(copies.asked.length, askedBefore);
  });

  it('reads a record that no block is kept for there, too', async () => {
    await using bench = await opened({ copyBehindBytes: BEHIND_BYTES, readCacheBytes: 0 });
    const { log, copies, records } = bench;
    const before = log.statistics.diskReadCount;
    const { physicalOffset, length, payload } = records[2]!;
    assert.equal(await payloadOf(log.read(physicalOffset, length)), Buffer.from(payload).toString('hex'));
    assert.deepEqual(copies.asked, [{ from: physicalOffset, bytesMax: length }]);
    assert.equal(log.statistics.diskReadCount, before);
  });

  it('asks nobody unless it is told how far behind is far', async () => {
    await using bench = await opened();
    const { log, copies, records } = bench;
    await log.read(records[0]!.physicalOffset);
    assert.deepEqual(copies.asked, []);
  });

  it('reads its own disk when no copy answers, or what it answers is not what was asked for', async () => {
    const lies: Record<string, (chunk: LogChunk, records: readonly LogRecord[]) => LogChunk | undefined> = {
      nothing: () => undefined,
      'no bytes': (chunk) => ({ ...chunk, bytes: new Uint8Array(0) }),
      'half a record': (chunk) => ({ ...chunk, bytes: chunk.bytes.subarray(0, 100) }),
      'another place': (chunk) => ({ ...chunk, startOffset: chunk.startOffset + 8 }),
      'the record behind': (chunk, [first]) => ({ ...chunk, bytes: chunk.bytes.subarray(first!.length) }),
      'a bit turned': (chunk) => {
        const bytes = Uint8Array.from(chunk.bytes);
        bytes[60]! ^= 4;
        return { ...chunk, bytes };
      },
    };
    for (const [what, lie] of Object.entries(lies)) {
      await using bench = await opened({ copyBehindBytes: BEHIND_BYTES });
      const { log, copies, records } = bench;
      copies.change = (chunk) => lie(chunk, records);
      const { physicalOffset, length, payload } = records[0]!;
      assert.equal(await payloadOf(log.read(physicalOffset, length)), Buffer.from(payload).toString('hex'), what);
      assert.equal(await log.readCopy(physicalOffset, length), undefined, what);
      assert.equal(log.statistics.copyReadCount, 0, what);
    }
  });

  it('believes no record of another epoch', async () => {
    await using bench = await opened();
    const { log, copies, records } = bench;
    // The same place, of a log that another leader began.
    const elsewhere = await openTestLog(memoryVfs(), { lead: { epoch: 9 } });
    const [foreign] = appendMany(elsewhere, 1, PAYLOAD_BYTES, 77);
    assert.equal(foreign!.physicalOffset, records[0]!.physicalOffset);
    await elsewhere.settled();
    const chunk = await elsewhere.readChunk(foreign!.physicalOffset, 4096);
    copies.change = () => chunk;
    assert.equal(await log.readCopy(foreign!.physicalOffset, foreign!.length), undefined);
    await elsewhere.close();
  });

  it('takes no more into a block than it asked for', async () => {
    await using bench = await opened({ copyBehindBytes: BEHIND_BYTES });
    const { log, copies, records } = bench;
    copies.change = (chunk) => ({ ...chunk, bytes: Buffer.concat([chunk.bytes, Buffer.alloc(1_000_000)]) });
    await log.read(records[0]!.physicalOffset);
    assert.equal(log.statistics.copyReadCount, 1);
    for (const { from, bytesMax } of copies.asked) assert.ok(from + bytesMax <= log.confirmedOffset);
  });

  it('takes nothing that is not confirmed, and no more than it asked for', async () => {
    await using bench = await opened();
    const { log, vfs, copies, records } = bench;
    const last = records.at(-1)!;
    const [first] = records;
    const { startOffset } = log.segments().findLast((segment) => segment.startOffset <= last.physicalOffset)!;
    for (const { physicalOffset } of [first!, last]) {
      const name = String(physicalOffset === last.physicalOffset ? startOffset : 0).padStart(20, '0');
      await overwrite(vfs, name, physicalOffset - Number(name) + 50, Buffer.from('damage'));
    }
    log.confirm(log.confirmedOffset);
    const { confirmedOffset } = log;
    appendMany(log, 1, PAYLOAD_BYTES);
    await log.settled();
    const behind = await log.readChunk(confirmedOffset, MIB);
    copies.change = (chunk) => ({ ...chunk, bytes: Buffer.concat([chunk.bytes, behind.bytes]) });
    assert.equal((await log.readChunk(last.physicalOffset, MIB)).endOffset, confirmedOffset);
    assert.ok(copies.asked.every(({ from, bytesMax }) => from + bytesMax <= confirmedOffset));
    copies.bytesMax = MIB;
    copies.change = (chunk) => chunk;
    const { bytes } = await log.readChunk(first!.physicalOffset, 1000);
    assert.ok(bytes.length > 0 && bytes.length <= 1000, `${bytes.length}`);
  });

  it('gives followers all, whatever is damaged here', async () => {
    await using bench = await opened();
    const { log, vfs, copies, records } = bench;
    const damaged = records[3]!;
    await overwrite(vfs, FIRST_SEGMENT, damaged.physicalOffset + 50, Buffer.from('damage'));
    const follower = await openTestLog(memoryVfs(), { role: 'follower' });
    const catchUp = async (): Promise<void> => {
      while (follower.endOffset < log.endOffset) {
        follower.receive(await log.readChunk(follower.endOffset, 2000));
        await follower.settled();
      }
    };
    copies.change = () => undefined;
    await assert.rejects(catchUp, { name: 'CorruptionError', physicalOffset: damaged.physicalOffset });
    copies.change = (chunk) => chunk;
    await catchUp();
    for (const { physicalOffset, payload } of records) {
      assert.equal(await payloadOf(follower.read(physicalOffset)), Buffer.from(payload).toString('hex'));
    }
    assert.equal(log.statistics.copyReadCount, 1);
    await follower.close();
  });

  it('gives a record that is damaged here, by its place alone, and nothing that is not confirmed', async () => {
    await using bench = await opened();
    const { log, vfs, copies, records } = bench;
    const { physicalOffset, length, payload } = records[3]!;
    await overwrite(vfs, FIRST_SEGMENT, physicalOffset + 50, Buffer.from('damage'));
    await assert.rejects(async () => log.read(physicalOffset, length), { name: 'CorruptionError' });
    const copied = await log.readCopy(physicalOffset);
    assert.deepEqual([copied?.length, copied?.payload], [length, payload]);
    assert.equal(await log.readCopy(physicalOffset, length + 8), undefined);
    assert.equal(log.statistics.copyReadCount, 2);
    log.confirm(log.confirmedOffset);
    const [unconfirmed] = appendMany(log, 1, PAYLOAD_BYTES);
    await log.settled();
    const askedBefore = copies.asked.length;
    assert.equal(await log.readCopy(unconfirmed!.physicalOffset), undefined);
    assert.equal(copies.asked.length, askedBefore);
    await assert.rejects(log.readCopy(log.endOffset), { code: 'OFFSET_NOT_FOUND' });
  });
});
