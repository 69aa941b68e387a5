import type { MemoryRun } from './memory-part.ts';

/** Numbers a part takes in `IndexedQueue.parts`. */
export const PART_STRIDE = 3;

/** Offsets of one queue and where in the index its entries are. Only the queue index changes it. */
export class IndexedQueue {
  readonly uid: number;
  /** First message still held. */
  minOffset = 0;
  /** Offset of the next message. */
  nextOffset = 0;
  /** Messages below this are settled: consumers may see them. Not part of the state. */
  visibleOffset = 0;
  /** For each part with entries of this queue, oldest first: the part's start, the first offset, index of that entry in the part's file. */
  parts: number[] = [];
  /** The run that the next entry most likely goes to. */
  openRun: MemoryRun | undefined = undefined;

  constructor(uid: number) {
    this.uid = uid;
  }

  /** Notes that a segment, newer than all that are known, has entries from `firstOffset` on. */
  addPart(segmentStart: number, firstOffset: number, entryIndex: number): void {
    // A first push would reserve room for nineteen numbers; most queues of many have one part.
    if (this.parts.length === 0) this.parts = [segmentStart, firstOffset, entryIndex];
    else this.parts.push(segmentStart, firstOffset, entryIndex);
  }

  /** Position in `parts` of the part that holds `offset`, or −1. */
  partOf(offset: number): number {
    let low = 0;
    let high = this.parts.length / PART_STRIDE;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.parts[middle * PART_STRIDE + 1]! <= offset) low = middle + 1;
      else high = middle;
    }
    return (low - 1) * PART_STRIDE;
  }
}
