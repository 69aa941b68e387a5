import { assert } from '@orbitmq/base';

/** Words of 32 bits an entry takes: (physical offset − segment start) ÷ 8, record length, tag hash. */
export const ENTRY_WORDS = 3;
export const ENTRY_BYTES = ENTRY_WORDS * 4;

/** Where a message lies, and its tag. One object is filled again and again. */
export interface IndexEntry {
  physicalOffset: number;
  /** Bytes of the record in the log, as the message was indexed: the low three bits are the caller's. */
  length: number;
  tagHash: number;
}

/** Entries of one queue in one segment; their queue offsets have no gaps. */
export class MemoryRun {
  readonly segmentStart: number;
  readonly firstOffset: number;
  count = 0;
  cells = new Uint32Array(2 * ENTRY_WORDS);

  constructor(segmentStart: number, firstOffset: number) {
    this.segmentStart = segmentStart;
    this.firstOffset = firstOffset;
  }

  add(physicalOffset: number, length: number, tagHash: number): void {
    const at = this.count * ENTRY_WORDS;
    if (at === this.cells.length) {
      const grown = new Uint32Array(this.cells.length * 2);
      grown.set(this.cells);
      this.cells = grown;
    }
    this.cells[at] = (physicalOffset - this.segmentStart) / 8;
    this.cells[at + 1] = length;
    this.cells[at + 2] = tagHash;
    this.count++;
  }

  /** Sum of the lengths of its records. */
  bytes(): number {
    let sum = 0;
    for (let at = 1; at < this.count * ENTRY_WORDS; at += ENTRY_WORDS) sum += this.cells[at]!;
    return sum;
  }
}

/** Fills `entry` from the words of an entry. */
export function readEntry(entry: IndexEntry, segmentStart: number, words: Uint32Array, at: number): void {
  entry.physicalOffset = segmentStart + words[at]! * 8;
  entry.length = words[at + 1]!;
  entry.tagHash = words[at + 2]! | 0;
}

/** The index of one segment while it is in memory: the open one, and a sealed one until its file is written. */
export class MemoryPart {
  readonly segmentStart: number;
  readonly runs = new Map<number, MemoryRun>();

  constructor(segmentStart: number) {
    this.segmentStart = segmentStart;
  }

  run(queueUid: number, queueOffset: number): MemoryRun {
    let run = this.runs.get(queueUid);
    if (run === undefined) {
      run = new MemoryRun(this.segmentStart, queueOffset);
      this.runs.set(queueUid, run);
    }
    assert(run.firstOffset + run.count === queueOffset, 'a queue offset of the log is out of order');
    return run;
  }
}
