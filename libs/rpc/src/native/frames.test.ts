import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { FrameReader, readUint32, unpad, writeFrameHead, writeUint32 } from './frames.ts';
import { ConnectionError, FLAG, FRAME } from './protocol.ts';

interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

const FRAMES = fc.array(
  fc.record(
    {
      type: fc.nat(255),
      flags: fc.nat(255),
      streamId: fc.nat(2 ** 31 - 1),
      payload: fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
    },
    { noNullPrototype: true },
  ),
);

function encoded({ type, flags, streamId, payload }: Frame): Buffer {
  const bytes = Buffer.alloc(9 + payload.length);
  payload.copy(bytes, writeFrameHead(bytes, 0, payload.length, type, flags, streamId));
  return bytes;
}

function collecting(payloadBytesMax = 16_384): { readonly reader: FrameReader; readonly frames: Frame[] } {
  const frames: Frame[] = [];
  const onFrame = (type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void => {
    frames.push({ type, flags, streamId, payload: bytes.subarray(start, end) });
  };
  return { reader: new FrameReader({ onFrame }, payloadBytesMax), frames };
}

const isFrameSizeError = (error: unknown): boolean =>
  error instanceof ConnectionError && error.code === 'FRAME_SIZE_ERROR';

describe('FrameReader', () => {
  it('finds the frames however the bytes are cut', () => {
    fc.assert(
      fc.property(FRAMES, fc.array(fc.nat(300)), (sent, cuts) => {
        const bytes = Buffer.concat(sent.map(encoded));
        const { reader, frames } = collecting();
        let at = 0;
        for (const cut of [...cuts, bytes.length]) {
          reader.read(Buffer.from(bytes.subarray(at, at + cut)));
          at = Math.min(bytes.length, at + cut);
        }
        assert.deepEqual(frames, sent);
      }),
    );
  });

  it('passes on views of what it was given', () => {
    const { reader, frames } = collecting();
    const chunk = encoded({ type: 0, flags: 0, streamId: 1, payload: Buffer.from('body') });
    reader.read(chunk);
    assert.equal(frames[0]!.payload.buffer, chunk.buffer);
  });

  it('refuses a frame that is too large before its payload has come', () => {
    const head = Buffer.alloc(9);
    writeFrameHead(head, 0, 101, 0, 0, 1);
    assert.throws(() => collecting(100).reader.read(head), isFrameSizeError);
    const { reader } = collecting(100);
    reader.read(head.subarray(0, 4));
    assert.throws(() => reader.read(head.subarray(4)), isFrameSizeError);
  });

  it('passes nothing on once it was stopped', () => {
    let count = 0;
    const reader: FrameReader = new FrameReader(
      {
        onFrame() {
          count++;
          reader.stop();
        },
      },
      100,
    );
    const frame = encoded({ type: 0, flags: 0, streamId: 1, payload: Buffer.alloc(3) });
    reader.read(Buffer.concat([frame, frame, frame.subarray(0, 5)]));
    assert.equal(count, 1);
  });
});

describe('numbers and padding', () => {
  it('are read as they are written', () => {
    const bytes = Buffer.alloc(4);
    for (const value of [0, 1, 0x7fffffff, 0x80000000, 0xffffffff]) {
      assert.equal(writeUint32(bytes, 0, value), 4);
      assert.equal(readUint32(bytes, 0), value);
    }
  });

  it('leave the payload', () => {
    const payloadOf = (type: number, flags: number, bytes: number[]): number[] => {
      const range = { start: 0, end: bytes.length };
      unpad(type, flags, Buffer.from(bytes), range);
      return bytes.slice(range.start, range.end);
    };
    assert.deepEqual(payloadOf(FRAME.DATA, 0, [1, 2]), [1, 2]);
    assert.deepEqual(payloadOf(FRAME.DATA, FLAG.PADDED, [1, 9, 0]), [9]);
    assert.deepEqual(payloadOf(FRAME.DATA, FLAG.PADDED, [2, 0, 0]), []);
    assert.deepEqual(payloadOf(FRAME.DATA, FLAG.PRIORITY, [7]), [7]);
    assert.deepEqual(payloadOf(FRAME.HEADERS, FLAG.PADDED | FLAG.PRIORITY, [1, 0, 0, 0, 0, 5, 9, 0]), [9]);
    assert.throws(() => payloadOf(FRAME.DATA, FLAG.PADDED, [3, 0, 0]), /does not fit/);
    assert.throws(() => payloadOf(FRAME.DATA, FLAG.PADDED, []), isFrameSizeError);
    assert.throws(() => payloadOf(FRAME.HEADERS, FLAG.PRIORITY, [1]), /does not fit/);
  });
});
