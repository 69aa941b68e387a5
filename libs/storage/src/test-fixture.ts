import { type Clock, seededRandom } from '@orbitmq/base';
import { memoryVfs, type Vfs } from '@orbitmq/vfs';
import { type CommitLogArguments, openCommitLog } from './commit-log.ts';
import type { CommitLog, LogRecord } from './log.ts';

export const DIRECTORY = '/data';
export const WALL_MS = 1_700_000_000_000;

/** A clock that stands still; its timers fire only when they are told to. */
export class StoppedClock implements Clock {
  nowMs = 0;
  timers: { delayMs: number; callback: () => void }[] = [];

  wallMs(): number {
    return WALL_MS + this.nowMs;
  }

  monotonicMs(): number {
    return this.nowMs;
  }

  setTimer(delayMs: number, callback: () => void): { cancel(): void } {
    const timer = { delayMs, callback };
    this.timers.push(timer);
    return {
      cancel: () => {
        this.timers = this.timers.filter((other) => other !== timer);
      },
    };
  }

  /** Fires what is set now. */
  fire(): void {
    const due = this.timers;
    this.timers = [];
    for (const { callback } of due) callback();
  }
}

/** A log in memory with small segments. */
export function openTestLog(vfs: Vfs = memoryVfs(), changes: Partial<CommitLogArguments> = {}): Promise<CommitLog> {
  return openCommitLog({
    vfs,
    clock: new StoppedClock(),
    random: seededRandom(1),
    directory: DIRECTORY,
    options: { flushDiskType: 'SYNC_FLUSH', segmentSizeBytes: 8192, ...changes.options },
    ...(changes.clock && { clock: changes.clock }),
    ...(changes.random && { random: changes.random }),
    ...(changes.onFailure && { onFailure: changes.onFailure }),
    ...(changes.role && { role: changes.role }),
    ...(changes.lead && { lead: changes.lead }),
  });
}

/** Appends `count` records of `payloadBytes` with the bytes `first`, `first` + 1 … */
export function appendMany(log: CommitLog, count: number, payloadBytes: number, first = 0): LogRecord[] {
  return Array.from({ length: count }, (_, index) => log.append(8, [Buffer.alloc(payloadBytes, first + index)]));
}

export async function scanAll(log: CommitLog): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  await log.scan(log.startOffset, log.endOffset, (record) => records.push(record));
  return records;
}

/** Every file's content, by path. */
export async function imageOf(vfs: Vfs): Promise<Map<string, string>> {
  const image = new Map<string, string>();
  for (const name of await vfs.list(`${DIRECTORY}/commitlog`)) {
    image.set(name, Buffer.from(await contentOf(vfs, name)).toString('hex'));
  }
  return image;
}

export async function contentOf(vfs: Vfs, name: string): Promise<Uint8Array> {
  const path = `${DIRECTORY}/commitlog/${name}`;
  const content = new Uint8Array((await vfs.stat(path))!.sizeBytes);
  const file = await vfs.open(path, 'read');
  await file.read(content, 0);
  await file.close();
  return content;
}

export async function overwrite(vfs: Vfs, name: string, position: number, bytes: Uint8Array): Promise<void> {
  const file = await vfs.open(`${DIRECTORY}/commitlog/${name}`, 'write');
  await file.write([bytes], position);
  await file.close();
}

/** A file system of its own with the same files below `DIRECTORY`. */
export async function copyOf(vfs: Vfs): Promise<Vfs> {
  const copy = memoryVfs();
  await copy.makeDirectory(`${DIRECTORY}/commitlog`);
  for (const name of await vfs.list(`${DIRECTORY}/commitlog`)) {
    const file = await copy.open(`${DIRECTORY}/commitlog/${name}`, 'create');
    await file.write([await contentOf(vfs, name)], 0);
    await file.close();
  }
  return copy;
}
