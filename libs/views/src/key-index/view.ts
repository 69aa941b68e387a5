import { type Vfs, VfsError } from '@orbitmq/vfs';
import { findInFile, isKeyFileName, type KeyFile, KeyFileDamage, readKeyFile, writeKeyFile } from './key-file.ts';
import { KeyPart } from './key-part.ts';

/** Keys of one part in memory; then it goes into a file, also in the middle of a segment. */
const PART_COUNT_MAX = 500_000;
/** A search that has found so many places in files leaves the older files to the next one. */
const PLACES_ENOUGH = 10_000;

/** Where a search goes on. */
export interface KeySearch {
  readonly low: number;
  readonly high: number;
  /** Only places from here on. */
  readonly from: number;
  /** Only places before this. */
  readonly to: number;
  /** Files that are looked at. */
  readonly filesMax: number;
}

/** Places under a hash, the newest first. */
export interface KeyPlaces {
  readonly physicalOffsets: readonly number[];
  /** Everything from here up to the `to` of the search has been looked at. */
  readonly searchedFrom: number;
}

/**
 * Where in the log keys occur: one sorted file for each range of the log (a segment, or a part of one), and what is
 * behind them in memory, also while the next file is being written. It is filled by somebody who follows the log; nothing waits for it, and all of it can be made
 * again from the log. Memory: 12 bytes a key of the open part and the one before, 12 bytes for each 4096 in files.
 */
export class KeyIndex {
  readonly #vfs: Vfs;
  readonly #directory: string;
  /** In the order of the log; they never overlap. */
  #files: KeyFile[] = [];
  #open: KeyPart | undefined;
  /** A part that gets no more, until its file is written. */
  #closed: { readonly part: KeyPart; readonly end: number } | undefined;

  /** @param directory for its files; it exists */
  constructor(vfs: Vfs, directory: string) {
    this.#vfs = vfs;
    this.#directory = directory;
  }

  /** The open part has as many keys as it may. */
  get isFull(): boolean {
    return this.#open !== undefined && this.#open.count >= PART_COUNT_MAX;
  }

  /** A part is closed and has no file yet. */
  get hasClosed(): boolean {
    return this.#closed !== undefined;
  }

  /** Takes over the files that are whole and lie in [logStart, logEnd); removes the others. */
  async recover(logStart: number, logEnd: number, onDamage: (error: Error) => void): Promise<void> {
    const found: KeyFile[] = [];
    for (const name of (await this.#vfs.list(this.#directory)).sort()) {
      const path = `${this.#directory}/${name}`;
      const file = isKeyFileName(name) ? await this.#tryRead(path, onDamage) : undefined;
      const isWanted = file && file.start >= (found.at(-1)?.end ?? logStart) && file.end <= logEnd;
      if (isWanted) found.push(file);
      else await this.#vfs.remove(path);
    }
    this.#files = found;
  }

  /** First byte at or behind `position` that neither a file nor a closed part stands for. */
  uncoveredFrom(position: number): number {
    let from = position;
    for (const { start, end } of this.#covered()) if (start <= from && from < end) from = end;
    return from;
  }

  /** First byte behind `position` that a file or a closed part stands for; Infinity when there is none. */
  coveredFrom(position: number): number {
    return this.#covered().find(({ start }) => start >= position)?.start ?? Number.POSITIVE_INFINITY;
  }

  /** Begins a part, which must not be covered by a file. What an unfinished one held is dropped. */
  begin(start: number): void {
    this.#open = new KeyPart(start);
  }

  add(low: number, high: number, physicalOffset: number): void {
    this.#open!.add(low, high, physicalOffset);
  }

  /** Ends the open part at `end`, so that the next one can be begun; there must be no other closed one. */
  close(end: number): void {
    this.#closed = { part: this.#open!, end };
    this.#open = undefined;
  }

  /** Writes the closed part to a file. When that fails it stays, and it can be tried again. */
  async fileClosed(): Promise<void> {
    const { part, end } = this.#closed!;
    const file = await writeKeyFile(this.#vfs, this.#directory, part, end);
    const at = this.#files.findLastIndex(({ start }) => start < file.start) + 1;
    this.#files.splice(at, 0, file);
    this.#closed = undefined;
  }

  /** Forgets parts that end at or before `logStart`, and removes their files. */
  async removeBefore(logStart: number): Promise<void> {
    const gone = this.#files.filter(({ end }) => end <= logStart);
    if (gone.length === 0) return;
    this.#files = this.#files.filter(({ end }) => end > logStart);
    for (const { path } of gone) await this.#vfs.remove(path);
    await this.#vfs.syncDirectory(this.#directory);
  }

  /**
   * Looks for places under a hash, in the newest parts first. A damaged file is dropped: whoever fills the index is to
   * make it again.
   * @param onDamage hears of it
   */
  async find(
    search: KeySearch,
    onDamage: (error: Error, file: { start: number; end: number }) => void,
  ): Promise<KeyPlaces> {
    const { low, high, from, to, filesMax } = search;
    const places: number[] = [];
    for (const part of [this.#open, this.#closed?.part]) {
      if (part !== undefined && part.start < to) addAll(places, part.find(low, high), from, to);
    }
    let searchedFrom = from;
    let left = filesMax;
    let filedCount = 0;
    for (const file of this.#files.toReversed()) {
      if (file.start >= to || file.end <= from) continue;
      if (left-- === 0 || filedCount >= PLACES_ENOUGH) {
        searchedFrom = file.end;
        break;
      }
      try {
        filedCount += addAll(places, await findInFile(this.#vfs, file, low, high), from, to);
      } catch (error) {
        // Retention may have taken it while it was being read.
        if (!this.#files.includes(file)) continue;
        if (!(error instanceof KeyFileDamage || error instanceof VfsError)) throw error;
        this.#files = this.#files.filter((other) => other !== file);
        onDamage(error, file);
      }
    }
    const physicalOffsets = places.filter((place) => place >= searchedFrom).sort((a, b) => b - a);
    return { physicalOffsets, searchedFrom };
  }

  /** In the order of the log. */
  #covered(): { readonly start: number; readonly end: number }[] {
    const closed = this.#closed;
    if (closed === undefined) return this.#files;
    return [...this.#files, { start: closed.part.start, end: closed.end }].sort(
      (one, other) => one.start - other.start,
    );
  }

  async #tryRead(path: string, onDamage: (error: Error) => void): Promise<KeyFile | undefined> {
    try {
      return await readKeyFile(this.#vfs, path);
    } catch (error) {
      if (!(error instanceof KeyFileDamage || error instanceof VfsError)) throw error;
      onDamage(error);
      return undefined;
    }
  }
}

/** Adds the places that lie in [from, to), one by one: half a million are too many arguments for a call. @returns how many */
function addAll(places: number[], found: readonly number[], from: number, to: number): number {
  let count = 0;
  for (let index = found.length - 1; index >= 0; index--) {
    const place = found[index]!;
    if (place < from || place >= to) continue;
    places.push(place);
    count++;
  }
  return count;
}
