import { crc32 } from 'node:zlib';
import { type Vfs, VfsError } from '@orbitmq/vfs';
import type { EpochStart } from './replica.ts';

const FILE = 'epochs';
const VERSION = 1;

/** Where the epochs of a log begin, in memory. Epochs rise strictly, and so do their begins. */
export class Epochs {
  #starts: EpochStart[];

  constructor(starts: readonly EpochStart[] = []) {
    this.#starts = [...starts];
  }

  /** The newest epoch; 0 when there is none. */
  get last(): number {
    return this.#starts.at(-1)?.epoch ?? 0;
  }

  /** Notes that a record of an epoch lies at an offset; only the first one of each counts. */
  note(epoch: number, physicalOffset: number): void {
    if (epoch > this.last) this.#starts.push({ epoch, startOffset: physicalOffset });
  }

  /** Whether what lay at an offset when an epoch was the newest is what lies there now: no later one began at or before it. */
  isKept(epoch: number, physicalOffset: number): boolean {
    for (let index = this.#starts.length - 1; index >= 0; index--) {
      const start = this.#starts[index]!;
      if (start.epoch <= epoch) return true;
      if (start.startOffset <= physicalOffset) return false;
    }
    return true;
  }

  /** Epoch of what lies at an offset; 0 when that is not known. */
  at(physicalOffset: number): number {
    for (let index = this.#starts.length - 1; index >= 0; index--) {
      const { epoch, startOffset } = this.#starts[index]!;
      if (startOffset <= physicalOffset) return epoch;
    }
    return 0;
  }

  /** Of the bytes in [from, to): an epoch that began before begins at `from`. */
  within(from: number, to: number): EpochStart[] {
    const starts: EpochStart[] = [];
    for (const { epoch, startOffset } of this.#starts) {
      if (startOffset >= to) break;
      if (startOffset <= from) starts.length = 0;
      starts.push({ epoch, startOffset: Math.max(startOffset, from) });
    }
    return starts;
  }
}

/** Epochs as they were once written down: all of those that begin before `coveredTo`. */
export interface StoredEpochs {
  readonly logId: string;
  readonly coveredTo: number;
  readonly starts: readonly EpochStart[];
}

/**
 * Reads the file `epochs` beside the segments, which spares a start the search for epochs in old segments. It can always be made
 * again from the log; undefined when it is not there or not whole.
 */
export async function readEpochs(vfs: Vfs, directory: string): Promise<StoredEpochs | undefined> {
  const path = `${directory}/${FILE}`;
  const stat = await vfs.stat(path);
  if (stat === undefined) return undefined;
  const bytes = Buffer.alloc(stat.sizeBytes);
  const file = await vfs.open(path, 'read');
  try {
    await file.read(bytes, 0);
  } finally {
    await file.close();
  }
  return decode(bytes);
}

/**
 * Replaces the file as a whole.
 * @returns false when there is no room: it then says what it did before, which is still true
 */
export async function writeEpochs(vfs: Vfs, directory: string, stored: StoredEpochs): Promise<boolean> {
  const path = `${directory}/${FILE}`;
  const temporary = `${path}.tmp`;
  try {
    await vfs.remove(temporary);
    const file = await vfs.open(temporary, 'create');
    try {
      await file.write([encode(stored)], 0);
      await file.sync();
    } finally {
      await file.close();
    }
    await vfs.rename(temporary, path);
    await vfs.syncDirectory(directory);
    return true;
  } catch (error) {
    if (!(error instanceof VfsError)) throw error;
    await vfs.remove(temporary).catch(() => {});
    return false;
  }
}

export async function removeEpochs(vfs: Vfs, directory: string): Promise<void> {
  await vfs.remove(`${directory}/${FILE}`);
  await vfs.syncDirectory(directory);
}

/** A line with the CRC-32 of the next one, which holds the values as JSON. */
function encode({ logId, coveredTo, starts }: StoredEpochs): Buffer {
  const pairs = starts.map(({ epoch, startOffset }) => [epoch, startOffset]);
  const text = JSON.stringify({ version: VERSION, logId, coveredTo, epochs: pairs });
  return Buffer.from(`${crc32(text)}\n${text}\n`);
}

function decode(bytes: Buffer): StoredEpochs | undefined {
  const [sum, text] = bytes.toString('utf8').split('\n');
  if (sum === undefined || text === undefined || String(crc32(text)) !== sum) return undefined;
  const { version, logId, coveredTo, epochs } = JSON.parse(text) as {
    version: number;
    logId: string;
    coveredTo: number;
    epochs: [number, number][];
  };
  if (version !== VERSION) return undefined;
  return { logId, coveredTo, starts: epochs.map(([epoch, startOffset]) => ({ epoch, startOffset })) };
}
