import { close, fdatasync, ftruncate, read, write, writev } from 'node:fs';
import { VfsError, type VfsFile } from './vfs.ts';
import { toVfsError } from './vfs-error.ts';

/** Most parts that one system call takes (`IOV_MAX` of Linux). */
const PARTS_MAX = 1024;

/** A file of the operating system, by descriptor: callbacks cost less than `FileHandle` does on every call. */
export class NodeFile implements VfsFile {
  readonly path: string;
  readonly #descriptor: number;
  #closed: Promise<void> | undefined;

  constructor(path: string, descriptor: number) {
    this.path = path;
    this.#descriptor = descriptor;
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    let filled = 0;
    while (filled < target.length) {
      const count = await this.#readOnce(target, filled, position + filled);
      if (count === 0) break;
      filled += count;
    }
    return filled;
  }

  async write(parts: readonly Uint8Array[], position: number): Promise<void> {
    let rest = parts;
    let at = position;
    for (let wanted = byteCount(parts); wanted > 0; ) {
      const count = await this.#writeOnce(rest, at);
      if (count === 0) throw new VfsError('EIO', 'write', this.path);
      wanted -= count;
      at += count;
      if (wanted > 0) rest = partsBehind(rest, count);
    }
  }

  sync(): Promise<void> {
    return this.#call('sync', (done) => fdatasync(this.#open('sync'), done));
  }

  truncate(sizeBytes: number): Promise<void> {
    return this.#call('truncate', (done) => ftruncate(this.#open('truncate'), sizeBytes, done));
  }

  close(): Promise<void> {
    this.#closed ??= new Promise((resolve, reject) => {
      close(this.#descriptor, (error) => (error ? reject(toVfsError('close', this.path, error)) : resolve()));
    });
    return this.#closed;
  }

  /** The descriptor, as long as it is ours: after `close` the system may have given its number to another file. */
  #open(operation: string): number {
    if (this.#closed !== undefined) throw new VfsError('EBADF', operation, this.path);
    return this.#descriptor;
  }

  #call(operation: string, start: (done: (error: Error | null) => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      start((error) => (error ? reject(toVfsError(operation, this.path, error)) : resolve()));
    });
  }

  #readOnce(target: Uint8Array, from: number, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const attempt = (): void =>
        read(this.#open('read'), target, from, target.length - from, position, (error, count) => {
          if (error?.code === 'EINTR' && this.#closed === undefined) attempt();
          else if (error) reject(toVfsError('read', this.path, error));
          else resolve(count);
        });
      attempt();
    });
  }

  /** One system call; it may take less than it was given. */
  #writeOnce(parts: readonly Uint8Array[], position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const done = (error: NodeJS.ErrnoException | null, count: number): void => {
        if (error?.code === 'EINTR' && this.#closed === undefined) attempt();
        else if (error) reject(toVfsError('write', this.path, error));
        else resolve(count);
      };
      const attempt = (): void => {
        const descriptor = this.#open('write');
        if (parts.length === 1) write(descriptor, parts[0]!, 0, parts[0]!.length, position, done);
        else writev(descriptor, parts.slice(0, PARTS_MAX), position, done);
      };
      attempt();
    });
  }
}

function byteCount(parts: readonly Uint8Array[]): number {
  let total = 0;
  for (const part of parts) total += part.length;
  return total;
}

/** What is left of `parts` when the first `count` bytes are taken off. */
function partsBehind(parts: readonly Uint8Array[], count: number): Uint8Array[] {
  let index = 0;
  let rest = count;
  while (index < parts.length && rest >= parts[index]!.length) rest -= parts[index++]!.length;
  const left = parts.slice(index);
  if (rest > 0) left[0] = left[0]!.subarray(rest);
  return left;
}
