import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock, systemRandom } from '@orbitmq/base';
import { type CommitLog, openCommitLog } from '@orbitmq/storage';
import { nodeVfs } from '@orbitmq/vfs';

/** The log of these tests: segments so small that they roll all the time. */
export const LOG_OPTIONS = {
  flushDiskType: 'SYNC_FLUSH',
  segmentSizeBytes: 64 * 1024,
  recordBytesMax: 16 * 1024,
} as const;

/** Content of a record: known from its id. */
export function payloadOf(id: number): Buffer {
  const payload = Buffer.alloc(id % 7 === 0 ? 5_000 + (id % 4_001) : 100 + (id % 300), id & 0xff);
  payload.writeDoubleLE(id, 0);
  return payload;
}

/** What a writer has noted. */
export interface Notes {
  readonly stored: readonly { readonly atNs: bigint; readonly id: number; readonly physicalOffset: number }[];
  readonly removing: readonly { readonly atNs: bigint; readonly physicalOffset: number }[];
}

export function readNotes(path: string): Notes {
  const stored = [];
  const removing = [];
  for (const line of existsSync(path) ? readFileSync(path, 'utf8').split('\n') : []) {
    const [atNs, what, ...numbers] = line.split(' ');
    if (what === 'stored' && numbers.length === 2) {
      stored.push({ atNs: BigInt(atNs!), id: Number(numbers[0]), physicalOffset: Number(numbers[1]) });
    } else if (what === 'removing') removing.push({ atNs: BigInt(atNs!), physicalOffset: Number(numbers[0]) });
  }
  return { stored, removing };
}

/**
 * Recovers the log in `directory` as a restart does and checks it against the notes made before `deadlineNs`: everything stored is
 * there, everything that is there is whole and in order, a second recovery changes no byte, and the log can be written.
 */
export async function checkLog(directory: string, notes: Notes, deadlineNs: bigint): Promise<void> {
  const log = await open(directory);
  const found = new Map<number, number>();
  await log.scan(log.startOffset, log.endOffset, ({ physicalOffset, payload }) => {
    const id = Buffer.from(payload).readDoubleLE(0);
    assert.ok(payloadOf(id).equals(payload), `record ${id} at ${physicalOffset} is not what was written`);
    found.set(id, physicalOffset);
  });
  checkStored(log, found, notes, deadlineNs);
  const image = imageOf(directory);
  await open(directory);
  assert.deepEqual(imageOf(directory), image, 'a second recovery changed bytes');
  log.append(8, [payloadOf(0)]);
  await log.close();
}

function checkStored(log: CommitLog, found: ReadonlyMap<number, number>, notes: Notes, deadlineNs: bigint): void {
  let removedOffset = 0;
  for (const { atNs, physicalOffset } of notes.removing) if (atNs < deadlineNs) removedOffset = physicalOffset;
  assert.ok(log.startOffset <= removedOffset, `begins at ${log.startOffset}, though only ${removedOffset} was to go`);
  for (const { atNs, id, physicalOffset } of notes.stored) {
    if (atNs >= deadlineNs || physicalOffset < log.startOffset) continue;
    assert.equal(found.get(id), physicalOffset, `record ${id}, stored at ${physicalOffset}, is lost`);
  }
}

function open(directory: string): Promise<CommitLog> {
  return openCommitLog({ vfs: nodeVfs, clock: systemClock, random: systemRandom, directory, options: LOG_OPTIONS });
}

function imageOf(directory: string): Record<string, string> {
  const image: Record<string, string> = {};
  const below = join(directory, 'commitlog');
  for (const name of readdirSync(below).sort()) {
    image[name] = createHash('sha256')
      .update(readFileSync(join(below, name)))
      .digest('hex');
  }
  return image;
}
