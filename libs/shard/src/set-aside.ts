import type { ReplicatedLog } from '@orbitmq/storage';
import type { Vfs } from '@orbitmq/vfs';

/** Read at once. Bytes. */
const CHUNK_BYTES = 512 * 1024;

/** Where a tail is kept. */
export interface SetAsideArguments {
  readonly vfs: Vfs;
  /** Of the shard; the file comes into `set-aside` below it. */
  readonly directory: string;
}

/**
 * Copies what a follower has stored from `from` on into a file of its own, before it is cut: records as they lie in the log, of blanks
 * their headers only. Durable when it resolves. A file of the same part from an attempt that did not end is replaced.
 * @param from begin of a record
 * @returns path of the file; undefined when nothing is stored there
 * @throws VfsError; CorruptionError; MqError OFFSET_NOT_FOUND
 */
export async function setTailAside(
  { vfs, directory }: SetAsideArguments,
  log: ReplicatedLog,
  from: number,
): Promise<string | undefined> {
  const end = log.storedOffset;
  if (from >= end) return undefined;
  const folder = `${directory}/set-aside`;
  await vfs.makeDirectory(folder);
  const path = `${folder}/${log.epoch}-${from}-${end}.records`;
  if ((await vfs.stat(path)) !== undefined) await vfs.remove(path);
  const file = await vfs.open(path, 'create');
  try {
    let written = 0;
    for (let position = from; position < end; ) {
      const chunk = await log.readChunk(position, CHUNK_BYTES);
      if (chunk.endOffset === position) break;
      await file.write([chunk.bytes], written);
      written += chunk.bytes.length;
      position = chunk.endOffset;
    }
    await file.sync();
  } finally {
    await file.close();
  }
  await vfs.syncDirectory(folder);
  await vfs.syncDirectory(directory);
  return path;
}
