import assert from 'node:assert/strict';
import { FrameReader, readUint32 } from './frames.ts';
import { HpackDecoder } from './hpack/decoder.ts';
import { ERROR_CODE, FLAG, FRAME, FRAME_BYTES_MAX, PREFACE } from './protocol.ts';

/** What one side has sent of a stream. */
type StreamState = 'headers' | 'ended' | 'reset';

/**
 * Holds what one side of a connection sends to the rules, whatever it was sent: whole frames of types that it may send, headers that can
 * be decoded, data behind headers only, nothing behind the end.
 * Each rule that is broken is an AssertionError of `read`.
 */
export class Rules {
  readonly #reader: FrameReader;
  readonly #decoder = new HpackDecoder(4096, { bytesMax: 1 << 20, countMax: 1_000 });
  readonly #streams = new Map<number, StreamState>();
  readonly #ended = new Set<number>();
  readonly #side: 'client' | 'server';
  #prefaceLeft: Buffer;
  #frameCount = 0;
  /** Error code of the last GOAWAY. */
  goAwayCode: number | undefined;

  constructor(side: 'client' | 'server') {
    this.#side = side;
    this.#prefaceLeft = side === 'client' ? PREFACE : Buffer.alloc(0);
    const onFrame = (type: number, flags: number, id: number, bytes: Buffer, start: number, end: number): void =>
      this.#onFrame(type, flags, id, bytes.subarray(start, end));
    this.#reader = new FrameReader({ onFrame }, FRAME_BYTES_MAX);
  }

  read(chunk: Buffer): void {
    const first = chunk.subarray(0, this.#prefaceLeft.length);
    assert.ok(first.equals(this.#prefaceLeft.subarray(0, first.length)), 'no preface');
    this.#prefaceLeft = this.#prefaceLeft.subarray(first.length);
    this.#reader.read(chunk.subarray(first.length));
  }

  /** Streams for which headers were sent. */
  get streamCount(): number {
    return this.#streams.size;
  }

  /** Whether all of a stream was sent; it may have been reset then. */
  isEnded(streamId: number): boolean {
    return this.#ended.has(streamId);
  }

  #onFrame(type: number, flags: number, streamId: number, payload: Buffer): void {
    const what = `frame ${this.#frameCount} of type ${type} on stream ${streamId}`;
    if (this.#frameCount++ === 0) assert.equal(type, FRAME.SETTINGS, `${what} comes first`);
    assert.ok(
      this.goAwayCode === undefined || this.goAwayCode === ERROR_CODE.NO_ERROR,
      `${what} behind the end of the connection`,
    );
    if (streamId === 0) {
      assert.ok(ON_CONNECTION.includes(type), what);
      if (type === FRAME.GOAWAY) this.goAwayCode = readUint32(payload, 4);
      return;
    }
    assert.equal(streamId % 2, 1, what);
    const before = this.#streams.get(streamId);
    switch (type) {
      case FRAME.HEADERS:
        assert.ok(before === undefined || (before === 'headers' && this.#side === 'server'), what);
        assert.ok(flags & FLAG.END_HEADERS, `${what} is not whole`);
        assert.ok(this.#decoder.decode(payload, 0, payload.length).length > 0, what);
        this.#streams.set(streamId, 'headers');
        if (flags & FLAG.END_STREAM) this.#end(streamId);
        return;
      case FRAME.DATA:
        assert.equal(before, 'headers', what);
        if (flags & FLAG.END_STREAM) this.#end(streamId);
        return;
      case FRAME.RST_STREAM:
        assert.notEqual(before, 'reset', what);
        this.#streams.set(streamId, 'reset');
        return;
      default:
        assert.equal(type, FRAME.WINDOW_UPDATE, what);
        assert.notEqual(before, 'reset', what);
    }
  }

  #end(streamId: number): void {
    this.#streams.set(streamId, 'ended');
    this.#ended.add(streamId);
  }
}

const ON_CONNECTION: readonly number[] = [FRAME.SETTINGS, FRAME.PING, FRAME.GOAWAY, FRAME.WINDOW_UPDATE];
