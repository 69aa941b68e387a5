/**
 * A process that writes a commit log: `log-writer.ts DIRECTORY NOTES WRITERS RECORDS FLUSH_DISK_TYPE`. Each of WRITERS appends, waits until the record
 * is stored, and notes it in NOTES with the time, until RECORDS are stored. Exits with 3 when the log fails.
 */
import { openSync, writeSync } from 'node:fs';
import { systemClock, systemRandom } from '@orbitmq/base';
import { openCommitLog } from '@orbitmq/storage';
import { nodeVfs } from '@orbitmq/vfs';
import { LOG_OPTIONS, payloadOf } from './log-notes.ts';

const KEPT_BYTES = 6 * LOG_OPTIONS.segmentSizeBytes;

const [directory, notesPath, writerCount, recordCount, flushDiskType] = process.argv.slice(2);
const notes = openSync(notesPath!, 'a');
const note = (line: string): void => {
  writeSync(notes, `${process.hrtime.bigint()} ${line}\n`);
};

const log = await openCommitLog({
  vfs: nodeVfs,
  clock: systemClock,
  random: systemRandom,
  directory: directory!,
  defer: setImmediate,
  options: { ...LOG_OPTIONS, flushDiskType: flushDiskType === 'ASYNC_FLUSH' ? 'ASYNC_FLUSH' : 'SYNC_FLUSH' },
  onFailure: () => process.exit(3),
});

// Ids are unique over all lives of the log: it grows by more than one byte a record. 0 is the checker's.
let nextId = log.endOffset + 1;
let storedCount = 0;

async function write(): Promise<void> {
  while (storedCount < Number(recordCount)) {
    const id = nextId++;
    const { physicalOffset } = log.append(8, [payloadOf(id)]);
    await log.settled();
    note(`stored ${id} ${physicalOffset}`);
    storedCount++;
    if (storedCount % 100 === 0 && log.endOffset - log.startOffset > KEPT_BYTES) await removeOldest();
  }
}

async function removeOldest(): Promise<void> {
  const removeBefore = log.endOffset - KEPT_BYTES;
  note(`removing ${removeBefore}`);
  await log.removeBefore(removeBefore);
}

await Promise.all(Array.from({ length: Number(writerCount) }, write));
await log.close();
