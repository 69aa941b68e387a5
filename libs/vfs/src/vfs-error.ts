import { VfsError } from './vfs.ts';

/** Turns what the system said about an operation into a `VfsError`; one that is already there passes as it is. */
export function toVfsError(operation: string, path: string, cause: unknown): VfsError {
  if (cause instanceof VfsError) return cause;
  const code = (cause as NodeJS.ErrnoException | undefined)?.code;
  return new VfsError(typeof code === 'string' ? code : 'EUNKNOWN', operation, path, cause);
}
