import { type ConnectionWriter, OK_TRAILERS, RESPONSE_HEAD, type SendingStream } from './connection-writer.ts';
import { ReceiveWindow } from './flow-control.ts';
import type { SentField } from './hpack/encoder.ts';
import { type ErrorCodeName, StreamError, WINDOW_BYTES_MAX } from './protocol.ts';
import { SendQueue } from './send-queue.ts';

/** How the server's side of a stream ends: with these trailers, or without any behind a text. */
export type StreamEnd = readonly SentField[] | 'text';

/** The connection of a stream, as the stream sees it. */
export interface StreamConnection {
  readonly writer: ConnectionWriter;
  /** `address:port` of the client. */
  readonly peer: string;
  /** When the bytes came that are being read; monotonic. */
  readonly nowMs: number;
  /** What one stream may send before any of it is done with. */
  readonly streamWindowBytes: number;
  /** So much waits for the peer that streams have to wait, however little of it is theirs. */
  readonly isQueueFull: boolean;
  /** So many bytes of DATA are done with. */
  consumed(byteCount: number): void;
  /** What waits for the peer has grown, or shrunk. */
  countQueued(byteCount: number): void;
  /** Resets a stream; it is closed at once. */
  resetStream(stream: ServerStream, code: ErrorCodeName): void;
  /** Both sides of a stream have ended, or we have reset it. */
  closeStream(stream: ServerStream, how: 'ended' | 'reset'): void;
}

/** A stream that a client has opened: its two sides, its windows, and what waits to be sent. */
export abstract class ServerStream implements SendingStream {
  readonly id: number;
  protected readonly connection: StreamConnection;
  /** The client will send nothing more. */
  #isRemoteEnded = false;
  /** END_STREAM has been sent, or the stream was reset. */
  #isLocalEnded = false;
  #isHeadSent = false;
  #sendWindowBytes: number;
  /** Made when more than one frame comes. */
  #receiveWindow: ReceiveWindow | undefined;
  #queue: SendQueue | undefined;
  /** Waits for the queue to be empty. */
  #end: StreamEnd | undefined;
  /** What is to come by content-length; below zero when that was not said. */
  #contentBytes: number;

  /** @param contentLength what the client says it will send; -1 = nothing said */
  constructor(connection: StreamConnection, id: number, contentLength: number) {
    this.connection = connection;
    this.id = id;
    this.#sendWindowBytes = connection.writer.peerWindowBytes;
    this.#contentBytes = contentLength;
  }

  get isRemoteEnded(): boolean {
    return this.#isRemoteEnded;
  }

  get isLocalEnded(): boolean {
    return this.#isLocalEnded;
  }

  get isHeadSent(): boolean {
    return this.#isHeadSent;
  }

  /** What waits for the peer. */
  get queuedBytes(): number {
    return this.#queue?.bytes ?? 0;
  }

  /** So much waits on the connection that no stream is to add to it. */
  get isQueueFull(): boolean {
    return this.connection.isQueueFull;
  }

  get sendWindowBytes(): number {
    return this.#sendWindowBytes;
  }

  /** @returns false when the window would be too large, which is a FLOW_CONTROL_ERROR */
  openSendWindow(byteCount: number): boolean {
    if (this.#sendWindowBytes + byteCount > WINDOW_BYTES_MAX) return false;
    this.#sendWindowBytes += byteCount;
    return true;
  }

  /** The header list has come. @param isLast nothing follows it */
  open(isLast: boolean): void {
    if (isLast) this.#endRemotely();
    this.begin();
    if (isLast && !this.#isLocalEnded) this.receiveEnd();
  }

  /** A DATA frame has come. Its payload without padding is from `start` to `end`, `frameBytes` are what windows count. */
  onData(bytes: Buffer, start: number, end: number, frameBytes: number, isLast: boolean): void {
    const error = this.#errorOfData(end - start, frameBytes, isLast);
    if (error !== undefined) {
      // The other streams go on, and share the window of the connection.
      this.connection.consumed(frameBytes);
      throw error;
    }
    if (end > start) this.receive(bytes, start, end, frameBytes, isLast);
    else this.consumed(frameBytes);
    if (isLast) this.onEnd();
  }

  /** The client's side has ended, by END_STREAM in whatever frame. */
  onEnd(): void {
    this.#endRemotely();
    this.receiveEnd();
  }

  /** The stream is over, however it ended. Called once. */
  onClosed(): void {
    this.#isRemoteEnded = true;
    this.#isLocalEnded = true;
    this.#dropQueue();
    this.closed();
  }

  /** The stream is there. */
  protected begin(): void {}
  /** Data has come; what is done with is to be told by `consumed`. */
  protected abstract receive(bytes: Buffer, start: number, end: number, frameBytes: number, isLast: boolean): void;
  /** Nothing more comes. */
  protected abstract receiveEnd(): void;
  /** Nothing waits for the peer any more. */
  protected drained(): void {}
  /** Nothing is to be sent or received any more. */
  protected abstract closed(): void;

  /** So much of what was received is done with; the client may send as much again. */
  protected consumed(byteCount: number): void {
    this.connection.consumed(byteCount);
    if (this.#isRemoteEnded || this.#receiveWindow === undefined) return;
    const increment = this.#receiveWindow.done(byteCount);
    if (increment > 0) this.connection.writer.writeWindowUpdate(this.id, increment);
  }

  /** What the response begins with. */
  protected get responseHead(): readonly SentField[] {
    return RESPONSE_HEAD;
  }

  /** Sends a message behind all others, as far as the peer takes it. It must not change until it has been sent. */
  send(message: Uint8Array): void {
    if (this.#isLocalEnded) return;
    const { writer } = this.connection;
    if (!this.#isHeadSent) this.#writeHead();
    if (this.queuedBytes === 0 && writer.writeMessage(this, message)) return;
    this.#queue ??= new SendQueue();
    const before = this.#queue.bytes;
    this.#queue.addMessage(message);
    this.connection.countQueued(this.#queue.bytes - before);
    this.pump();
  }

  /** Sends the only message of a call and the OK status behind it. */
  protected sendAnswer(message: Uint8Array): void {
    if (this.#isLocalEnded) return;
    if (this.responseHead === RESPONSE_HEAD && this.connection.writer.writeAnswer(this, message)) {
      this.#isHeadSent = true;
      this.#endLocally();
      return;
    }
    this.send(message);
    this.sendEnd(OK_TRAILERS);
  }

  /** Ends this side, behind all that waits. */
  protected sendEnd(end: StreamEnd): void {
    if (this.#isLocalEnded || this.#end) return;
    this.#end = end;
    if (this.queuedBytes === 0) this.#writeEnd(end);
  }

  /** Ends this side at once: what waits is dropped. Where a part of it has been sent, a reset has to say all. */
  protected cutShort(end: StreamEnd): void {
    if (this.#isLocalEnded) return;
    const hasBegun = this.#queue?.hasBegun === true;
    this.#dropQueue();
    this.#end = undefined;
    if (hasBegun) this.connection.resetStream(this, 'CANCEL');
    else this.sendEnd(end);
  }

  /** Answers with a text instead of gRPC. @param head fields with the HTTP status */
  protected sendText(head: readonly SentField[], text: string): void {
    this.connection.writer.writeHeaders(this.id, head, false);
    this.#isHeadSent = true;
    this.#queue = new SendQueue();
    this.#queue.addText(text);
    this.connection.countQueued(this.#queue.bytes);
    this.#end = 'text';
    this.pump();
  }

  /** Sends as much of what waits as the windows and the socket allow. */
  pump(): void {
    const queue = this.#queue;
    if (queue === undefined || queue.bytes === 0) return;
    const { writer } = this.connection;
    const before = queue.bytes;
    while (queue.bytes > 0) {
      const byteCount = Math.min(queue.bytes, writer.sendableBytes(this));
      if (byteCount <= 0) break;
      writer.writeData(this, queue, byteCount);
    }
    this.connection.countQueued(queue.bytes - before);
    if (queue.bytes > 0) return;
    if (this.#end) this.#writeEnd(this.#end);
    else this.drained();
  }

  /** For the connection: so much of the window has been used. */
  sent(byteCount: number): void {
    this.#sendWindowBytes -= byteCount;
  }

  #endRemotely(): void {
    if (this.#contentBytes > 0) throw new StreamError(this.id, 'PROTOCOL_ERROR', 'less data than content-length says');
    this.#isRemoteEnded = true;
  }

  #writeHead(): void {
    const { writer } = this.connection;
    this.#isHeadSent = true;
    if (this.responseHead === RESPONSE_HEAD) writer.writeResponseHead(this.id);
    else writer.writeHeaders(this.id, this.responseHead, false);
  }

  #writeEnd(end: StreamEnd): void {
    const { writer } = this.connection;
    if (end === OK_TRAILERS && this.#isHeadSent) writer.writeOkTrailers(this.id);
    else if (end === 'text') writer.writeEnd(this.id);
    else writer.writeHeaders(this.id, this.#isHeadSent ? end : [...this.responseHead, ...end], true);
    this.#endLocally();
  }

  /** A client that has not ended its side is told to stop, or the stream would keep its place (RFC 9113, 8.1). */
  #endLocally(): void {
    this.#isLocalEnded = true;
    if (!this.#isRemoteEnded) this.connection.writer.writeReset(this.id, 'NO_ERROR');
    this.connection.closeStream(this, this.#isRemoteEnded ? 'ended' : 'reset');
  }

  #dropQueue(): void {
    const queue = this.#queue;
    if (queue === undefined) return;
    this.connection.writer.forget(this);
    this.connection.countQueued(-queue.bytes);
    queue.clear();
  }

  /** Counts a DATA frame. @returns what is wrong with it */
  #errorOfData(byteCount: number, frameBytes: number, isLast: boolean): StreamError | undefined {
    if (this.#isRemoteEnded) return new StreamError(this.id, 'STREAM_CLOSED', 'data behind the end of the stream');
    if (this.#receiveWindow === undefined && !isLast) {
      this.#receiveWindow = new ReceiveWindow(this.connection.streamWindowBytes);
    }
    if (this.#receiveWindow?.received(frameBytes) === false) {
      return new StreamError(this.id, 'FLOW_CONTROL_ERROR', 'more data than the window of the stream allows');
    }
    if (this.#contentBytes < 0) return undefined;
    this.#contentBytes -= byteCount;
    if (this.#contentBytes >= 0) return undefined;
    return new StreamError(this.id, 'PROTOCOL_ERROR', 'more data than content-length says');
  }
}
