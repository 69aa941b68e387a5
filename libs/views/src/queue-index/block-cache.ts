import { KIB, MIB } from '@orbitmq/base';
import type { Vfs, VfsFile } from '@orbitmq/vfs';
import { blockRange, checkBlock, type IndexFile } from './index-file.ts';

const BYTES_MAX = 16 * MIB;
const BLOCKS_MAX = BYTES_MAX / (48 * KIB);
const FILES_OPEN_MAX = 16;

interface OpenFile {
  readonly opened: Promise<VfsFile>;
  users: number;
  evicted: boolean;
}

/** Blocks of index files that were used lately (16 MiB) and the files that they come from (16 open at most). */
export class BlockCache {
  readonly #vfs: Vfs;
  /** In the order of their last use. */
  readonly #blocks = new Map<string, Uint32Array>();
  readonly #loading = new Map<string, Promise<void>>();
  readonly #files = new Map<string, OpenFile>();

  constructor(vfs: Vfs) {
    this.#vfs = vfs;
  }

  /** Words of a block when it is held in memory. */
  get(file: IndexFile, block: number): Uint32Array | undefined {
    const key = `${file.path}#${block}`;
    const words = this.#blocks.get(key);
    if (words === undefined) return undefined;
    this.#blocks.delete(key);
    this.#blocks.set(key, words);
    return words;
  }

  /**
   * Brings a block into memory.
   * @throws IndexFileDamage
   */
  load(file: IndexFile, block: number): Promise<void> {
    const key = `${file.path}#${block}`;
    let loading = this.#loading.get(key);
    if (loading === undefined) {
      loading = this.#read(file, block, key).finally(() => this.#loading.delete(key));
      this.#loading.set(key, loading);
    }
    return loading;
  }

  /** Forgets a file: it is about to be replaced or removed. */
  async drop(path: string): Promise<void> {
    for (const key of this.#blocks.keys()) if (key.startsWith(`${path}#`)) this.#blocks.delete(key);
    await this.#evict(path);
  }

  async close(): Promise<void> {
    this.#blocks.clear();
    for (const path of [...this.#files.keys()]) await this.#evict(path);
  }

  async #read(file: IndexFile, block: number, key: string): Promise<void> {
    const { position, length } = blockRange(file, block);
    const words = new Uint32Array(length / 4);
    const bytes = new Uint8Array(words.buffer);
    await this.#use(file.path, (handle) => handle.read(bytes, position));
    checkBlock(file, block, bytes);
    this.#blocks.set(key, words);
    if (this.#blocks.size > BLOCKS_MAX) this.#blocks.delete(this.#blocks.keys().next().value!);
  }

  async #use<Result>(path: string, work: (file: VfsFile) => Promise<Result>): Promise<Result> {
    let entry = this.#files.get(path);
    if (entry === undefined) entry = { opened: this.#vfs.open(path, 'read'), users: 0, evicted: false };
    else this.#files.delete(path);
    this.#files.set(path, entry);
    entry.users++;
    try {
      return await work(await entry.opened);
    } catch (error) {
      if (this.#files.get(path) === entry) this.#files.delete(path);
      entry.evicted = true;
      throw error;
    } finally {
      entry.users--;
      if (entry.evicted && entry.users === 0) await closeOpened(entry);
      if (this.#files.size > FILES_OPEN_MAX) await this.#evict(this.#files.keys().next().value!);
    }
  }

  async #evict(path: string): Promise<void> {
    const entry = this.#files.get(path);
    if (entry === undefined) return;
    this.#files.delete(path);
    entry.evicted = true;
    if (entry.users === 0) await closeOpened(entry);
  }
}

/** Closes a file; one that never opened has told its users why. */
async function closeOpened(entry: OpenFile): Promise<void> {
  const file = await entry.opened.catch(() => undefined);
  await file?.close();
}
