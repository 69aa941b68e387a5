import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RECORD_TYPES, recordLength, StoredRecord, writeRecord } from './record.ts';
import { Segment } from './segment.ts';
import { Tail, type TailChunk } from './tail.ts';

const PAYLOAD_BYTES = 256 * 1024;
const STAMP = { epoch: 1, storeTimestampMs: 1, shardTimeMs: 1, flushedOffset: 0 };

describe('the tail of the log', () => {
  it('uses the memory of a chunk again that nobody has a view of', () => {
    const tail = new FilledTail();
    const first = tail.fill();
    tail.fill();
    tail.evict();
    assert.ok(tail.fill().chunk.bytes === first.chunk.bytes);
  });

  it('leaves a chunk alone of whose record somebody has the payload', () => {
    const tail = new FilledTail();
    const first = tail.fill();
    const payload = first.record.payload;
    for (let count = 0; count < 10; count++) {
      assert.ok(tail.fill().chunk.bytes !== first.chunk.bytes);
      tail.evict();
    }
    assert.ok(payload.every((byte) => byte === 1));
  });

  it('keeps what is not on the disk, however little may be kept', () => {
    const tail = new FilledTail();
    const filled = [tail.fill(), tail.fill(), tail.fill()];
    tail.evict(0);
    assert.ok(filled.every(({ record, chunk }) => tail.find(record.physicalOffset) === chunk));
    const [first, second] = filled;
    tail.evict(second!.record.physicalOffset + 8);
    const next = tail.fill().chunk;
    assert.ok(next.bytes === first!.chunk.bytes && tail.find(second!.record.physicalOffset) === second!.chunk);
  });

  it('gives no view of memory that is used for others', () => {
    const tail = new FilledTail();
    const { record } = tail.fill();
    tail.fill();
    tail.fill();
    tail.evict();
    assert.throws(() => record.payload, /used for others/);
  });
});

/** Each record fills most of a chunk. */
class FilledTail {
  readonly #tail = new Tail(1024 * 1024);
  readonly #segment = new Segment('/data', 0, 1024 * 1024 * 1024);
  #endOffset = 0;
  #count = 0;

  fill(): { readonly chunk: TailChunk; readonly record: StoredRecord } {
    const length = recordLength(3 * PAYLOAD_BYTES);
    const chunk = this.#tail.reserve(this.#segment, this.#endOffset, length);
    const at = chunk.usedBytes;
    const payload = Buffer.alloc(3 * PAYLOAD_BYTES, ++this.#count);
    writeRecord(chunk, at, this.#endOffset, RECORD_TYPES.state, [payload], payload.length, STAMP);
    chunk.usedBytes += length;
    this.#endOffset += length;
    return { chunk, record: new StoredRecord(chunk, at) };
  }

  find(physicalOffset: number): TailChunk | undefined {
    return this.#tail.find(physicalOffset);
  }

  /** Everything before `writtenOffset` is on the disk. */
  evict(writtenOffset = this.#endOffset): void {
    this.#tail.take();
    this.#tail.evict(writtenOffset);
  }
}
