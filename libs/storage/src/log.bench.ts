/**
 * Records per second of the commit log beside the same writes and fsyncs without it. Prints one line of JSON a case.
 * Run: node --conditions=@orbitmq/source libs/storage/src/log.bench.ts [directory]
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock, systemRandom } from '@orbitmq/base';
import { nodeVfs, type VfsFile } from '@orbitmq/vfs';
import { openCommitLog } from './commit-log.ts';

const RECORD_BYTES = 1024;
const SEGMENT_BYTES = 256 * 1024 * 1024;
const ASYNC_RECORDS = 1_000_000;
const SYNC_RECORDS = 100_000;
/** Records in flight. They come in two waves: while one is fsynced the other is appended, as with clients that answer each in their time. */
const IN_FLIGHT = 256;
const WAVES = 2;
const ROUNDS = 3;

interface Measure {
  readonly records: number;
  readonly elapsedMs: number;
  readonly cpuMs: number;
  readonly batches: number;
}

function details(log: Measure, raw: Measure): Record<string, number> {
  return {
    ratio: Number((perSecond(log) / perSecond(raw)).toFixed(3)),
    logCpuMicrosecondsPerRecord: Number(((log.cpuMs * 1000) / log.records).toFixed(2)),
    rawCpuMicrosecondsPerRecord: Number(((raw.cpuMs * 1000) / raw.records).toFixed(2)),
    logBatches: log.batches,
    rawBatches: raw.batches,
  };
}

function perSecond({ records, elapsedMs }: Measure): number {
  return Math.round((records / elapsedMs) * 1000);
}

async function measured(
  base: string,
  sync: boolean,
  run: (directory: string, sync: boolean) => Promise<Measure>,
): Promise<Measure> {
  const directory = await mkdtemp(join(base, 'run-'));
  try {
    return await run(directory, sync);
  } finally {
    await rm(directory, { recursive: true });
  }
}

async function benchLog(directory: string, sync: boolean): Promise<Measure> {
  const log = await openCommitLog({
    vfs: nodeVfs,
    clock: systemClock,
    random: systemRandom,
    directory,
    defer: setImmediate,
    options: { flushDiskType: sync ? 'SYNC_FLUSH' : 'ASYNC_FLUSH', segmentSizeBytes: SEGMENT_BYTES },
  });
  const payload = [Buffer.alloc(RECORD_BYTES - 40, 7)];
  const append = (count: number): Promise<void> => {
    for (let index = 0; index < count; index++) log.append(8, payload);
    return log.settled();
  };
  const measure = await timed(sync ? SYNC_RECORDS : ASYNC_RECORDS, append);
  const batches = log.statistics.batchCount;
  await log.close();
  return { ...measure, batches };
}

/** The same bytes, in the same batches: what has gathered is written in one call, and fsynced under SYNC_FLUSH. */
async function benchRaw(directory: string, sync: boolean): Promise<Measure> {
  const files = new RawFiles(directory, sync);
  const measure = await timed(sync ? SYNC_RECORDS : ASYNC_RECORDS, (count) => files.append(count));
  await files.close();
  return { ...measure, batches: files.batchCount };
}

class RawFiles {
  batchCount = 0;
  readonly #directory: string;
  readonly #sync: boolean;
  readonly #source = Buffer.alloc(IN_FLIGHT * RECORD_BYTES, 7);
  #file: VfsFile | undefined;
  #position = 0;
  #waitingBytes = 0;
  #waiting: (() => void)[] = [];
  #running = false;

  constructor(directory: string, sync: boolean) {
    this.#directory = directory;
    this.#sync = sync;
  }

  append(count: number): Promise<void> {
    this.#waitingBytes += count * RECORD_BYTES;
    if (!this.#running) {
      this.#running = true;
      setImmediate(() => void this.#run());
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async close(): Promise<void> {
    await this.#file?.close();
  }

  async #run(): Promise<void> {
    while (this.#waitingBytes > 0) {
      const sizeBytes = this.#waitingBytes;
      const waiting = this.#waiting;
      this.#waitingBytes = 0;
      this.#waiting = [];
      this.batchCount++;
      if (this.#file === undefined || this.#position + sizeBytes > SEGMENT_BYTES) await this.#nextFile();
      await this.#file!.write([this.#source.subarray(0, sizeBytes)], this.#position);
      this.#position += sizeBytes;
      if (this.#sync) await this.#file!.sync();
      for (const resolve of waiting) resolve();
    }
    this.#running = false;
  }

  async #nextFile(): Promise<void> {
    await this.#file?.close();
    this.#file = await nodeVfs.open(join(this.#directory, String(this.batchCount)), 'create');
    await this.#file.truncate(SEGMENT_BYTES);
    await this.#file.sync();
    this.#position = 0;
  }
}

/** Appends `records` records; each wave waits until its records are stored before it appends again. */
async function timed(records: number, append: (count: number) => Promise<void>): Promise<Omit<Measure, 'batches'>> {
  const startedMs = performance.now();
  const cpu = process.cpuUsage();
  let done = 0;
  const wave = async (): Promise<void> => {
    for (; done < records; done += IN_FLIGHT / WAVES) await append(IN_FLIGHT / WAVES);
  };
  const first = wave();
  // The second one starts while the first one's records are on their way.
  await new Promise((resolve) => setImmediate(resolve));
  await Promise.all([first, wave()]);
  const used = process.cpuUsage(cpu);
  return { records: done, elapsedMs: performance.now() - startedMs, cpuMs: (used.user + used.system) / 1000 };
}

function report(line: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

const base = await mkdtemp(join(process.argv[2] ?? tmpdir(), 'orbitmq-bench-'));
try {
  for (const sync of [false, true]) {
    for (let round = 1; round <= ROUNDS; round++) {
      const log = await measured(base, sync, benchLog);
      const raw = await measured(base, sync, benchRaw);
      report({
        mode: sync ? 'SYNC_FLUSH' : 'ASYNC_FLUSH',
        round,
        log: perSecond(log),
        raw: perSecond(raw),
        ...details(log, raw),
      });
    }
  }
} finally {
  await rm(base, { recursive: true });
}
