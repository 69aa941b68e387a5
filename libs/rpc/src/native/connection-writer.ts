import type { Duplex } from 'node:stream';
import { SendWindow } from './flow-control.ts';
import { writeFrameHead, writeUint32 } from './frames.ts';
import { HpackEncoder, PreparedBlock, type SentField } from './hpack/encoder.ts';
import { MESSAGE_PREFIX_BYTES } from './message-reader.ts';
import { Output } from './output.ts';
import {
  ConnectionError,
  ERROR_CODE,
  type ErrorCodeName,
  FLAG,
  FRAME,
  FRAME_BYTES_MAX,
  FRAME_HEADER_BYTES,
  WINDOW_DEFAULT_BYTES,
} from './protocol.ts';
import type { SendQueue } from './send-queue.ts';

/** What every gRPC response begins with. */
export const RESPONSE_HEAD: readonly SentField[] = [
  { name: ':status', value: '200' },
  { name: 'content-type', value: 'application/grpc', isRepeated: true },
];
/** The trailers of a call that ends well. */
export const OK_TRAILERS: readonly SentField[] = [{ name: 'grpc-status', value: '0', isRepeated: true }];

/** A stream that sends, as its connection sees it. */
export interface SendingStream {
  readonly id: number;
  readonly sendWindowBytes: number;
  /** So much of the stream's window has been used. */
  sent(byteCount: number): void;
  /** Sends as much of what waits as it may. */
  pump(): void;
}

/** Whom a writer belongs to. */
export interface WriterHost {
  /** What may wait in the socket before streams have to wait; at twice as much, nothing more is read from the peer. */
  readonly socketBytesMax: number;
  /** Asks for `flush` at the end of this turn; called once until it comes. */
  scheduleFlush(): void;
}

/** The sending side of a server's connection: what is written during a turn of the event loop leaves together. */
export class ConnectionWriter {
  readonly #stream: Duplex;
  readonly #host: WriterHost;
  readonly #output = new Output();
  readonly #encoder = new HpackEncoder();
  readonly #responseHead = new PreparedBlock(RESPONSE_HEAD);
  readonly #okTrailers = new PreparedBlock(OK_TRAILERS);
  readonly #window = new SendWindow(WINDOW_DEFAULT_BYTES);
  /** Streams whose data waits for the connection; whoever has sent goes to the end. Made when one has to. */
  #waiting: Set<SendingStream> | undefined;
  #isScheduled = false;
  #dataFrameCount = 0;
  #peerWindowBytes = WINDOW_DEFAULT_BYTES;

  constructor(stream: Duplex, host: WriterHost) {
    this.#stream = stream;
    this.#host = host;
  }

  /** The peer's SETTINGS_INITIAL_WINDOW_SIZE. */
  get peerWindowBytes(): number {
    return this.#peerWindowBytes;
  }

  set peerWindowBytes(bytes: number) {
    this.#peerWindowBytes = bytes;
  }

  /** DATA frames that have been sent. */
  get dataFrameCount(): number {
    return this.#dataFrameCount;
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. */
  set peerTableBytes(bytes: number) {
    this.#encoder.setTableBytesMax(bytes);
  }

  /** The peer takes so slowly that nothing more is to be read from it. */
  get isUnreadable(): boolean {
    return this.#stream.writableLength + this.#output.bytes > 2 * this.#host.socketBytesMax;
  }

  /** Hands all that has been written to the socket. */
  flush(): void {
    this.#isScheduled = false;
    if (this.#stream.destroyed || this.#stream.writableEnded) this.#output.clear();
    else this.#output.flush(this.#stream);
  }

  /** Nothing is sent any more. */
  close(): void {
    this.#waiting = undefined;
    this.#output.clear();
  }

  /** The peer has opened the connection's window. @throws ConnectionError FLOW_CONTROL_ERROR */
  openWindow(byteCount: number): void {
    if (!this.#window.open(byteCount)) {
      throw new ConnectionError('FLOW_CONTROL_ERROR', 'the window of the connection is too large');
    }
    this.pumpWaiting();
  }

  /** Goes on with the streams that wait for the connection, one after the other, as far as it takes something. */
  pumpWaiting(): void {
    if (this.#waiting === undefined) return;
    for (const stream of [...this.#waiting]) {
      if (this.#availableBytes() <= 0) return;
      this.#waiting?.delete(stream);
      stream.pump();
    }
  }

  /** The stream has nothing to send any more. */
  forget(stream: SendingStream): void {
    this.#waiting?.delete(stream);
  }

  /** How much the stream may send in one frame now. When it is the connection that does not allow more, it will be pumped. */
  sendableBytes(stream: SendingStream): number {
    if (stream.sendWindowBytes <= 0) return 0;
    const available = this.#availableBytes();
    if (available <= 0) {
      this.#waiting ??= new Set();
      this.#waiting.add(stream);
    }
    return Math.min(stream.sendWindowBytes, available, FRAME_BYTES_MAX);
  }

  /** Sends a header block: a response's head, or trailers. */
  writeHeaders(streamId: number, fields: readonly SentField[], isLast: boolean): void {
    this.#writeBlock(streamId, this.#encoder.encode(fields), isLast);
  }

  /** Sends the head of a gRPC response. */
  writeResponseHead(streamId: number): void {
    this.#writeBlock(streamId, this.#responseHead.blockFor(this.#encoder), false);
  }

  /** Sends the trailers of a call that ends well. */
  writeOkTrailers(streamId: number): void {
    this.#writeBlock(streamId, this.#okTrailers.blockFor(this.#encoder), true);
  }

  /** Sends a whole message, if that can be done in one frame at once. @returns whether it was */
  writeMessage(stream: SendingStream, message: Uint8Array): boolean {
    const dataBytes = MESSAGE_PREFIX_BYTES + message.length;
    if (dataBytes > FRAME_BYTES_MAX || dataBytes > this.sendableBytes(stream)) return false;
    const at = this.#reserve(FRAME_HEADER_BYTES + MESSAGE_PREFIX_BYTES);
    writeMessageHead(this.#output.slab, at, message.length, stream.id);
    this.#output.append(message);
    this.#countSent(stream, dataBytes);
    return true;
  }

  /** Sends head, message and OK trailers, if that can be done at once. @returns whether it was */
  writeAnswer(stream: SendingStream, message: Uint8Array): boolean {
    const dataBytes = MESSAGE_PREFIX_BYTES + message.length;
    if (dataBytes > FRAME_BYTES_MAX || dataBytes > this.sendableBytes(stream)) return false;
    this.writeResponseHead(stream.id);
    const at = this.#reserve(FRAME_HEADER_BYTES + MESSAGE_PREFIX_BYTES);
    writeMessageHead(this.#output.slab, at, message.length, stream.id);
    this.#output.append(message);
    this.#countSent(stream, dataBytes);
    this.writeOkTrailers(stream.id);
    return true;
  }

  /** Sends the first bytes of what waits. @param byteCount at most what is sendable */
  writeData(stream: SendingStream, queue: SendQueue, byteCount: number): void {
    const at = this.#reserve(FRAME_HEADER_BYTES);
    writeFrameHead(this.#output.slab, at, byteCount, FRAME.DATA, 0, stream.id);
    queue.take(byteCount, this.#output);
    this.#countSent(stream, byteCount);
  }

  /** Ends a stream without trailers. */
  writeEnd(streamId: number): void {
    this.#writeFrame(0, FRAME.DATA, FLAG.END_STREAM, streamId);
  }

  writeReset(streamId: number, code: ErrorCodeName): void {
    const at = this.#writeFrame(4, FRAME.RST_STREAM, 0, streamId);
    writeUint32(this.#output.slab, at, ERROR_CODE[code]);
  }

  writeWindowUpdate(streamId: number, increment: number): void {
    const at = this.#writeFrame(4, FRAME.WINDOW_UPDATE, 0, streamId);
    writeUint32(this.#output.slab, at, increment);
  }

  /** @param settings pairs of setting and value */
  writeSettings(settings: readonly (readonly [setting: number, value: number])[]): void {
    let at = this.#writeFrame(6 * settings.length, FRAME.SETTINGS, 0, 0);
    const { slab } = this.#output;
    for (const [setting, value] of settings) {
      slab[at] = setting >>> 8;
      slab[at + 1] = setting;
      at = writeUint32(slab, at + 2, value);
    }
  }

  writeSettingsAck(): void {
    this.#writeFrame(0, FRAME.SETTINGS, FLAG.ACK, 0);
  }

  /** @param flags ACK or 0 */
  writePing(flags: number, bytes: Uint8Array): void {
    const at = this.#writeFrame(bytes.length, FRAME.PING, flags, 0);
    this.#output.slab.set(bytes, at);
  }

  /** @param text for whoever looks for the cause */
  writeGoAway(lastStreamId: number, code: ErrorCodeName, text: string): void {
    const debug = Buffer.from(text);
    const at = this.#writeFrame(8 + debug.length, FRAME.GOAWAY, 0, 0);
    const { slab } = this.#output;
    slab.set(debug, writeUint32(slab, writeUint32(slab, at, lastStreamId), ERROR_CODE[code]));
  }

  #countSent(stream: SendingStream, byteCount: number): void {
    this.#dataFrameCount++;
    this.#window.sent(byteCount);
    stream.sent(byteCount);
  }

  #availableBytes(): number {
    const isClogged = this.#stream.writableLength + this.#output.bytes > this.#host.socketBytesMax;
    return isClogged ? 0 : this.#window.availableBytes;
  }

  /** A block larger than a frame goes on in others. */
  #writeBlock(streamId: number, block: Uint8Array, isLast: boolean): void {
    let type: number = FRAME.HEADERS;
    let at = 0;
    do {
      const end = Math.min(block.length, at + FRAME_BYTES_MAX);
      const flags = (end === block.length ? FLAG.END_HEADERS : 0) | (isLast && at === 0 ? FLAG.END_STREAM : 0);
      const out = this.#writeFrame(end - at, type, flags, streamId);
      this.#output.slab.set(at === 0 && end === block.length ? block : block.subarray(at, end), out);
      type = FRAME.CONTINUATION;
      at = end;
    } while (at < block.length);
  }

  /** Writes a frame's head. @returns where its payload is to be written in the output's slab */
  #writeFrame(payloadBytes: number, type: number, flags: number, streamId: number): number {
    const at = this.#reserve(FRAME_HEADER_BYTES + payloadBytes);
    return writeFrameHead(this.#output.slab, at, payloadBytes, type, flags, streamId);
  }

  #reserve(byteCount: number): number {
    if (!this.#isScheduled) {
      this.#isScheduled = true;
      this.#host.scheduleFlush();
    }
    return this.#output.reserve(byteCount);
  }
}

function writeMessageHead(out: Uint8Array, at: number, messageBytes: number, streamId: number): void {
  const data = writeFrameHead(out, at, MESSAGE_PREFIX_BYTES + messageBytes, FRAME.DATA, 0, streamId);
  out[data] = 0;
  writeUint32(out, data + 1, messageBytes);
}
