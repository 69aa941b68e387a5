import { promises as fs, open as openDescriptor } from 'node:fs';
import { dirname } from 'node:path';
import { NodeFile } from './node-file.ts';
import { lockDirectory } from './node-lock.ts';
import type { Vfs, VfsFile } from './vfs.ts';
import { toVfsError } from './vfs-error.ts';

const FLAGS = { read: 'r', write: 'r+', create: 'wx+' } as const;

/** The machine's file system. */
export const nodeVfs: Vfs = {
  async makeDirectory(path) {
    const missing: string[] = [];
    for (let at = path; !(await isDirectory(at)); at = dirname(at)) missing.push(at);
    for (const at of missing.reverse()) {
      await wrap('makeDirectory', at, fs.mkdir(at)).catch((error) => {
        if (error.code !== 'EEXIST') throw error;
      });
      await syncDirectory(dirname(at));
    }
  },

  async list(path) {
    const names = await absentAs<string[]>([], wrap('list', path, fs.readdir(path)));
    return names.sort();
  },

  open(path, mode): Promise<VfsFile> {
    return new Promise((resolve, reject) => {
      openDescriptor(path, FLAGS[mode], (error, descriptor) => {
        if (error) reject(toVfsError('open', path, error));
        else resolve(new NodeFile(path, descriptor));
      });
    });
  },

  async stat(path) {
    const stat = await absentAs(undefined, wrap('stat', path, fs.stat(path)));
    return stat && { sizeBytes: stat.size, modifiedMs: stat.mtimeMs };
  },

  rename: (source, target) => wrap('rename', source, fs.rename(source, target)),

  remove: (path) => absentAs(undefined, wrap('remove', path, fs.unlink(path))),

  syncDirectory,

  async diskSpace(path) {
    const { bsize, blocks, bfree, bavail } = await wrap('diskSpace', path, fs.statfs(path));
    // blocks that are reserved for root are neither used nor ours: left out, as df does for its percentage
    return { totalBytes: bsize * (blocks - bfree + bavail), availableBytes: bsize * bavail };
  },

  lock: lockDirectory,
};

async function isDirectory(path: string): Promise<boolean> {
  const stat = await absentAs(undefined, wrap('makeDirectory', path, fs.stat(path)));
  return stat?.isDirectory() ?? false;
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await wrap('syncDirectory', path, fs.open(path, 'r'));
  try {
    await wrap('syncDirectory', path, handle.sync());
  } finally {
    await handle.close();
  }
}

async function wrap<T>(operation: string, path: string, result: Promise<T>): Promise<T> {
  try {
    return await result;
  } catch (error) {
    throw toVfsError(operation, path, error);
  }
}

async function absentAs<T>(value: T, result: Promise<T>): Promise<T> {
  try {
    return await result;
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return value;
    throw error;
  }
}
