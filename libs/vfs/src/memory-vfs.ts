import { dirname } from 'node:path/posix';
import { type Vfs, VfsError, type VfsFile } from './vfs.ts';

/** What the memory stands in for, in bytes. */
const SPACE_BYTES = 2 ** 40;

interface MemoryInode {
  data: Uint8Array;
  sizeBytes: number;
  modifiedMs: number;
}

/** Files in memory, gone with the process: for tests that need no faults, and to see how fast a disk could be at best. */
export function memoryVfs(): Vfs {
  const directories = new Set<string>(['/', '.']);
  const files = new Map<string, MemoryInode>();
  const locked = new Set<string>();
  let changes = 0;

  const need = (operation: string, path: string): MemoryInode => {
    const inode = files.get(path);
    if (inode === undefined) throw new VfsError('ENOENT', operation, path);
    return inode;
  };
  const needDirectory = (operation: string, path: string): void => {
    if (!directories.has(path)) throw new VfsError('ENOENT', operation, path);
  };
  const touch = (): number => ++changes;

  return {
    async makeDirectory(path) {
      for (let at = path; !directories.has(at); at = dirname(at)) directories.add(at);
    },
    async list(path) {
      const names: string[] = [];
      for (const at of [...files.keys(), ...directories]) {
        if (at !== path && dirname(at) === path) names.push(at.slice(path === '/' ? 1 : path.length + 1));
      }
      return names.sort();
    },
    async open(path, mode) {
      if (mode !== 'create') return new MemoryFile(path, need('open', path), mode === 'write', touch);
      needDirectory('open', dirname(path));
      if (files.has(path) || directories.has(path)) throw new VfsError('EEXIST', 'open', path);
      const inode = { data: new Uint8Array(0), sizeBytes: 0, modifiedMs: touch() };
      files.set(path, inode);
      return new MemoryFile(path, inode, true, touch);
    },
    async stat(path) {
      const inode = files.get(path);
      if (inode !== undefined) return { sizeBytes: inode.sizeBytes, modifiedMs: inode.modifiedMs };
      return directories.has(path) ? { sizeBytes: 0, modifiedMs: 0 } : undefined;
    },
    async rename(source, target) {
      needDirectory('rename', dirname(target));
      files.set(target, need('rename', source));
      if (source !== target) files.delete(source);
    },
    async remove(path) {
      files.delete(path);
    },
    async syncDirectory(path) {
      needDirectory('syncDirectory', path);
    },
    async diskSpace() {
      let usedBytes = 0;
      for (const inode of files.values()) usedBytes += inode.sizeBytes;
      return { totalBytes: SPACE_BYTES, availableBytes: SPACE_BYTES - usedBytes };
    },
    async lock(directory) {
      needDirectory('lock', directory);
      if (locked.has(directory)) throw new VfsError('LOCKED', 'lock', directory);
      locked.add(directory);
      return {
        release: async () => {
          locked.delete(directory);
        },
      };
    },
  };
}

class MemoryFile implements VfsFile {
  readonly path: string;
  readonly #inode: MemoryInode;
  readonly #writable: boolean;
  readonly #touch: () => number;
  #closed = false;

  constructor(path: string, inode: MemoryInode, writable: boolean, touch: () => number) {
    this.path = path;
    this.#inode = inode;
    this.#writable = writable;
    this.#touch = touch;
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    this.#check('read', false);
    const count = Math.max(0, Math.min(target.length, this.#inode.sizeBytes - position));
    target.set(this.#inode.data.subarray(position, position + count));
    return count;
  }

  async write(parts: readonly Uint8Array[], position: number): Promise<void> {
    this.#check('write', true);
    let at = position;
    for (const part of parts) {
      if (part.length === 0) continue;
      this.#extend(at + part.length);
      this.#inode.data.set(part, at);
      at += part.length;
    }
    this.#inode.modifiedMs = this.#touch();
  }

  async sync(): Promise<void> {
    this.#check('sync', false);
  }

  async truncate(sizeBytes: number): Promise<void> {
    this.#check('truncate', true);
    const inode = this.#inode;
    if (sizeBytes < inode.sizeBytes) inode.data.fill(0, sizeBytes, inode.sizeBytes);
    else this.#extend(sizeBytes);
    inode.sizeBytes = sizeBytes;
    inode.modifiedMs = this.#touch();
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #extend(sizeBytes: number): void {
    const inode = this.#inode;
    if (sizeBytes > inode.data.length) {
      const larger = new Uint8Array(Math.max(sizeBytes, 2 * inode.data.length));
      larger.set(inode.data.subarray(0, inode.sizeBytes));
      inode.data = larger;
    }
    if (sizeBytes > inode.sizeBytes) inode.sizeBytes = sizeBytes;
  }

  #check(operation: string, writes: boolean): void {
    if (this.#closed || (writes && !this.#writable)) throw new VfsError('EBADF', operation, this.path);
  }
}
