/** A change of a file's content that a power loss may undo. */
export type SimChange = {
  /** Position in the order in which the changes of the whole disk began. */
  readonly sequence: number;
  /** The operation has ended. An fsync covers what had ended before it began. */
  ended: boolean;
  /** An fsync that covered it failed: the kernel holds it for clean, and no later fsync stores it. */
  lost: boolean;
} & (
  | { readonly kind: 'write'; readonly position: number; bytes: Uint8Array }
  | { readonly kind: 'truncate'; readonly sizeBytes: number }
);

const PAGE_BYTES = 4096;

/** Content of a file: bytes behind those that were ever written are zeros and take no memory. */
export class SimContent {
  #data: Uint8Array = new Uint8Array(0);
  #usedBytes = 0;
  sizeBytes = 0;

  read(target: Uint8Array, position: number): number {
    const count = Math.max(0, Math.min(target.length, this.sizeBytes - position));
    const held = Math.max(0, Math.min(count, this.#usedBytes - position));
    target.set(this.#data.subarray(position, position + held));
    target.fill(0, held, count);
    return count;
  }

  write(bytes: Uint8Array, position: number): void {
    if (bytes.length === 0) return;
    const end = position + bytes.length;
    if (end > this.#data.length) {
      const larger = new Uint8Array(Math.max(end, 2 * this.#data.length));
      larger.set(this.#data.subarray(0, this.#usedBytes));
      this.#data = larger;
    }
    this.#data.set(bytes, position);
    this.#usedBytes = Math.max(this.#usedBytes, end);
    this.sizeBytes = Math.max(this.sizeBytes, end);
  }

  truncate(sizeBytes: number): void {
    if (sizeBytes < this.#usedBytes) {
      this.#data.fill(0, sizeBytes, this.#usedBytes);
      this.#usedBytes = sizeBytes;
    }
    this.sizeBytes = sizeBytes;
  }

  apply(change: SimChange): void {
    if (change.kind === 'write') this.write(change.bytes, change.position);
    else this.truncate(change.sizeBytes);
  }

  copy(): SimContent {
    const copy = new SimContent();
    copy.write(this.#data.subarray(0, this.#usedBytes), 0);
    copy.sizeBytes = this.sizeBytes;
    return copy;
  }

  /** All bytes, zeros at the end included. */
  bytes(): Uint8Array {
    const bytes = new Uint8Array(this.sizeBytes);
    this.read(bytes, 0);
    return bytes;
  }
}

/** A file: what can be read, what is on the medium, and the changes between. */
export class SimInode {
  live = new SimContent();
  durable = new SimContent();
  changes: SimChange[] = [];
  modifiedMs = 0;
  /** Pages that take room on the disk. */
  readonly pages = new Set<number>();

  static of(content: SimContent): SimInode {
    const inode = new SimInode();
    inode.durable = content;
    inode.live = content.copy();
    return inode;
  }

  /** Pages that a write would take anew. */
  newPages(position: number, sizeBytes: number): number[] {
    const added: number[] = [];
    const last = Math.floor((position + sizeBytes - 1) / PAGE_BYTES);
    for (let page = Math.floor(position / PAGE_BYTES); page <= last; page++)
      if (!this.pages.has(page)) added.push(page);
    return added;
  }

  /** Brings the changes of an fsync to the medium, in their order. */
  store(covered: ReadonlySet<SimChange>): void {
    for (const change of this.changes) if (covered.has(change) && !change.lost) this.durable.apply(change);
    this.changes = this.changes.filter((change) => !covered.has(change) || change.lost);
  }

  /** Turns a bit, as a failing medium does: nobody is told. */
  flip(position: number, mask: number): void {
    for (const content of [this.live, this.durable]) {
      const byte = new Uint8Array(1);
      if (content.read(byte, position) === 1) content.write(Uint8Array.of(byte[0]! ^ mask), position);
    }
    for (const change of this.changes) {
      if (change.kind !== 'write') continue;
      const at = position - change.position;
      if (at >= 0 && at < change.bytes.length) change.bytes[at]! ^= mask;
    }
  }
}
