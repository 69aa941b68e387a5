import type { Vfs, VfsFile } from '@orbitmq/vfs';

/**
 * Replaces a file as a whole: temporary file, fsync, rename, fsync of the directory. What a write that fails has left is
 * removed: on a full disk it would take the room that is kept for acknowledgements.
 */
export async function writeWhole(
  vfs: Vfs,
  directory: string,
  path: string,
  write: (file: VfsFile) => Promise<void>,
): Promise<void> {
  const temporary = `${path}.tmp`;
  await vfs.remove(temporary);
  try {
    const file = await vfs.open(temporary, 'create');
    try {
      await write(file);
      await file.sync();
    } finally {
      await file.close();
    }
    await vfs.rename(temporary, path);
  } catch (error) {
    await vfs.remove(temporary).catch(() => {});
    throw error;
  }
  await vfs.syncDirectory(directory);
}
