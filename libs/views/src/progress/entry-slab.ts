/** No entry. */
export const NONE = -1;
/** Heap position of an entry whose attempts are used up. */
export const SPENT = -2;

const CAPACITY_FIRST = 1024;

/**
 * Entries handed out and not settled, as columns of numbers: 76 bytes each with its place in the heap and the table,
 * no object for any of them. A slot is given out again after `release`.
 */
export class EntrySlab {
  /** Queue offset of the message. */
  offset = new Float64Array(CAPACITY_FIRST);
  /** Shard time at which the lease ends, milliseconds. */
  deadlineMs = new Float64Array(CAPACITY_FIRST);
  /** Physical offset of the record that handed it out last. */
  leaseId = new Float64Array(CAPACITY_FIRST);
  /** Times handed out; 0 of one that was put off, or given back to its group, and not handed out since. */
  attempt = new Int32Array(CAPACITY_FIRST);
  /** Hash of its message group; 0 = not known. */
  messageGroup = new Int32Array(CAPACITY_FIRST);
  /** Stands for the client for whom its lease is renewed; 0 = none. */
  holder = new Int32Array(CAPACITY_FIRST);
  /** Index of the group queue that it belongs to. */
  owner = new Int32Array(CAPACITY_FIRST);
  /** Neighbours by queue offset; `next` also links free slots. */
  previous = new Int32Array(CAPACITY_FIRST);
  next = new Int32Array(CAPACITY_FIRST);
  /** Neighbours in the list of expired or that of spent entries. */
  readyPrevious = new Int32Array(CAPACITY_FIRST);
  readyNext = new Int32Array(CAPACITY_FIRST);
  /** Position in the deadline heap; NONE = expired, in the ready list; SPENT = expired, in the list of spent ones. */
  heapPosition = new Int32Array(CAPACITY_FIRST);

  #capacity = CAPACITY_FIRST;
  #used = 0;
  #free = NONE;
  #count = 0;

  /** Entries held. */
  get count(): number {
    return this.#count;
  }

  /** A slot whose columns hold old values. */
  allocate(): number {
    this.#count++;
    if (this.#free !== NONE) {
      const slot = this.#free;
      this.#free = this.next[slot]!;
      return slot;
    }
    if (this.#used === this.#capacity) this.#grow();
    return this.#used++;
  }

  release(slot: number): void {
    this.#count--;
    this.next[slot] = this.#free;
    this.#free = slot;
  }

  #grow(): void {
    this.#capacity += Math.max(CAPACITY_FIRST, this.#capacity >> 1);
    this.offset = grownFloats(this.offset, this.#capacity);
    this.deadlineMs = grownFloats(this.deadlineMs, this.#capacity);
    this.leaseId = grownFloats(this.leaseId, this.#capacity);
    this.attempt = grownInts(this.attempt, this.#capacity);
    this.messageGroup = grownInts(this.messageGroup, this.#capacity);
    this.holder = grownInts(this.holder, this.#capacity);
    this.owner = grownInts(this.owner, this.#capacity);
    this.previous = grownInts(this.previous, this.#capacity);
    this.next = grownInts(this.next, this.#capacity);
    this.readyPrevious = grownInts(this.readyPrevious, this.#capacity);
    this.readyNext = grownInts(this.readyNext, this.#capacity);
    this.heapPosition = grownInts(this.heapPosition, this.#capacity);
  }
}

function grownFloats(from: Float64Array, capacity: number): Float64Array<ArrayBuffer> {
  const grown = new Float64Array(capacity);
  grown.set(from);
  return grown;
}

function grownInts(from: Int32Array, capacity: number): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(capacity);
  grown.set(from);
  return grown;
}
