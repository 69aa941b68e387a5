import { assert } from '@orbitmq/base';
import { ByteReader, ByteWriter } from '../bytes.ts';

/** Why a segment of the log is needed beside the messages that queues have in it. */
export interface Pin {
  /** Newest pointer record to a body in the segment; −1 when there is none. While its queue wants it, the segment stays. */
  newestPointer: number;
  /** Bodies in it that no queue has yet: pending timers and open transactions. They hold it until they are carried forward. */
  pendingCount: number;
  /** Bytes of their records. */
  pendingBytes: number;
}

/** Which segments hold bodies that records elsewhere refer to, by segment start. */
export class PinsView {
  readonly #pins = new Map<number, Pin>();
  /** Keys of the map in ascending order. */
  #starts: number[] = [];

  pin(segmentStart: number): Readonly<Pin> | undefined {
    return this.#pins.get(segmentStart);
  }

  /** Start of the oldest segment that anything refers to; undefined when there is none. */
  first(): number | undefined {
    return this.#starts[0];
  }

  /** A queue has a pointer to a body in the segment. */
  applyPointer(segmentStart: number, pointerOffset: number): void {
    const pin = this.#obtain(segmentStart);
    pin.newestPointer = Math.max(pin.newestPointer, pointerOffset);
  }

  /** A body that is pending lies in the segment. */
  applyPending(segmentStart: number, bytes: number): void {
    const pin = this.#obtain(segmentStart);
    pin.pendingCount++;
    pin.pendingBytes += bytes;
  }

  /** A body at `physicalOffset` that was announced with `applyPending` is not pending any more, or not there. */
  applyPendingEnd(physicalOffset: number, bytes: number): void {
    const start = this.#starts.findLast((candidate) => candidate <= physicalOffset);
    const pin = start === undefined ? undefined : this.#pins.get(start);
    assert(pin !== undefined && pin.pendingCount > 0, 'a pending body ends that no segment is pinned for');
    pin.pendingCount--;
    pin.pendingBytes -= bytes;
  }

  /** The log is about to begin at `logStart`: what lies before is needed by nobody. */
  applyCut(logStart: number): void {
    const gone = this.#starts.filter((start) => start < logStart);
    for (const start of gone) this.#pins.delete(start);
    this.#starts = this.#starts.slice(gone.length);
  }

  // Snapshot: u32 count, then each segment as u48 start, u48 newest pointer + 1, u32 pending bodies, u48 their bytes.

  /** The same state gives the same bytes. */
  snapshot(): Uint8Array {
    const writer = new ByteWriter(4 + this.#starts.length * 22);
    writer.u32(this.#starts.length);
    for (const start of this.#starts) {
      const pin = this.#pins.get(start)!;
      writer.u48(start);
      writer.u48(pin.newestPointer + 1);
      writer.u32(pin.pendingCount);
      writer.u48(pin.pendingBytes);
    }
    return writer.view();
  }

  /** Fills a new, empty view. */
  restore(bytes: Uint8Array): void {
    const reader = new ByteReader(bytes);
    for (let remaining = reader.u32(); remaining > 0; remaining--) {
      const pin = this.#obtain(reader.u48());
      pin.newestPointer = reader.u48() - 1;
      pin.pendingCount = reader.u32();
      pin.pendingBytes = reader.u48();
    }
  }

  #obtain(segmentStart: number): Pin {
    let pin = this.#pins.get(segmentStart);
    if (pin === undefined) {
      pin = { newestPointer: -1, pendingCount: 0, pendingBytes: 0 };
      this.#pins.set(segmentStart, pin);
      const at = this.#starts.findLastIndex((start) => start < segmentStart) + 1;
      this.#starts.splice(at, 0, segmentStart);
    }
    return pin;
  }
}
