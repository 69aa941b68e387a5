import { connect, type Socket } from 'node:net';
import { frame } from '../contract/frame.ts';
import { FrameReader, readUint32 } from './frames.ts';
import { HpackDecoder } from './hpack/decoder.ts';
import { HpackEncoder, type SentField } from './hpack/encoder.ts';
import { ERROR_CODE, type ErrorCodeName, FLAG, FRAME, PREFACE } from './protocol.ts';

/** A frame that the server has sent. */
export interface ReceivedFrame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** Big-endian numbers of four bytes. */
export function uint32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, 4 * index);
  return bytes;
}

/** A payload of SETTINGS. */
export function settings(...pairs: readonly (readonly [setting: number, value: number])[]): Buffer {
  return Buffer.concat(pairs.map(([setting, value]) => Buffer.concat([Buffer.of(0, setting), uint32(value)])));
}

/** A gRPC message with its prefix. */
export function grpcMessage(text: string): Buffer {
  return Buffer.concat([Buffer.of(0), uint32(text.length), Buffer.from(text, 'latin1')]);
}

/** Header fields of a call of the method with this name. */
export function requestFields(name: string, more: readonly SentField[] = []): SentField[] {
  return [
    { name: ':method', value: 'POST' },
    { name: ':scheme', value: 'http' },
    { name: ':path', value: `/contract.Texts/${name}` },
    { name: 'content-type', value: 'application/grpc' },
    ...more,
  ];
}

/** A client in tests that sends what it is told, and keeps what it gets. */
export class RawClient {
  readonly frames: ReceivedFrame[] = [];
  readonly #socket: Socket;
  readonly #encoder = new HpackEncoder();
  readonly #decoder = new HpackDecoder(4096, { bytesMax: 1 << 20, countMax: 1_000 });
  readonly #waiting = new Set<() => void>();
  isClosed = false;
  #hasEnded = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    const reader = new FrameReader(
      {
        onFrame: (type, flags, streamId, bytes, start, end) => {
          this.frames.push({ type, flags, streamId, payload: bytes.subarray(start, end) });
        },
      },
      1 << 20,
    );
    socket.on('data', (chunk) => {
      reader.read(chunk);
      this.#wake();
    });
    socket.on('error', () => {});
    socket.on('end', () => {
      this.#hasEnded = true;
      this.#wake();
    });
    socket.on('close', () => {
      this.isClosed = true;
      this.#wake();
    });
  }

  /** Connects and sends the preface. @param first payload of its SETTINGS; "none" = they are not sent @param allowHalfOpen does not close when the server does */
  static async connect(
    port: number,
    first: Buffer | 'none' = Buffer.alloc(0),
    allowHalfOpen = false,
  ): Promise<RawClient> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen });
    await new Promise((resolve) => socket.once('connect', resolve));
    const client = new RawClient(socket);
    client.send(PREFACE);
    if (first !== 'none') client.send(frame(FRAME.SETTINGS, 0, 0, first));
    return client;
  }

  send(...parts: readonly Buffer[]): void {
    this.#socket.write(Buffer.concat(parts));
  }

  /** A HEADERS frame with these fields. */
  headers(streamId: number, fields: readonly SentField[], flags: number = FLAG.END_HEADERS): Buffer {
    return frame(FRAME.HEADERS, flags, streamId, this.#encoder.encode(fields));
  }

  /** A whole call. */
  call(streamId: number, name: string, text: string): Buffer {
    return Buffer.concat([
      this.headers(streamId, requestFields(name)),
      frame(FRAME.DATA, FLAG.END_STREAM, streamId, grpcMessage(text)),
    ]);
  }

  /** Waits for a frame that has come or comes. Fails when the connection ends before. */
  async frame(matches: (frame: ReceivedFrame) => boolean): Promise<ReceivedFrame> {
    for (;;) {
      const found = this.frames.find(matches);
      if (found !== undefined) return found;
      if (this.isClosed) throw new Error('the connection has ended without the frame that was waited for');
      await this.#change();
    }
  }

  /** Waits until all that was sent has been worked off. */
  async settled(): Promise<void> {
    const payload = Buffer.from(`ping${String(this.frames.length).padStart(4, '0')}`);
    this.send(frame(FRAME.PING, 0, 0, payload));
    await this.frame(({ type, payload: echoed }) => type === FRAME.PING && echoed.equals(payload));
  }

  /** Error code with which the server says goodbye. */
  async goAway(): Promise<ErrorCodeName> {
    const { payload } = await this.frame(({ type }) => type === FRAME.GOAWAY);
    return codeName(readUint32(payload, 4));
  }

  /** Error code with which the server resets a stream. */
  async reset(streamId: number): Promise<ErrorCodeName> {
    const { payload } = await this.frame((each) => each.type === FRAME.RST_STREAM && each.streamId === streamId);
    return codeName(readUint32(payload, 0));
  }

  /** Header fields that came for a stream, trailers behind head; waits for its end. Blocks are decoded once, in order. */
  async response(streamId: number): Promise<{ readonly fields: Map<string, string>; readonly body: Buffer }> {
    await this.frame((each) => each.streamId === streamId && (each.flags & FLAG.END_STREAM) !== 0 && each.type <= 1);
    const fields = new Map<string, string>();
    const body: Buffer[] = [];
    for (const each of this.frames.splice(0)) {
      if (each.type === FRAME.HEADERS) {
        const decoded = this.#decoder.decode(each.payload, 0, each.payload.length);
        if (each.streamId === streamId) for (const { name, value } of decoded) fields.set(name, value);
      }
      if (each.type === FRAME.DATA && each.streamId === streamId) body.push(each.payload);
    }
    return { fields, body: Buffer.concat(body) };
  }

  async closed(): Promise<void> {
    while (!this.isClosed) await this.#change();
  }

  /** Waits until the server has said that it sends nothing more. The client ends its side too, unless it was to stay half open. */
  async ended(): Promise<void> {
    while (!this.#hasEnded) await this.#change();
  }

  /** Reads no more of what the server sends. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): void {
    this.#socket.destroy();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve));
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
  }
}

function codeName(code: number): ErrorCodeName {
  return (Object.entries(ERROR_CODE) as [ErrorCodeName, number][]).find(([, value]) => value === code)![0];
}
