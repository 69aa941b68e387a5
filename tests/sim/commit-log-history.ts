import assert from 'node:assert/strict';
import { type Random, seededRandom } from '@orbitmq/base';
import { type CommitLog, type CommitLogOptions, type LogRecord, openCommitLog } from '@orbitmq/storage';
import { SimClock, SimDisk, type SimProcessClock } from '@orbitmq/testkit';

/** A record that the test has appended. */
interface Appended {
  readonly id: number;
  readonly payloadBytes: number;
  readonly physicalOffset: number;
  readonly endOffset: number;
}

type End = 'power' | 'kill' | 'close';

const TYPE = 8;
const DIRECTORY = '/data';
const ROUNDS_MAX = 6;

/**
 * One seeded history of a commit log on a simulated disk: several lives of a process that appends, waits, reads and removes, each
 * ended by a loss of power, a kill or a clean stop at a random moment, also in the middle of a recovery. After each start
 * it is checked that nothing stored is missing, that order and content are right, that nothing cut comes back, and that a
 * second recovery changes no byte.
 */
export class CommitLogHistory {
  readonly #random: Random;
  readonly #clock = new SimClock();
  readonly #options: CommitLogOptions;
  #disk: SimDisk;
  #process: SimProcessClock;
  #log!: CommitLog;
  #failure: Error | undefined;
  #nextId = 1;
  /** Everything that the log holds or may hold, in its order. */
  #records: Appended[] = [];
  /** Behind the last byte that must be there after the end that comes next. */
  #acknowledgedOffset = 0;
  #durableOffset = 0;
  #removedOffset = 0;
  recordCount = 0;
  cutCount = 0;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    const random = this.#random;
    this.#process = this.#clock.process();
    this.#disk = new SimDisk({ clock: this.#process, random, latencyMs: 1, syncLatencyMs: 5 });
    const segmentSizeBytes = 4096 * (1 + random.below(6));
    this.#options = {
      flushDiskType: random.below(2) === 0 ? 'SYNC_FLUSH' : 'ASYNC_FLUSH',
      segmentSizeBytes,
      recordBytesMax: segmentSizeBytes / 2,
      unsettledBytesMax: 1 << 20,
      tailCacheBytes: 1 << 16,
      flushIntervalMs: 20,
      flushMarkDelayMs: 5 + random.below(30),
      zeroFill: random.below(2) === 0,
    };
  }

  async run(): Promise<void> {
    const rounds = 2 + this.#random.below(ROUNDS_MAX - 1);
    for (let round = 0; round < rounds; round++) {
      if (this.#random.below(3) === 0) await this.#interruptRecovery();
      await this.#start();
      if (this.#random.below(3) === 0) await this.#checkSecondRecovery();
      await this.#live();
      await this.#end((['power', 'power', 'kill', 'close'] as const)[this.#random.below(4)]!);
    }
    await this.#start();
  }

  #open(): Promise<CommitLog> {
    return openCommitLog({
      vfs: this.#disk,
      clock: this.#process,
      random: this.#random,
      directory: DIRECTORY,
      options: this.#options,
      onFailure: (error) => {
        this.#failure = error;
      },
    });
  }

  /** The power fails, or the process is killed, while it recovers. */
  async #interruptRecovery(): Promise<void> {
    this.#open().catch(() => {});
    await this.#clock.advance(this.#random.below(40));
    if (this.#random.below(2) === 0) this.#replaceProcess('kill');
    else this.#replaceProcess('power');
  }

  async #start(): Promise<void> {
    this.#log = await this.#clock.settle(this.#open());
    if (this.#log.recovery.cutBytes > 0) this.cutCount++;
    await this.#checkContent();
    // What a recovery has found is durable.
    this.#acknowledgedOffset = this.#log.endOffset;
    this.#durableOffset = this.#log.endOffset;
  }

  async #checkContent(): Promise<void> {
    const log = this.#log;
    assert.ok(
      log.endOffset >= this.#acknowledgedOffset,
      `lost: ends at ${log.endOffset}, not ${this.#acknowledgedOffset}`,
    );
    assert.ok(log.startOffset <= this.#removedOffset, `starts at ${log.startOffset}, behind ${this.#removedOffset}`);
    const found: LogRecord[] = [];
    await this.#clock.settle(log.scan(log.startOffset, log.endOffset, (record) => found.push(record)));
    const kept = this.#records.filter(({ physicalOffset }) => physicalOffset >= log.startOffset);
    assert.ok(found.length <= kept.length, 'more records than were ever written');
    for (let index = 0; index < found.length; index++) {
      checkRecord(found[index]!, kept[index]!);
      assert.ok(found[index]!.epoch >= (found[index - 1]?.epoch ?? 0), 'the epoch falls along the log');
      assert.ok(found[index]!.epoch < log.epoch, 'the epoch is not new');
    }
    const missing = kept[found.length];
    if (missing !== undefined) assert.ok(missing.endOffset > this.#acknowledgedOffset, `record ${missing.id} is lost`);
    this.#records = kept.slice(0, found.length);
    this.recordCount += found.length;
  }

  /** Recovers once more: not one byte may change. */
  async #checkSecondRecovery(): Promise<void> {
    const before = this.#disk.image();
    this.#replaceProcess('kill');
    this.#log = await this.#clock.settle(this.#open());
    assert.deepEqual(this.#disk.image(), before, 'a second recovery changed bytes');
  }

  async #live(): Promise<void> {
    const random = this.#random;
    const steps = random.below(60);
    for (let step = 0; step < steps; step++) {
      const dice = random.below(20);
      if (dice < 12) this.#append(1 + random.below(8));
      else if (dice < 15) await this.#clock.advance(random.below(30));
      else if (dice < 16) this.#flush();
      else if (dice < 17) this.#remove();
      else if (dice < 19) await this.#read();
      else await this.#clock.settle(this.#log.settled());
      assert.equal(this.#failure, undefined);
    }
  }

  #append(count: number): void {
    for (let index = 0; index < count; index++) {
      const id = this.#nextId++;
      const payloadBytes = 4 + this.#random.below(this.#random.below(10) === 0 ? 1900 : 200);
      const payload = payloadOf(id, payloadBytes);
      const split = this.#random.below(payloadBytes);
      const record = this.#log.append(TYPE, [payload.subarray(0, split), payload.subarray(split)]);
      const { physicalOffset, length } = record;
      this.#records.push({ id, payloadBytes, physicalOffset, endOffset: physicalOffset + length });
    }
    const log = this.#log;
    const endOffset = log.endOffset;
    void log.settled().then(() => {
      if (log !== this.#log) return;
      assert.ok(log.settledOffset >= endOffset, 'settled before its time');
      this.#acknowledgedOffset = Math.max(this.#acknowledgedOffset, endOffset);
      if (this.#options.flushDiskType === 'SYNC_FLUSH') this.#durableOffset = this.#acknowledgedOffset;
    });
  }

  #flush(): void {
    const log = this.#log;
    const endOffset = log.endOffset;
    void log.flush().then(() => {
      if (log !== this.#log) return;
      assert.ok(log.flushedOffset >= endOffset);
      this.#durableOffset = Math.max(this.#durableOffset, endOffset);
    });
  }

  #remove(): void {
    const record = this.#records[this.#random.below(this.#records.length + 1)];
    if (record === undefined) return;
    this.#removedOffset = Math.max(this.#removedOffset, record.physicalOffset);
    void this.#log.removeBefore(record.physicalOffset);
  }

  async #read(): Promise<void> {
    const record = this.#records[this.#random.below(this.#records.length + 1)];
    if (record === undefined || record.physicalOffset < this.#log.startOffset) return;
    if (record.endOffset > this.#log.settledOffset) return;
    const length = this.#random.below(2) === 0 ? record.endOffset - record.physicalOffset : undefined;
    const reading = Promise.resolve(this.#log.read(record.physicalOffset, length));
    try {
      checkRecord(await this.#clock.settle(reading), record);
    } catch (error) {
      // It was removed meanwhile.
      if (record.physicalOffset >= this.#log.startOffset) throw error;
    }
  }

  async #end(end: End): Promise<void> {
    if (end === 'close') {
      await this.#clock.settle(this.#log.close());
      this.#acknowledgedOffset = this.#log.endOffset;
    }
    this.#durableOffset = Math.max(this.#durableOffset, this.#log.flushedOffset);
    this.#replaceProcess(end === 'close' ? 'kill' : end);
  }

  #replaceProcess(how: 'power' | 'kill'): void {
    // ASYNC_FLUSH: what was acknowledged survives the process, not the loss of power.
    if (how === 'power') this.#acknowledgedOffset = this.#durableOffset;
    this.#process.stop();
    this.#process = this.#clock.process();
    this.#disk =
      how === 'power'
        ? this.#disk.crash(this.#random, undefined, this.#process)
        : this.#disk.kill(this.#random, this.#process);
  }
}

function checkRecord(record: LogRecord, appended: Appended): void {
  assert.equal(record.physicalOffset, appended.physicalOffset);
  assert.equal(record.type, TYPE);
  assert.deepEqual(Buffer.from(record.payload), payloadOf(appended.id, appended.payloadBytes), `record ${appended.id}`);
}

function payloadOf(id: number, payloadBytes: number): Buffer {
  const payload = Buffer.alloc(payloadBytes, (id * 37) & 0xff);
  payload.writeUInt32LE(id, 0);
  return payload;
}
