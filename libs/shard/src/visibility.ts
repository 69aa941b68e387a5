import type { IndexedQueue } from '@orbitmq/views';

const CAPACITY_FIRST = 1024;

/**
 * Messages that were appended and are not confirmed yet, in the order of the log: consumers must not see them. A ring
 * that grows, so that a send costs three numbers and no object.
 */
export class Visibility {
  #queues: (IndexedQueue | undefined)[] = new Array(CAPACITY_FIRST).fill(undefined);
  #offsets = new Float64Array(CAPACITY_FIRST);
  #ends = new Float64Array(CAPACITY_FIRST);
  #head = 0;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** @param end byte behind the message's record */
  add(queue: IndexedQueue, queueOffset: number, end: number): void {
    if (this.#count === this.#queues.length) this.#grow();
    const at = (this.#head + this.#count++) & (this.#queues.length - 1);
    this.#queues[at] = queue;
    this.#offsets[at] = queueOffset;
    this.#ends[at] = end;
  }

  /** Shows what lies before `confirmedOffset`; calls `visit` for each queue that has something new, at least once. */
  show(confirmedOffset: number, visit: (queue: IndexedQueue) => void): void {
    let last: IndexedQueue | undefined;
    while (this.#count > 0 && this.#ends[this.#head]! <= confirmedOffset) {
      const queue = this.#queues[this.#head]!;
      queue.visibleOffset = this.#offsets[this.#head]! + 1;
      this.#queues[this.#head] = undefined;
      this.#head = (this.#head + 1) & (this.#queues.length - 1);
      this.#count--;
      if (last !== undefined && queue !== last) visit(last);
      last = queue;
    }
    if (last !== undefined) visit(last);
  }

  #grow(): void {
    const capacity = this.#queues.length * 2;
    const queues: (IndexedQueue | undefined)[] = new Array(capacity).fill(undefined);
    const offsets = new Float64Array(capacity);
    const ends = new Float64Array(capacity);
    for (let index = 0; index < this.#count; index++) {
      const from = (this.#head + index) & (this.#queues.length - 1);
      queues[index] = this.#queues[from];
      offsets[index] = this.#offsets[from]!;
      ends[index] = this.#ends[from]!;
    }
    [this.#queues, this.#offsets, this.#ends, this.#head] = [queues, offsets, ends, 0];
  }
}
