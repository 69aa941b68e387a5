/**
 * Files as the engine sees them. Every implementation passes the same contract suite (`testkit`), so that memory,
 * faulty and simulated disks are ordinary values.
 */
export interface Vfs {
  /** Creates a directory and what is missing above it; each new name is durable on return. */
  makeDirectory(path: string): Promise<void>;
  /** Names in a directory, sorted. An absent directory has none. */
  list(path: string): Promise<string[]>;
  /**
   * Opens a file.
   * `read`: it must exist; writes fail. `write`: it must exist. `create`: it must not exist; its name is durable only
   * after `syncDirectory` of the parent.
   * @throws VfsError
   */
  open(path: string, mode: 'read' | 'write' | 'create'): Promise<VfsFile>;
  /** Size and last modification, or undefined when there is no such file. */
  stat(path: string): Promise<VfsStat | undefined>;
  /** Replaces `target` as a whole. Durable only after `syncDirectory` of the parent. */
  rename(source: string, target: string): Promise<void>;
  /** Removes a file; nothing happens when it is absent. Durable only after `syncDirectory` of the parent. */
  remove(path: string): Promise<void>;
  /** Makes the names in a directory durable. */
  syncDirectory(path: string): Promise<void>;
  /** Room on the disk that holds `path`: what is used and what this process may still use make up the total. */
  diskSpace(path: string): Promise<{ readonly totalBytes: number; readonly availableBytes: number }>;
  /**
   * Takes a directory for this process alone, until `release` or the process's end.
   * @throws VfsError with code `LOCKED` when another live process holds it
   */
  lock(directory: string): Promise<{ release(): Promise<void> }>;
}

export interface VfsStat {
  readonly sizeBytes: number;
  readonly modifiedMs: number;
}

/** An open file. Operations on one file may overlap; the caller orders those that touch the same bytes. */
export interface VfsFile {
  readonly path: string;
  /** Fills `target` from `position` and returns the number of bytes read: fewer than asked only at the file's end. */
  read(target: Uint8Array, position: number): Promise<number>;
  /**
   * Writes all parts one behind the other. Short and interrupted writes are completed or the call fails: never a hole.
   * The caller leaves the parts unchanged until the promise settles.
   */
  write(parts: readonly Uint8Array[], position: number): Promise<void>;
  /** Makes the content and size durable (fdatasync). Never repeat it after it failed: the second answer would lie. */
  sync(): Promise<void>;
  /** Sets the size; a longer file reads as zeros. */
  truncate(sizeBytes: number): Promise<void>;
  /** Idempotent. */
  close(): Promise<void>;
}

/** An operation on a file that failed, with the system's code (`ENOENT`, `ENOSPC`, `EIO` …) or `LOCKED`. */
export class VfsError extends Error {
  readonly code: string;
  readonly operation: string;
  readonly path: string;

  constructor(code: string, operation: string, path: string, cause?: unknown) {
    super(`${operation} ${path}: ${code}`, cause === undefined ? undefined : { cause });
    this.name = 'VfsError';
    this.code = code;
    this.operation = operation;
    this.path = path;
  }
}
