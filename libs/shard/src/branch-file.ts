import { crc32 } from 'node:zlib';
import type { Vfs } from '@orbitmq/vfs';

/** Where a copy that stands in for its leader left the leader's log. */
export interface Branch {
  /** Everything from this byte on is the copy's own; its leader never had it. */
  readonly startOffset: number;
  /** Epoch that begins there. */
  readonly epoch: number;
  /** What of the leader's log is known to be confirmed: messages behind it are shown to nobody. */
  readonly confirmedOffset: number;
}

const FILE = 'branch';
const VERSION = 1;

/** Reads the file `branch` of a shard's directory; undefined when there is none. */
export async function readBranch(vfs: Vfs, directory: string): Promise<Branch | undefined> {
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

/** Durable when it resolves: goes before the first byte of the branch. */
export async function writeBranch(vfs: Vfs, directory: string, branch: Branch): Promise<void> {
  const path = `${directory}/${FILE}`;
  const temporary = `${path}.tmp`;
  await vfs.remove(temporary);
  const file = await vfs.open(temporary, 'create');
  try {
    await file.write([encode(branch)], 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await vfs.rename(temporary, path);
  await vfs.syncDirectory(directory);
}

/** Goes behind the cut of the branch. Nothing happens when there is no such file. */
export async function removeBranch(vfs: Vfs, directory: string): Promise<void> {
  if ((await vfs.stat(`${directory}/${FILE}`)) === undefined) return;
  await vfs.remove(`${directory}/${FILE}`);
  await vfs.syncDirectory(directory);
}

/** A line with the CRC-32 of the next one, which holds the values as JSON. */
function encode({ startOffset, epoch, confirmedOffset }: Branch): Buffer {
  const text = JSON.stringify({ version: VERSION, startOffset, epoch, confirmedOffset });
  return Buffer.from(`${crc32(text)}\n${text}\n`);
}

function decode(bytes: Buffer): Branch | undefined {
  const [sum, text] = bytes.toString('utf8').split('\n');
  if (sum === undefined || text === undefined || String(crc32(text)) !== sum) return undefined;
  const { version, startOffset, epoch, confirmedOffset } = JSON.parse(text) as Branch & { readonly version: number };
  return version === VERSION ? { startOffset, epoch, confirmedOffset } : undefined;
}
