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
const IN_FLIGHT = 256;
/** Appends of one turn of the event loop where nobody waits for each. */
const TURN_RECORDS = 256;
const ROUNDS = 3;

interface Measure {
  readonly records: number;
  readonly elapsedMs: number;
  readonly cpuMs: number;
  readonly batches: number;
}

const base = await mkdtemp(join(process.argv[2] ?? tmpdir(), 'orbitmq-bench-'));
try {
  for (const sync of [false, true]) {
    for (let round = 1; round <= ROUNDS; round++) {
      const log = await measured(sync, benchLog);
      const raw = await measured(sync, benchRaw);
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

function details(log: Measure, raw: Measure): Record<string, number> {
  return {
    ratio: Number(((perSecond(log) / perSecond(raw)) * 1).toFixed(3)),
    logCpuMicrosecondsPerRecord: Number(((log.cpuMs * 1000) / log.records).toFixed(2)),
    rawCpuMicrosecondsPerRecord: Number(((raw.cpuMs * 1000) / raw.records).toFixed(2)),
    logBatches: log.batches,
    rawBatches: raw.batches,
  };
}

function perSecond({ records, elapsedMs }: Measure): number {
  return Math.round((records / elapsedMs) * 1000);
}

async function measured(sync: boolean, run: (directory: string, sync: boolean) => Promise<Measure>): Promise<Measure> {
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
  const append = (): void => {
    log.append(8, payload);
  };
  const measure = await timed(sync ? SYNC_RECORDS : ASYNC_RECORDS, sync ? IN_FLIGHT : TURN_RECORDS, append, () =>
    log.settled(),
  );
  const batches = log.statistics.batchCount;
  await log.close();
  return { ...measure, batches };
}

/** The same bytes: what was filled since the last write is written in one call, and fsynced under SYNC_FLUSH. */
async function benchRaw(directory: string, sync: boolean): Promise<Measure> {
  const record = Buffer.alloc(RECORD_BYTES, 7);
  let file: VfsFile | undefined;
  let segment = 0;
  let position = 0;
  let batches = 0;
  let waitingCount = 0;
  const write = async (): Promise<void> => {
    if (file === undefined || position + waitingCount * RECORD_BYTES > SEGMENT_BYTES) {
      await file?.close();
      file = await nodeVfs.open(join(directory, String(segment++)), 'create');
      await file.truncate(SEGMENT_BYTES);
      await file.sync();
      position = 0;
    }
    const parts = Array.from({ length: waitingCount }, () => record);
    const at = position;
    position += waitingCount * RECORD_BYTES;
    waitingCount = 0;
    batches++;
    await file.write(parts, at);
    if (sync) await file.sync();
  };
  const append = (): void => {
    waitingCount++;
  };
  const measure = await timed(sync ? SYNC_RECORDS : ASYNC_RECORDS, sync ? IN_FLIGHT : TURN_RECORDS, append, write);
  await file!.close();
  return { ...measure, batches };
}

/** Appends `records` records, `turnRecords` in one turn of the event loop, waiting for each turn's to be stored. */
async function timed(
  records: number,
  turnRecords: number,
  append: () => void,
  stored: () => Promise<void>,
): Promise<Omit<Measure, 'batches'>> {
  const startedMs = performance.now();
  const cpu = process.cpuUsage();
  for (let done = 0; done < records; done += turnRecords) {
    for (let index = 0; index < turnRecords; index++) append();
    await stored();
  }
  const used = process.cpuUsage(cpu);
  return { records, elapsedMs: performance.now() - startedMs, cpuMs: (used.user + used.system) / 1000 };
}

function report(line: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
