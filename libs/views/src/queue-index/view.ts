import { assert } from '@orbitmq/base';
import { type Vfs, VfsError } from '@orbitmq/vfs';
import { ByteReader, ByteWriter } from '../bytes.ts';
import { BlockCache } from './block-cache.ts';
import {
  BLOCK_ENTRIES,
  type IndexFile,
  IndexFileDamage,
  indexFileName,
  readIndexFile,
  type SegmentQueue,
  segmentOfIndexFile,
  segmentQueues,
  writeIndexFile,
} from './index-file.ts';
import { IndexedQueue, PART_STRIDE } from './indexed-queue.ts';
import { ENTRY_BYTES, ENTRY_WORDS, type IndexEntry, MemoryPart, readEntry } from './memory-part.ts';

/** First byte and byte behind the last one of a log segment. */
export interface SegmentRange {
  readonly startOffset: number;
  readonly endOffset: number;
}

/** What a message record says about itself. */
export interface IndexedMessage {
  readonly queueUid: number;
  readonly queueOffset: number;
  readonly physicalOffset: number;
  readonly length: number;
  readonly tagHash: number;
}

export interface QueueIndexOptions {
  readonly vfs: Vfs;
  /** For the files of sealed segments; it exists. */
  readonly directory: string;
  /** The segment that holds, or will hold, the byte at `physicalOffset`. */
  segmentAt(physicalOffset: number): SegmentRange;
  /** Walks the message records of a part of the log. @throws CorruptionError */
  scanMessages(from: number, to: number, visit: (message: IndexedMessage) => void): Promise<void>;
  /** Called when a file had to be made again from the log. */
  onRebuilt(path: string, reason: string): void;
}

/** The index of one segment: in memory or in a file, for a moment both. */
interface Part {
  readonly segment: SegmentRange;
  memory: MemoryPart | undefined;
  file: IndexFile | undefined;
  /** Files of it that the disk could not read. */
  readFailures: number;
}

/** After so many, the entries of a segment stay in memory: the disk would fail for ever, and the log be read each time. */
const READ_FAILURES_MAX = 2;

/**
 * Where each message of each queue lies in the log. The part of the open segment is in memory; that of a sealed one in
 * a file, which can be made again from the segment at any time. Memory: 12 bytes a message of the open segment, 24
 * bytes for each queue in each sealed one, and the block cache.
 */
export class QueueIndex {
  readonly #options: QueueIndexOptions;
  readonly #cache: BlockCache;
  readonly #queues = new Map<number, IndexedQueue>();
  /** By segment start. */
  readonly #parts = new Map<number, Part>();
  /** The part that the newest message went to. */
  #open: Part | undefined;
  readonly #rebuilding = new Map<number, Promise<void>>();

  constructor(options: QueueIndexOptions) {
    this.#options = options;
    this.#cache = new BlockCache(options.vfs);
  }

  queue(uid: number): IndexedQueue | undefined {
    return this.#queues.get(uid);
  }

  queues(): IterableIterator<IndexedQueue> {
    return this.#queues.values();
  }

  // The state machine.

  applyQueue(uid: number): void {
    if (!this.#queues.has(uid)) this.#queues.set(uid, new IndexedQueue(uid));
  }

  /** The next message of a queue. Messages of queues that are gone are passed over. */
  applyMessage(queueUid: number, queueOffset: number, physicalOffset: number, length: number, tagHash: number): void {
    const queue = this.#queues.get(queueUid);
    if (queue === undefined) return;
    assert(queueOffset === queue.nextOffset, 'a queue offset of the log is out of order');
    queue.nextOffset++;
    const part = this.#partFor(physicalOffset);
    let run = queue.openRun;
    if (run === undefined || run.segmentStart !== part.segment.startOffset) {
      run = part.memory!.run(queueUid, queueOffset);
      queue.openRun = run;
      queue.addPart(part.segment.startOffset, queueOffset, 0);
    }
    run.add(physicalOffset, length, tagHash);
  }

  /** The messages below `minOffset` are gone. */
  applyTrim(queue: IndexedQueue, minOffset: number): void {
    assert(minOffset <= queue.nextOffset, 'a queue is trimmed behind its end');
    queue.minOffset = Math.max(queue.minOffset, minOffset);
    const { parts } = queue;
    let gone = 0;
    while (gone + PART_STRIDE < parts.length && parts[gone + PART_STRIDE + 1]! <= queue.minOffset) gone += PART_STRIDE;
    if (gone > 0) parts.splice(0, gone);
  }

  applyQueueDeletion(uid: number): void {
    this.#queues.delete(uid);
    for (const part of this.#parts.values()) part.memory?.runs.delete(uid);
  }

  // Looking up.

  /**
   * Fills `entry` when the place of a message is known in memory.
   * @returns false when it must be loaded first
   */
  locate(queue: IndexedQueue, offset: number, entry: IndexEntry): boolean {
    const run = queue.openRun;
    if (run !== undefined && offset >= run.firstOffset) {
      run.locate(entry, offset);
      return true;
    }
    const { part, at } = this.#partWith(queue, offset);
    const memoryRun = part.memory?.runs.get(queue.uid);
    if (memoryRun !== undefined) {
      memoryRun.locate(entry, offset);
      return true;
    }
    const index = queue.parts[at + 2]! + offset - queue.parts[at + 1]!;
    const words = this.#cache.get(part.file!, Math.floor(index / BLOCK_ENTRIES));
    if (words === undefined) return false;
    readEntry(entry, part.segment.startOffset, words, (index % BLOCK_ENTRIES) * ENTRY_WORDS);
    return true;
  }

  /**
   * Brings what `locate` needs into memory; makes a damaged file again.
   * @throws CorruptionError when the file is damaged and its segment too
   */
  async load(queue: IndexedQueue, offset: number): Promise<void> {
    const { part, at } = this.#partWith(queue, offset);
    if (part.file === undefined) return;
    const index = queue.parts[at + 2]! + offset - queue.parts[at + 1]!;
    try {
      await this.#cache.load(part.file, Math.floor(index / BLOCK_ENTRIES));
    } catch (error) {
      // A file that can't be opened or read is no better than one with wrong bytes: the log has it all.
      if (this.#parts.get(part.segment.startOffset) !== part) return;
      noteFailure(part, error);
      await this.#rebuild(part, error instanceof Error ? error.message : String(error));
    }
  }

  // Files.

  /** Segments that have entries in memory or in a file, oldest first. */
  segmentStarts(): number[] {
    return [...this.#parts.keys()].sort((a, b) => a - b);
  }

  /** Whether a segment's entries are in a file, or stay in memory as the disk can't read files of them. */
  isFiled(segmentStart: number): boolean {
    const part = this.#parts.get(segmentStart);
    return part !== undefined && (part.file !== undefined || part.readFailures >= READ_FAILURES_MAX);
  }

  /** Queues with messages in a sealed segment. */
  async queuesOf(segmentStart: number): Promise<readonly SegmentQueue[]> {
    const part = this.#parts.get(segmentStart);
    if (part === undefined) return [];
    if (part.file === undefined) return segmentQueues(part.memory!);
    try {
      return (await readIndexFile(this.#options.vfs, part.file.path)).queues;
    } catch (error) {
      if (!(error instanceof IndexFileDamage || error instanceof VfsError)) throw error;
      noteFailure(part, error);
      await this.#rebuild(part, error.message);
      return part.file === undefined
        ? segmentQueues(part.memory!)
        : (await readIndexFile(this.#options.vfs, part.file.path)).queues;
    }
  }

  /** Writes the file of a segment that is sealed and durable, and lets go of its entries in memory. */
  async file(segment: SegmentRange): Promise<void> {
    let part = this.#parts.get(segment.startOffset);
    if (part === undefined) {
      part = { segment, memory: new MemoryPart(segment.startOffset), file: undefined, readFailures: 0 };
      this.#parts.set(segment.startOffset, part);
    }
    if (part.file !== undefined || part.memory === undefined || part.readFailures >= READ_FAILURES_MAX) return;
    const { vfs, directory } = this.#options;
    const { file, queues } = await writeIndexFile(vfs, directory, part.memory, segment.endOffset);
    this.#adopt(part, file, queues);
  }

  /** Forgets segments that end at or before `logStart`, and removes their files. */
  async removeBefore(logStart: number): Promise<void> {
    const gone = [...this.#parts.values()].filter((part) => part.segment.endOffset <= logStart);
    if (gone.length === 0) return;
    for (const queue of this.#queues.values()) {
      const { parts } = queue;
      let count = 0;
      while (count < parts.length && parts[count]! < logStart) count += PART_STRIDE;
      if (count > 0) parts.splice(0, count);
    }
    for (const part of gone) {
      this.#parts.delete(part.segment.startOffset);
      if (part.file === undefined) continue;
      await this.#cache.drop(part.file.path);
      await this.#options.vfs.remove(part.file.path);
    }
    await this.#options.vfs.syncDirectory(this.#options.directory);
  }

  close(): Promise<void> {
    return this.#cache.close();
  }

  // Recovery.

  /** Takes over the index of a sealed segment that lies before the base state; makes the file again when it must. */
  async recoverSealed(segment: SegmentRange): Promise<void> {
    const path = `${this.#options.directory}/${indexFileName(segment.startOffset)}`;
    const part: Part = { segment, memory: undefined, file: undefined, readFailures: 0 };
    this.#parts.set(segment.startOffset, part);
    try {
      const { file, queues } = await readIndexFile(this.#options.vfs, path);
      if (file.segmentStart !== segment.startOffset || file.segmentEnd !== segment.endOffset) {
        throw new IndexFileDamage(path, 'belongs to another segment');
      }
      this.#announce(part, queues);
      this.#adopt(part, file, queues);
    } catch (error) {
      if (!(error instanceof IndexFileDamage || error instanceof VfsError)) throw error;
      await this.#rebuild(part, error.message, true);
    }
  }

  /** Reads the entries of the segment that holds the base state's position, up to it. */
  async recoverOpen(segment: SegmentRange, to: number): Promise<void> {
    const memory = await this.#scan(segment.startOffset, to);
    this.#takeOpen({ segment, memory, file: undefined, readFailures: 0 });
  }

  /** Removes files of segments that are no more, and what interrupted writes left. */
  async removeStrays(): Promise<void> {
    const { vfs, directory } = this.#options;
    let removed = false;
    for (const name of await vfs.list(directory)) {
      const segmentStart = segmentOfIndexFile(name);
      if (segmentStart !== undefined && this.#parts.get(segmentStart)?.file !== undefined) continue;
      await vfs.remove(`${directory}/${name}`);
      removed = true;
    }
    if (removed) await vfs.syncDirectory(directory);
  }

  /** Everything in the log is settled: consumers may see it all. */
  allVisible(): void {
    for (const queue of this.#queues.values()) queue.visibleOffset = queue.nextOffset;
  }

  // Snapshot of the ranges: u32 count, then each queue as u32 uid, u48 min offset, u48 next offset.

  /** Ranges of all queues, by uid. The same state gives the same bytes. */
  snapshotRanges(): Uint8Array {
    const writer = new ByteWriter(4 + this.#queues.size * 16);
    const queues = [...this.#queues.values()].sort((a, b) => a.uid - b.uid);
    writer.u32(queues.length);
    for (const queue of queues) {
      writer.u32(queue.uid);
      writer.u48(queue.minOffset);
      writer.u48(queue.nextOffset);
    }
    return writer.view();
  }

  restoreRanges(bytes: Uint8Array): void {
    const reader = new ByteReader(bytes);
    for (let remaining = reader.u32(); remaining > 0; remaining--) {
      const queue = new IndexedQueue(reader.u32());
      queue.minOffset = reader.u48();
      queue.nextOffset = reader.u48();
      this.#queues.set(queue.uid, queue);
    }
  }

  // Snapshot of the open part: u48 segment start, u32 count, then each queue as u32 uid, u48 first offset, u32 count of
  // entries, and the entries as in an index file. It spares a start the scan of the open segment.

  /** @param segmentStart of the segment that is being written */
  snapshotOpen(segmentStart: number): Uint8Array {
    const memory = this.#parts.get(segmentStart)?.memory;
    const runs = memory === undefined ? [] : [...memory.runs].sort(([a], [b]) => a - b);
    const entryCount = runs.reduce((sum, [, run]) => sum + run.count, 0);
    const writer = new ByteWriter(10 + runs.length * 14 + entryCount * ENTRY_BYTES);
    writer.u48(segmentStart);
    writer.u32(runs.length);
    for (const [queueUid, run] of runs) {
      writer.u32(queueUid);
      writer.u48(run.firstOffset);
      writer.u32(run.count);
      writer.bytes(run.view());
    }
    return writer.view();
  }

  /** @returns false when the bytes belong to another segment */
  restoreOpen(bytes: Uint8Array, segment: SegmentRange): boolean {
    const reader = new ByteReader(bytes);
    const memory = new MemoryPart(reader.u48());
    let remaining = reader.u32();
    if (memory.segmentStart !== segment.startOffset) return false;
    for (; remaining > 0; remaining--) {
      const queueUid = reader.u32();
      const run = memory.begin(queueUid, reader.u48());
      run.fill(reader.bytes(reader.u32() * ENTRY_BYTES));
    }
    this.#takeOpen({ segment, memory, file: undefined, readFailures: 0 });
    return true;
  }

  #takeOpen(part: Part): void {
    this.#parts.set(part.segment.startOffset, part);
    this.#open = part;
    for (const [queueUid, run] of part.memory!.runs) {
      const queue = this.#queues.get(queueUid);
      if (queue === undefined) continue;
      queue.addPart(part.segment.startOffset, run.firstOffset, 0);
      queue.openRun = run;
    }
  }

  #partFor(physicalOffset: number): Part {
    let part = this.#open;
    if (part !== undefined && physicalOffset < part.segment.endOffset) return part;
    const segment = this.#options.segmentAt(physicalOffset);
    part = { segment, memory: new MemoryPart(segment.startOffset), file: undefined, readFailures: 0 };
    this.#parts.set(segment.startOffset, part);
    this.#open = part;
    return part;
  }

  #partWith(queue: IndexedQueue, offset: number): { part: Part; at: number } {
    assert(offset >= queue.minOffset && offset < queue.nextOffset, 'an index entry outside the queue is asked for');
    const at = queue.partOf(offset);
    const part = at < 0 ? undefined : this.#parts.get(queue.parts[at]!);
    assert(part !== undefined, 'no segment holds a message that is within the range of its queue');
    return { part, at };
  }

  /** The queues learn that this segment has entries of theirs. */
  #announce(part: Part, queues: readonly SegmentQueue[]): void {
    for (const entry of queues) {
      this.#queues.get(entry.queueUid)?.addPart(part.segment.startOffset, entry.firstOffset, entry.entryIndex);
    }
  }

  /** From now on the entries come from the file. */
  #adopt(part: Part, file: IndexFile, queues: readonly SegmentQueue[]): void {
    const segmentStart = part.segment.startOffset;
    for (const entry of queues) {
      const queue = this.#queues.get(entry.queueUid);
      if (queue === undefined) continue;
      for (let at = queue.parts.length - PART_STRIDE; at >= 0; at -= PART_STRIDE) {
        if (queue.parts[at] !== segmentStart) continue;
        queue.parts[at + 2] = entry.entryIndex;
        break;
      }
      if (queue.openRun?.segmentStart === segmentStart) queue.openRun = undefined;
    }
    part.file = file;
    part.memory = undefined;
    if (this.#open === part) this.#open = undefined;
  }

  #rebuild(part: Part, reason: string, announce = false): Promise<void> {
    const { startOffset } = part.segment;
    let rebuilding = this.#rebuilding.get(startOffset);
    if (rebuilding === undefined) {
      rebuilding = this.#rebuildNow(part, reason, announce).finally(() => this.#rebuilding.delete(startOffset));
      this.#rebuilding.set(startOffset, rebuilding);
    }
    return rebuilding;
  }

  async #rebuildNow(part: Part, reason: string, announce: boolean): Promise<void> {
    const { startOffset, endOffset } = part.segment;
    const path = `${this.#options.directory}/${indexFileName(startOffset)}`;
    this.#options.onRebuilt(path, reason);
    const memory = await this.#scan(startOffset, endOffset);
    await this.#cache.drop(path);
    part.memory = memory;
    part.file = undefined;
    if (announce) {
      for (const [queueUid, run] of memory.runs) {
        this.#queues.get(queueUid)?.addPart(startOffset, run.firstOffset, 0);
      }
    }
    try {
      await this.file(part.segment);
    } catch (error) {
      // The entries stay in memory, and the file is tried again with the next one.
      if (!(error instanceof VfsError)) throw error;
    }
  }

  async #scan(from: number, to: number): Promise<MemoryPart> {
    const memory = new MemoryPart(from);
    await this.#options.scanMessages(from, to, (message) => {
      memory.run(message.queueUid, message.queueOffset).add(message.physicalOffset, message.length, message.tagHash);
    });
    return memory;
  }
}

/** A damaged file is made again as often as it must; one that can't be read is not. */
function noteFailure(part: Part, error: unknown): void {
  if (error instanceof VfsError && part.file !== undefined) part.readFailures++;
}
