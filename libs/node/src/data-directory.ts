import type { Vfs } from '@orbitmq/vfs';
import { VfsError } from '@orbitmq/vfs';

/** Files that a broker of Apache RocketMQ leaves in its store, and we never do. */
const FOREIGN_FILES = ['checkpoint', 'abort', 'config/topics.json'];

/**
 * Refuses a directory that holds the store of an Apache RocketMQ broker, which we can't read and must not harm.
 * @throws Error saying what to do
 */
export async function refuseForeignStore(vfs: Vfs, directory: string): Promise<void> {
  for (const name of FOREIGN_FILES) {
    if ((await vfs.stat(`${directory}/${name}`)) !== undefined) {
      throw new Error(
        `storePathRootDir ${directory} holds the store of an Apache RocketMQ broker (${name}), which has another format: set another storePathRootDir`,
      );
    }
  }
}

/** Says in words what a failure to open the data directory means; anything else is given back as it is. */
export function explainOpenFailure(error: unknown, directory: string): unknown {
  if (!(error instanceof VfsError)) return error;
  if (error.code === 'LOCKED') {
    return new Error(
      `another process has the data directory ${directory}: stop it, or give this broker a storePathRootDir of its own`,
      { cause: error },
    );
  }
  if (error.code === 'EACCES' || error.code === 'EPERM' || error.code === 'EROFS') {
    return new Error(
      `the data directory ${directory} can't be written (${error.code}): check its owner, or set storePathRootDir`,
      {
        cause: error,
      },
    );
  }
  if (error.code === 'ENOSPC') {
    return new Error(`there is no room on the disk of the data directory ${directory}: make some and start again`, {
      cause: error,
    });
  }
  return error;
}
