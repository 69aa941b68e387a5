import { assert } from '@orbitmq/base';
import type { Vfs, VfsFile } from '@orbitmq/vfs';
import type { Segment } from './segment.ts';

/** Files of sealed segments that stay open without a user. */
const IDLE_OPEN_MAX = 16;

interface OpenFile {
  readonly file: Promise<VfsFile>;
  /** Also used for writing: stays open until it is released. */
  pinned: boolean;
  userCount: number;
}

/** The open files of a log: those being written, and a few that were read lately. A map keeps its keys in order of use. */
export class SegmentFiles {
  readonly #vfs: Vfs;
  readonly #open = new Map<Segment, OpenFile>();

  constructor(vfs: Vfs) {
    this.#vfs = vfs;
  }

  /** Keeps a file open, which is used for writing. */
  pin(segment: Segment, file: VfsFile): void {
    assert(!this.#open.has(segment), `segment ${segment.startOffset} is open already`);
    this.#open.set(segment, { file: Promise.resolve(file), pinned: true, userCount: 0 });
  }

  /** The segment will not be written any more. */
  async unpin(segment: Segment): Promise<void> {
    const entry = this.#open.get(segment);
    if (entry !== undefined) entry.pinned = false;
    await this.#closeIdle(IDLE_OPEN_MAX);
  }

  /** Runs `action` with the segment's file, which stays open meanwhile. */
  async use<T>(segment: Segment, action: (file: VfsFile) => Promise<T>): Promise<T> {
    const entry = this.#open.get(segment) ?? {
      file: this.#vfs.open(segment.path, 'read'),
      pinned: false,
      userCount: 0,
    };
    this.#open.delete(segment);
    this.#open.set(segment, entry);
    entry.userCount++;
    try {
      return await action(await entry.file);
    } catch (error) {
      if (!entry.pinned) this.#open.delete(segment);
      throw error;
    } finally {
      entry.userCount--;
      if (entry.userCount === 0 && this.#open.get(segment) !== entry) await closeOpened(entry);
      await this.#closeIdle(IDLE_OPEN_MAX);
    }
  }

  /** Closes the file of a segment that is going to be removed, when its last user has gone. */
  async forget(segment: Segment): Promise<void> {
    const entry = this.#open.get(segment);
    this.#open.delete(segment);
    if (entry !== undefined && entry.userCount === 0) await closeOpened(entry);
  }

  /** Closes all files; those in use when their users have gone. */
  async closeAll(): Promise<void> {
    const entries = [...this.#open.values()];
    this.#open.clear();
    for (const entry of entries) if (entry.userCount === 0) await closeOpened(entry);
  }

  async #closeIdle(openMax: number): Promise<void> {
    let excess = this.#open.size - openMax;
    for (const [segment, entry] of this.#open) {
      if (excess <= 0) return;
      if (entry.pinned || entry.userCount > 0) continue;
      this.#open.delete(segment);
      excess--;
      await closeOpened(entry);
    }
  }
}

async function closeOpened(entry: OpenFile): Promise<void> {
  const file = await entry.file.catch(() => undefined);
  await file?.close();
}
