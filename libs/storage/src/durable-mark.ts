import { crc32 } from 'node:zlib';
import { type Vfs, VfsError, type VfsFile } from '@orbitmq/vfs';

/*
 * The file `mark` beside the segments. Two slots, written in turn, so that one of them is whole whatever happens; the one with
 * the higher sequence counts. A slot, little-endian:
 *
 * | offset | size | field |
 * |--------|------|-------|
 * | 0      | 4    | CRC-32 over the rest |
 * | 4      | 4    | version, 1 |
 * | 8      | 8    | sequence, as a double |
 * | 16     | 8    | authored from, as a double; infinity: nothing |
 * | 24     | 8    | flushed offset, as a double |
 */
const FILE = 'mark';
const VERSION = 1;
const SLOT_BYTES = 32;
/** Slots lie on pages of their own: a torn write hits one of them. */
const SLOT_DISTANCE_BYTES = 4096;
const FILE_BYTES = 2 * SLOT_DISTANCE_BYTES;

/**
 * What a copy of a log knows of its own durability. Records say how far the log was fsynced when they were written, but on the disk
 * of the leader that wrote them: of a follower's disk they prove nothing. So a copy that has ever followed notes which
 * records are its own, and how far it has fsynced what is not. A log without the file has written all its records itself.
 */
export class DurableMark {
  /** Records from here on were written by this node: what they say of fsyncs is true of this copy. */
  authoredFrom = 0;
  /** Everything before this byte was fsynced here; more may have been since. */
  flushedOffset = 0;
  /** The copy has followed at some time. */
  exists = false;
  readonly #vfs: Vfs;
  readonly #directory: string;
  #sequence = 0;
  #file: Promise<VfsFile> | undefined;
  #writing: Promise<void> = Promise.resolve();

  private constructor(vfs: Vfs, directory: string) {
    this.#vfs = vfs;
    this.#directory = directory;
  }

  /** Reads what there is. A file without a whole slot proves nothing. */
  static async read(vfs: Vfs, directory: string): Promise<DurableMark> {
    const mark = new DurableMark(vfs, directory);
    const stat = await vfs.stat(mark.#path);
    if (stat === undefined) return mark;
    mark.exists = true;
    mark.authoredFrom = Number.POSITIVE_INFINITY;
    const bytes = Buffer.alloc(FILE_BYTES);
    const file = await vfs.open(mark.#path, 'read');
    try {
      await file.read(bytes, 0);
    } finally {
      await file.close();
    }
    for (let at = 0; at < FILE_BYTES; at += SLOT_DISTANCE_BYTES) mark.#take(bytes.subarray(at, at + SLOT_BYTES));
    return mark;
  }

  /** The records that come next are another node's, as far as the file says. */
  get isFollowers(): boolean {
    return this.exists && this.authoredFrom === Number.POSITIVE_INFINITY;
  }

  /** Stores it; durable when it resolves. @throws VfsError */
  write(authoredFrom: number, flushedOffset: number): Promise<void> {
    const writing = this.#writing.then(() => this.#write(authoredFrom, flushedOffset));
    this.#writing = writing.catch(() => {});
    return writing;
  }

  async close(): Promise<void> {
    await this.#writing;
    const file = await this.#file?.catch(() => undefined);
    this.#file = undefined;
    await file?.close();
  }

  get #path(): string {
    return `${this.#directory}/${FILE}`;
  }

  async #write(authoredFrom: number, flushedOffset: number): Promise<void> {
    const sequence = this.#sequence + 1;
    const isNew = !this.exists;
    this.#file ??= this.#vfs.open(this.#path, isNew ? 'create' : 'write');
    const file = await this.#file;
    if (isNew) await file.truncate(FILE_BYTES);
    await file.write([encode(sequence, authoredFrom, flushedOffset)], (sequence % 2) * SLOT_DISTANCE_BYTES);
    await file.sync();
    if (isNew) await this.#vfs.syncDirectory(this.#directory);
    this.exists = true;
    this.#sequence = sequence;
    this.authoredFrom = authoredFrom;
    this.flushedOffset = flushedOffset;
  }

  #take(slot: Buffer): void {
    if (slot.readUInt32LE(0) !== crc32(slot.subarray(4))) return;
    if (slot.readUInt32LE(4) !== VERSION) throw new VfsError('EPROTO', 'read', this.#path);
    const sequence = slot.readDoubleLE(8);
    if (sequence < this.#sequence) return;
    this.#sequence = sequence;
    this.authoredFrom = slot.readDoubleLE(16);
    this.flushedOffset = slot.readDoubleLE(24);
  }
}

function encode(sequence: number, authoredFrom: number, flushedOffset: number): Buffer {
  const slot = Buffer.alloc(SLOT_BYTES);
  slot.writeUInt32LE(VERSION, 4);
  slot.writeDoubleLE(sequence, 8);
  slot.writeDoubleLE(authoredFrom, 16);
  slot.writeDoubleLE(flushedOffset, 24);
  slot.writeUInt32LE(crc32(slot.subarray(4)), 0);
  return slot;
}
