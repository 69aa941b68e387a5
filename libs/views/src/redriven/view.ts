import { ByteReader, ByteWriter } from '../bytes.ts';

/** Numbers a run takes: its first offset, and the one behind its last. */
const RUN_STRIDE = 2;

/** Which dead letters were handed back to their groups, as runs of queue offsets: none is handed back twice. */
export class RedrivenView {
  readonly #runs = new Map<number, number[]>();

  has(queueUid: number, offset: number): boolean {
    const runs = this.#runs.get(queueUid);
    if (runs === undefined) return false;
    const at = firstBehind(runs, offset) - RUN_STRIDE;
    return at >= 0 && offset < runs[at + 1]!;
  }

  /** Messages of a queue from `minOffset` on that were handed back. */
  countOf(queueUid: number, minOffset: number): number {
    const runs = this.#runs.get(queueUid) ?? [];
    let count = 0;
    for (let at = 0; at < runs.length; at += RUN_STRIDE) {
      count += Math.max(0, runs[at + 1]! - Math.max(runs[at]!, minOffset));
    }
    return count;
  }

  applyRedrive(queueUid: number, offset: number): void {
    if (this.has(queueUid, offset)) return;
    const runs = this.#runs.get(queueUid) ?? [];
    this.#runs.set(queueUid, runs);
    const at = firstBehind(runs, offset);
    const joinsFormer = at > 0 && runs[at - 1] === offset;
    const joinsNext = runs[at] === offset + 1;
    if (joinsFormer && joinsNext) runs.splice(at - 1, 2);
    else if (joinsFormer) runs[at - 1] = offset + 1;
    else if (joinsNext) runs[at] = offset;
    else runs.splice(at, 0, offset, offset + 1);
  }

  /** The messages of a queue below `minOffset` are gone. */
  applyTrim(queueUid: number, minOffset: number): void {
    const runs = this.#runs.get(queueUid);
    if (runs === undefined) return;
    while (runs.length > 0 && runs[1]! <= minOffset) runs.splice(0, RUN_STRIDE);
    if (runs.length === 0) this.#runs.delete(queueUid);
  }

  applyQueueDeletion(queueUid: number): void {
    this.#runs.delete(queueUid);
  }

  // Snapshot: u32 count of queues, then each as u32 uid, u32 count of runs, each u48 first offset, u48 end.

  /** The same state gives the same bytes. */
  snapshot(): Uint8Array {
    const writer = new ByteWriter();
    writer.u32(this.#runs.size);
    for (const [queueUid, runs] of [...this.#runs].sort(([a], [b]) => a - b)) {
      writer.u32(queueUid);
      writer.u32(runs.length / RUN_STRIDE);
      for (const offset of runs) writer.u48(offset);
    }
    return writer.view();
  }

  /** Fills a new, empty view. */
  restore(bytes: Uint8Array): void {
    const reader = new ByteReader(bytes);
    for (let remaining = reader.u32(); remaining > 0; remaining--) {
      const queueUid = reader.u32();
      this.#runs.set(
        queueUid,
        Array.from({ length: reader.u32() * RUN_STRIDE }, () => reader.u48()),
      );
    }
  }
}

/** Position of the first run that begins behind `offset`. */
function firstBehind(runs: readonly number[], offset: number): number {
  let low = 0;
  let high = runs.length / RUN_STRIDE;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (runs[middle * RUN_STRIDE]! <= offset) low = middle + 1;
    else high = middle;
  }
  return low * RUN_STRIDE;
}
