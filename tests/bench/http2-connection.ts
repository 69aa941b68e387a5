import { connect, type Socket } from 'node:net';
import { type HeaderList, HpackEncoder } from './hpack.ts';
import { FLAG, FRAME, FRAME_HEADER_BYTES, PREFACE, writeFrameHeader } from './http2-frames.ts';

const MESSAGE_PREFIX_BYTES = 5;
const FRAME_BYTES_MAX = 16_384;
const WINDOW_DEFAULT = 65_535;
/** Fits the window of a stream, so that no call waits for more of that. */
const MESSAGE_BYTES_MAX = 60_000;
const WINDOW_WANTED = 1 << 30;
const SLAB_BYTES = 256 * 1024;

const SETTING = { HEADER_TABLE_SIZE: 1, INITIAL_WINDOW_SIZE: 4 } as const;

/** Told of what comes back on one stream. One object may serve many streams, one after the other. */
export interface StreamListener {
  /** One gRPC message. The bytes are only valid during the call. */
  onMessage(message: Buffer): void;
  /** The stream is over; `failure` is set when the transport cut it. Trailers are not looked at. */
  onEnd(failure: string | undefined): void;
}

/** The header fields of one method, encoded once for a connection. */
export class CallHeaders {
  readonly headers: HeaderList;
  #block: Buffer = Buffer.alloc(0);
  #tableSize = -1;

  constructor(headers: HeaderList) {
    this.headers = headers;
  }

  /** The header block for the next call; encoded anew only while the table still grows. */
  blockFor(encoder: HpackEncoder): Buffer {
    if (this.#tableSize !== encoder.size || this.#block.length === 0) {
      this.#block = encoder.encode(this.headers);
      // The block that filled the table is longer than the ones after it.
      this.#tableSize = this.#block.length === this.headers.length ? encoder.size : -1;
    }
    return this.#block;
  }
}

interface OpenStream {
  readonly listener: StreamListener;
  /** The beginning of a message whose rest has not come yet. */
  rest: Buffer | undefined;
}

interface BlockedCall {
  readonly headers: CallHeaders;
  readonly message: Buffer;
  readonly isLast: boolean;
  readonly listener: StreamListener;
}

/**
 * A plain HTTP/2 connection that does just what a load generator for gRPC needs: many small calls, written together
 * once a turn of the event loop, and a parser that looks only at what it must. Response headers are skipped unread,
 * so a call is judged by its message, not by its trailers.
 */
export class Http2Connection {
  readonly #socket: Socket;
  readonly #encoder = new HpackEncoder();
  readonly #streams = new Map<number, OpenStream>();
  readonly #blocked: BlockedCall[] = [];
  #nextStreamId = 1;
  #sendWindow = WINDOW_DEFAULT;
  #consumed = 0;
  #slab = Buffer.allocUnsafe(SLAB_BYTES);
  #slabUsed = 0;
  #isFlushPlanned = false;
  #unparsed: Buffer | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#onData(chunk));
    socket.on('close', () => this.#failAll('the connection was closed'));
    socket.on('error', () => {});
    this.#reserve(PREFACE.length).set(PREFACE);
    this.#writeSettings();
    this.#writeWindowUpdate(WINDOW_WANTED - WINDOW_DEFAULT);
  }

  /** @throws Error when nothing listens there */
  static connect(port: number, host = '127.0.0.1'): Promise<Http2Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, host);
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new Http2Connection(socket));
      });
    });
  }

  /** Makes a call with one request message; `isLast` false keeps the sending side open. */
  call(headers: CallHeaders, message: Buffer, listener: StreamListener, isLast = true): void {
    if (message.length > MESSAGE_BYTES_MAX) throw new Error('this generator sends no message in several turns');
    if (this.#blocked.length > 0 || this.#sendWindow < message.length + MESSAGE_PREFIX_BYTES) {
      this.#blocked.push({ headers, message: Buffer.from(message), isLast, listener });
      return;
    }
    this.#writeCall(headers, message, listener, isLast);
  }

  close(): void {
    this.#socket.destroy();
  }

  #writeCall(headers: CallHeaders, message: Buffer, listener: StreamListener, isLast: boolean): void {
    const streamId = this.#nextStreamId;
    this.#nextStreamId += 2;
    this.#streams.set(streamId, { listener, rest: undefined });
    const block = headers.blockFor(this.#encoder);
    const dataBytes = MESSAGE_PREFIX_BYTES + message.length;
    const frameCount = Math.ceil(dataBytes / FRAME_BYTES_MAX);
    const out = this.#reserve((1 + frameCount) * FRAME_HEADER_BYTES + block.length + dataBytes);
    let at = writeFrameHeader(out, 0, block.length, FRAME.HEADERS, FLAG.END_HEADERS, streamId);
    block.copy(out, at);
    at += block.length;
    for (let sent = 0; sent < dataBytes; sent += FRAME_BYTES_MAX) {
      const end = Math.min(dataBytes, sent + FRAME_BYTES_MAX);
      const isEnd = isLast && end === dataBytes;
      at = writeFrameHeader(out, at, end - sent, FRAME.DATA, isEnd ? FLAG.END_STREAM : 0, streamId);
      if (sent === 0) {
        out[at] = 0;
        out.writeUInt32BE(message.length, at + 1);
        at += MESSAGE_PREFIX_BYTES;
      }
      at += message.copy(out, at, Math.max(0, sent - MESSAGE_PREFIX_BYTES), end - MESSAGE_PREFIX_BYTES);
    }
    this.#sendWindow -= dataBytes;
  }

  /** Bytes that go out at the end of this turn. */
  #reserve(bytes: number): Buffer {
    if (this.#slabUsed + bytes > this.#slab.length) this.#flush();
    const view = this.#slab.subarray(this.#slabUsed, this.#slabUsed + bytes);
    this.#slabUsed += bytes;
    if (!this.#isFlushPlanned) {
      this.#isFlushPlanned = true;
      setImmediate(() => this.#flush());
    }
    return view;
  }

  #flush(): void {
    this.#isFlushPlanned = false;
    if (this.#slabUsed === 0) return;
    this.#socket.write(this.#slab.subarray(0, this.#slabUsed));
    this.#slab = this.#slab.subarray(this.#slabUsed);
    if (this.#slab.length < SLAB_BYTES / 4) this.#slab = Buffer.allocUnsafe(SLAB_BYTES);
    this.#slabUsed = 0;
  }

  #onData(chunk: Buffer): void {
    const bytes = this.#unparsed === undefined ? chunk : Buffer.concat([this.#unparsed, chunk]);
    let at = 0;
    while (bytes.length - at >= FRAME_HEADER_BYTES) {
      const length = bytes.readUIntBE(at, 3);
      const end = at + FRAME_HEADER_BYTES + length;
      if (end > bytes.length) break;
      const streamId = bytes.readUInt32BE(at + 5) & 0x7fffffff;
      this.#onFrame(bytes[at + 3]!, bytes[at + 4]!, streamId, bytes.subarray(at + FRAME_HEADER_BYTES, end));
      at = end;
    }
    this.#unparsed = at === bytes.length ? undefined : bytes.subarray(at);
  }

  #onFrame(type: number, flags: number, streamId: number, payload: Buffer): void {
    switch (type) {
      case FRAME.DATA:
        this.#onDataFrame(flags, streamId, payload);
        return;
      case FRAME.HEADERS:
        if (flags & FLAG.END_STREAM) this.#end(streamId, undefined);
        return;
      case FRAME.RST_STREAM:
        this.#end(streamId, `the server reset the stream with code ${payload.readUInt32BE(0)}`);
        return;
      case FRAME.SETTINGS:
        if ((flags & FLAG.ACK) === 0) this.#onSettings(payload);
        return;
      case FRAME.PING:
        if ((flags & FLAG.ACK) === 0) this.#writePingAck(payload);
        return;
      case FRAME.GOAWAY:
        this.#failAll(`the server said goodbye with code ${payload.readUInt32BE(4)}`);
        return;
      case FRAME.WINDOW_UPDATE:
        if (streamId === 0) this.#onWindow(payload.readUInt32BE(0));
        return;
    }
  }

  #onDataFrame(flags: number, streamId: number, payload: Buffer): void {
    this.#consumed += payload.length;
    if (this.#consumed > WINDOW_WANTED / 2) {
      this.#writeWindowUpdate(this.#consumed);
      this.#consumed = 0;
    }
    const data = flags & FLAG.PADDED ? payload.subarray(1, payload.length - payload[0]!) : payload;
    const stream = this.#streams.get(streamId);
    if (stream !== undefined) readMessages(stream, data);
    if (flags & FLAG.END_STREAM) this.#end(streamId, undefined);
  }

  #onSettings(payload: Buffer): void {
    for (let at = 0; at + 6 <= payload.length; at += 6) {
      const value = payload.readUInt32BE(at + 2);
      const id = payload.readUInt16BE(at);
      if (id === SETTING.HEADER_TABLE_SIZE && value < 4096)
        throw new Error(`a header table of ${value} bytes is too small`);
      if (id === SETTING.INITIAL_WINDOW_SIZE && value < MESSAGE_BYTES_MAX)
        throw new Error(`a window of ${value} is too small`);
    }
    writeFrameHeader(this.#reserve(FRAME_HEADER_BYTES), 0, 0, FRAME.SETTINGS, FLAG.ACK, 0);
  }

  #onWindow(increment: number): void {
    this.#sendWindow += increment;
    while (this.#blocked.length > 0) {
      const call = this.#blocked[0]!;
      if (this.#sendWindow < call.message.length + MESSAGE_PREFIX_BYTES) return;
      this.#blocked.shift();
      this.#writeCall(call.headers, call.message, call.listener, call.isLast);
    }
  }

  #writeSettings(): void {
    const out = this.#reserve(FRAME_HEADER_BYTES + 6);
    const at = writeFrameHeader(out, 0, 6, FRAME.SETTINGS, 0, 0);
    out.writeUInt16BE(SETTING.INITIAL_WINDOW_SIZE, at);
    out.writeUInt32BE(WINDOW_WANTED, at + 2);
  }

  #writeWindowUpdate(increment: number): void {
    const out = this.#reserve(FRAME_HEADER_BYTES + 4);
    out.writeUInt32BE(increment, writeFrameHeader(out, 0, 4, FRAME.WINDOW_UPDATE, 0, 0));
  }

  #writePingAck(payload: Buffer): void {
    const out = this.#reserve(FRAME_HEADER_BYTES + payload.length);
    payload.copy(out, writeFrameHeader(out, 0, payload.length, FRAME.PING, FLAG.ACK, 0));
  }

  #end(streamId: number, failure: string | undefined): void {
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    this.#streams.delete(streamId);
    stream.listener.onEnd(failure);
  }

  #failAll(failure: string): void {
    for (const streamId of [...this.#streams.keys()]) this.#end(streamId, failure);
    for (const call of this.#blocked.splice(0)) call.listener.onEnd(failure);
  }
}

function readMessages(stream: OpenStream, data: Buffer): void {
  const bytes = stream.rest === undefined ? data : Buffer.concat([stream.rest, data]);
  let at = 0;
  while (bytes.length - at >= MESSAGE_PREFIX_BYTES) {
    const end = at + MESSAGE_PREFIX_BYTES + bytes.readUInt32BE(at + 1);
    if (end > bytes.length) break;
    stream.listener.onMessage(bytes.subarray(at + MESSAGE_PREFIX_BYTES, end));
    at = end;
  }
  stream.rest = at === bytes.length ? undefined : Buffer.from(bytes.subarray(at));
}
