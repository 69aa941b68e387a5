import { type Clock, delay } from '@orbitmq/base';
import { type Vfs, VfsError, type VfsFile } from '@orbitmq/vfs';
import type { Segment } from './segment.ts';

const ZEROS = Buffer.alloc(1024 * 1024);
/** Zeros are fsynced in portions, so that an fsync of records never waits for a whole segment of them. */
const ZEROED_PORTION_BYTES = 16 * 1024 * 1024;
const RETRY_MS = 1000;

/** What making segments needs. */
export interface SegmentMaking {
  readonly vfs: Vfs;
  readonly clock: Clock;
  readonly directory: string;
  readonly zeroFill: boolean;
  /** Called with each portion of zeros written. */
  onZeroed(bytes: number): void;
  /** Called each time that there is no room for a segment that is needed now. */
  onStall(error: VfsError): void;
  /** The log is being closed or has failed: nothing more is to be begun. */
  isStopped(): boolean;
}

/** The making of a segment ahead was given up because the log is being closed or has failed. */
export class MakingStopped extends Error {}

/** Makes the file of a segment, at its full size and durable with its name. The file must not exist. */
export async function makeSegment(making: SegmentMaking, segment: Segment): Promise<VfsFile> {
  const file = await making.vfs.open(segment.path, 'create');
  try {
    await file.truncate(segment.sizeBytes);
    if (making.zeroFill) await fillWithZeros(making, file, segment.sizeBytes);
    await file.sync();
    await making.vfs.syncDirectory(making.directory);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/**
 * Makes a segment that is needed now, without zeros, and waits as long as the disk is full. Nothing is acknowledged meanwhile. A file that was
 * begun holds nothing and is thrown away; every other failure is final.
 */
export async function makeSegmentPatiently(making: SegmentMaking, segment: Segment): Promise<VfsFile> {
  for (;;) {
    try {
      return await makeSegment({ ...making, zeroFill: false }, segment);
    } catch (error) {
      if (!isNoRoom(error) || making.isStopped()) throw error;
      await making.vfs.remove(segment.path);
      making.onStall(error);
      await delay(making.clock, RETRY_MS);
    }
  }
}

/** The disk is full. An fsync that says so is another matter: what it was to store may be lost. */
export function isNoRoom(error: unknown): error is VfsError {
  return (
    error instanceof VfsError &&
    (error.code === 'ENOSPC' || error.code === 'EDQUOT') &&
    !error.operation.startsWith('sync')
  );
}

async function fillWithZeros(making: SegmentMaking, file: VfsFile, sizeBytes: number): Promise<void> {
  for (let position = 0; position < sizeBytes; position += ZEROS.length) {
    const count = Math.min(ZEROS.length, sizeBytes - position);
    if (making.isStopped()) throw new MakingStopped('the log is being closed');
    await file.write([ZEROS.subarray(0, count)], position);
    making.onZeroed(count);
    if ((position + count) % ZEROED_PORTION_BYTES === 0) await file.sync();
  }
}
