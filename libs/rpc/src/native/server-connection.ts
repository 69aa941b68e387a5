import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { joinAddress } from '../address.ts';
import type { RpcLimit } from '../server.ts';
import type { ServerLimits } from '../server-limits.ts';
import { ConnectionWriter, type WriterHost } from './connection-writer.ts';
import { ReceiveWindow } from './flow-control.ts';
import { type FrameListener, FrameReader, type PayloadRange, readUint32, unpad } from './frames.ts';
import { HeaderBlock } from './header-block.ts';
import { type HeaderListLimits, HpackDecoder } from './hpack/decoder.ts';
import type { HeaderField } from './hpack/header-field.ts';
import {
  ConnectionError,
  type ErrorCodeName,
  FLAG,
  FRAME,
  FRAME_BYTES_MAX,
  PREFACE,
  SETTING,
  STREAM_ID_MAX,
  StreamError,
  WINDOW_DEFAULT_BYTES,
} from './protocol.ts';
import type { QueueBudget } from './queue-budget.ts';
import { RateLimit } from './rate-limit.ts';
import { areTrailers, type RequestHead, requestHeadOf } from './request-head.ts';
import type { ServerStream, StreamConnection } from './server-stream.ts';
import { applySettings, checkFrame } from './settings.ts';
import { StreamHistory } from './stream-history.ts';
import { StreamTable } from './stream-table.ts';

const TABLE_BYTES = 4096;
/** A client that has not answered a ping by then is taken to have heard what came before it. */
const DRAIN_PING_MS = 1_000;
/** How long a peer may take to take note of the end, or be silent meanwhile when it has done nothing wrong. */
const GOODBYE_MS = 1_000;
/**
 * How long a client that goes on sending is taken to read what the kernel still holds of its last answers. Nobody says how much that
 * is: some MiB at the most, so that a client gets them that reads 40 KiB a second.
 */
const GOODBYE_MS_MAX = 300_000;
/** A change of settings costs as much as so many other frames: it may concern each stream. */
const SETTINGS_COST = 20;
/** DATA of less than this that completes nothing is work without use. */
const SMALL_DATA_BYTES = 64;
/** Window updates for one frame of ours: one for the stream, one for the connection. */
const UPDATES_PER_FRAME = 2;

/** What the connections of a server share. */
export interface ConnectionHost {
  readonly limits: ServerLimits;
  readonly headerLimits: HeaderListLimits;
  nowMs(): number;
  setTimer(delayMs: number, callback: () => void): void;
  /** Calls `flush` of the connection at the end of this turn of the event loop. */
  scheduleFlush(connection: ServerConnection): void;
  /** Makes the stream for a request. */
  open(connection: ServerConnection, streamId: number, head: RequestHead): ServerStream;
  /** Makes the stream for a request whose header list is too large. */
  refuse(connection: ServerConnection, streamId: number): ServerStream;
  /** What waits for the clients of all connections. */
  readonly queueBudget: QueueBudget;
  /** A limit was exceeded. */
  onLimit(limit: RpcLimit): void;
  onConnectionClosed(connection: ServerConnection): void;
}

/** One HTTP/2 connection of a client: its frames, its streams, and the rules that hold for both (RFC 9113). */
export class ServerConnection implements FrameListener, StreamConnection, WriterHost {
  readonly writer: ConnectionWriter;
  /** Monotonic. */
  readonly openedAtMs: number;
  readonly #host: ConnectionHost;
  readonly #stream: Duplex;
  readonly #reader: FrameReader;
  readonly #decoder: HpackDecoder;
  readonly #streams = new StreamTable<ServerStream>();
  readonly #history = new StreamHistory();
  readonly #window: ReceiveWindow;
  readonly #controls: RateLimit;
  /** Made when a stream is reset. */
  #resets: RateLimit | undefined;
  #peer: string | undefined;
  #prefaceBytes = 0;
  #hasSettings = false;
  /** A header block whose end has not come. */
  #block: HeaderBlock | undefined;
  #nowMs: number;
  #queuedBytes = 0;
  /** What the budget of all connections knows of. */
  #notedBytes = 0;
  /** DATA frames of ours for which the client may have opened windows. */
  #dataFrameCount = 0;
  #isDraining = false;
  /** Requests above this are not taken any more. */
  #lastStreamIdTaken = STREAM_ID_MAX;
  #isOver = false;

  constructor(stream: Duplex, host: ConnectionHost) {
    const { limits } = host;
    this.#host = host;
    this.#stream = stream;
    this.openedAtMs = host.nowMs();
    this.#nowMs = this.openedAtMs;
    this.writer = new ConnectionWriter(stream, this);
    this.#reader = new FrameReader(this, FRAME_BYTES_MAX);
    this.#decoder = new HpackDecoder(TABLE_BYTES, host.headerLimits);
    this.#window = new ReceiveWindow(limits.connectionWindowBytes);
    this.#controls = new RateLimit(limits.controlFramesPerSecondMax, limits.controlFramesPerSecondMax, this.#nowMs);
  }

  get peer(): string {
    if (this.#peer === undefined) {
      const { remoteAddress, remotePort } = this.#stream as Socket;
      this.#peer = remoteAddress === undefined ? 'unknown' : joinAddress(remoteAddress, remotePort ?? 0);
    }
    return this.#peer;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  get streamWindowBytes(): number {
    return this.#host.limits.streamWindowBytes;
  }

  get socketBytesMax(): number {
    return this.#host.limits.socketBytesMax;
  }

  scheduleFlush(): void {
    this.#host.scheduleFlush(this);
  }

  /** Begins to speak. The preface is still to be read from the stream. */
  start(): void {
    const { concurrentStreamsMax, metadataBytesMax, streamWindowBytes, connectionWindowBytes } = this.#host.limits;
    this.writer.writeSettings([
      [SETTING.MAX_CONCURRENT_STREAMS, concurrentStreamsMax],
      [SETTING.INITIAL_WINDOW_SIZE, streamWindowBytes],
      [SETTING.MAX_HEADER_LIST_SIZE, metadataBytesMax],
    ]);
    this.writer.writeWindowUpdate(0, connectionWindowBytes - WINDOW_DEFAULT_BYTES);
    const peerKnown = this.peer; // cannot be asked for any more once the connection is closed
    this.#peer = peerKnown;
    const stream = this.#stream as OwnedStream;
    stream[OWNER] = this;
    stream.on('data', onData);
    stream.on('drain', onDrain);
    stream.on('close', onClose);
    stream.resume();
  }

  flush(): void {
    this.writer.flush();
    this.#noteQueued();
    if (!this.writer.isUnreadable || this.#isOver || this.#stream.isPaused()) return;
    this.#host.onLimit('socketBytes');
    this.#stream.pause();
  }

  consumed(byteCount: number): void {
    const increment = this.#window.done(byteCount);
    if (increment > 0) this.writer.writeWindowUpdate(0, increment);
  }

  countQueued(byteCount: number): void {
    this.#queuedBytes += byteCount;
    this.#noteQueued();
  }

  get isQueueFull(): boolean {
    return this.#queuedBytes > this.#host.limits.queuedBytesMax;
  }

  resetStream(stream: ServerStream, code: ErrorCodeName): void {
    this.writer.writeReset(stream.id, code);
    this.closeStream(stream, 'reset');
  }

  closeStream(stream: ServerStream, how: 'ended' | 'reset'): void {
    if (!this.#streams.delete(stream.id)) return;
    if (how === 'reset') this.#history.addReset(stream.id);
    stream.onClosed();
    if (this.#isDraining && this.#streams.size === 0) this.#endIfDrained();
  }

  /**
   * Takes no more calls. The client is told first that it should stop, and which calls were taken only when it must have
   * heard that: calls on their way are not lost.
   */
  drain(): void {
    if (this.#isDraining || this.#isOver) return;
    this.#isDraining = true;
    this.writer.writeGoAway(STREAM_ID_MAX, 'NO_ERROR', '');
    this.writer.writePing(0, DRAIN_PING);
    this.#host.setTimer(DRAIN_PING_MS, () => this.#onDrainPing());
  }

  /** Cuts the connection. */
  destroy(): void {
    this.#stream.destroy();
  }

  onFrame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (!this.#hasSettings && (type !== FRAME.SETTINGS || flags & FLAG.ACK)) {
      throw new ConnectionError('PROTOCOL_ERROR', 'the first frame must be SETTINGS');
    }
    if (this.#block !== undefined && (type !== FRAME.CONTINUATION || streamId !== this.#block.streamId)) {
      throw new ConnectionError('PROTOCOL_ERROR', 'a header block is interrupted by another frame');
    }
    try {
      checkFrame(type, flags, streamId, end - start);
      this.#dispatch(type, flags, streamId, bytes, start, end);
    } catch (error) {
      if (!(error instanceof StreamError)) throw error;
      this.#onStreamError(error);
    }
  }

  #dispatch(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    switch (type) {
      case FRAME.DATA:
        this.#onData(flags, streamId, bytes, start, end);
        return;
      case FRAME.HEADERS:
        this.#onHeaders(flags, streamId, bytes, start, end);
        return;
      case FRAME.CONTINUATION:
        this.#onContinuation(flags, bytes, start, end);
        return;
      case FRAME.WINDOW_UPDATE:
        this.#onWindowUpdate(streamId, readUint32(bytes, start) & 0x7fffffff);
        return;
      case FRAME.RST_STREAM:
        this.#onReset(streamId);
        return;
      case FRAME.SETTINGS:
        this.#onSettings(flags, bytes, start, end);
        return;
      case FRAME.PING:
        this.#onPing(flags, bytes, start, end);
        return;
      case FRAME.PRIORITY:
        this.#countControl(1);
        checkDependency(streamId, bytes, start);
        return;
      default: // GOAWAY: the client opens no more streams, which it may do anyway. All others are unknown.
        this.#countControl(1);
    }
  }

  /** Bytes have come. */
  onChunk(chunk: Buffer): void {
    if (this.#isOver) return;
    this.#nowMs = this.#host.nowMs();
    let bytes = chunk;
    if (this.#prefaceBytes < PREFACE.length) {
      const rest = PREFACE.length - this.#prefaceBytes;
      this.#prefaceBytes += Math.min(rest, chunk.length);
      bytes = chunk.subarray(rest);
    }
    try {
      this.#reader.read(bytes);
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      this.#fail(error);
    }
  }

  /** The socket has taken what waited in it. */
  onDrain(): void {
    this.#noteQueued();
    this.writer.pumpWaiting();
    if (!this.writer.isUnreadable) this.#stream.resume();
  }

  /** The socket is closed, by whichever side. */
  onClose(): void {
    this.#isOver = true;
    this.#reader.stop();
    this.writer.close();
    this.#noteQueued();
    const streams = this.#streams.values();
    this.#streams.clear();
    for (const stream of streams) stream.onClosed();
    this.#host.onConnectionClosed(this);
  }

  #noteQueued(): void {
    const bytes = this.#stream.destroyed ? 0 : this.#queuedBytes + this.#stream.writableLength;
    if (bytes === this.#notedBytes) return;
    this.#notedBytes = bytes;
    this.#host.queueBudget.note(this, bytes);
  }

  #onData(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    const frameBytes = end - start;
    if (!this.#window.received(frameBytes)) {
      throw new ConnectionError('FLOW_CONTROL_ERROR', 'more data than the window of the connection allows');
    }
    range.start = start;
    range.end = end;
    if (flags & FLAG.PADDED) unpad(FRAME.DATA, flags, bytes, range);
    const isLast = (flags & FLAG.END_STREAM) !== 0;
    if (frameBytes < SMALL_DATA_BYTES && !isLast) this.#countControl(1);
    const stream = this.#streams.get(streamId);
    if (stream === undefined) {
      this.consumed(frameBytes);
      this.#onFrameOfClosed(streamId);
      return;
    }
    stream.onData(bytes, range.start, range.end, frameBytes, isLast);
  }

  #onHeaders(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    range.start = start;
    range.end = end;
    if (flags & (FLAG.PADDED | FLAG.PRIORITY)) unpad(FRAME.HEADERS, flags, bytes, range);
    const isLast = (flags & FLAG.END_STREAM) !== 0;
    const isSelfDependent =
      (flags & FLAG.PRIORITY) !== 0 && (readUint32(bytes, range.start - 5) & 0x7fffffff) === streamId;
    if (flags & FLAG.END_HEADERS) {
      this.#onBlock(streamId, isLast, isSelfDependent, bytes, range.start, range.end);
      return;
    }
    this.#block = new HeaderBlock(streamId, isLast, isSelfDependent);
    this.#addToBlock(bytes, range.start, range.end);
  }

  #onContinuation(flags: number, bytes: Buffer, start: number, end: number): void {
    const block = this.#block;
    if (block === undefined) throw new ConnectionError('PROTOCOL_ERROR', 'CONTINUATION continues nothing');
    this.#addToBlock(bytes, start, end);
    if ((flags & FLAG.END_HEADERS) === 0) return;
    this.#block = undefined;
    const whole = block.whole();
    this.#onBlock(block.streamId, block.isLast, block.isSelfDependent, whole, 0, whole.length);
  }

  #addToBlock(bytes: Buffer, start: number, end: number): void {
    if (this.#block!.add(bytes, start, end)) return;
    this.#host.onLimit('headers');
    throw new ConnectionError('ENHANCE_YOUR_CALM', 'the header block is too large');
  }

  #onBlock(
    streamId: number,
    isLast: boolean,
    isSelfDependent: boolean,
    bytes: Buffer,
    start: number,
    end: number,
  ): void {
    // Decoded whatever becomes of it: later blocks refer to it.
    const fields = this.#decoder.decode(bytes, start, end);
    const stream = this.#streams.get(streamId);
    if (stream !== undefined) {
      this.#onTrailers(stream, fields, isLast);
      return;
    }
    if (this.#history.isKnown(streamId)) {
      this.#onHeadersOfClosed(streamId);
      return;
    }
    if (streamId % 2 === 0) throw new ConnectionError('PROTOCOL_ERROR', 'clients open streams of odd numbers');
    this.#history.open(streamId);
    if (streamId > this.#lastStreamIdTaken) return;
    if (isSelfDependent) throw new StreamError(streamId, 'PROTOCOL_ERROR', 'a stream depends on itself');
    this.#open(streamId, fields, isLast);
  }

  #open(streamId: number, fields: readonly HeaderField[], isLast: boolean): void {
    const host = this.#host;
    if (this.#streams.size >= host.limits.concurrentStreamsMax) {
      host.onLimit('streams');
      throw new StreamError(streamId, 'REFUSED_STREAM', 'too many streams');
    }
    if (this.isQueueFull) {
      host.onLimit('queuedBytes');
      throw new StreamError(streamId, 'ENHANCE_YOUR_CALM', 'too many answers wait to be taken');
    }
    let stream: ServerStream;
    if (this.#decoder.isTooLarge) {
      host.onLimit('headers');
      stream = host.refuse(this, streamId);
    } else {
      const head = requestHeadOf(fields);
      if (head === undefined) throw new StreamError(streamId, 'PROTOCOL_ERROR', 'the header list is malformed');
      stream = host.open(this, streamId, head);
    }
    this.#streams.set(streamId, stream);
    stream.open(isLast);
  }

  #onTrailers(stream: ServerStream, fields: readonly HeaderField[], isLast: boolean): void {
    if (stream.isRemoteEnded) throw new StreamError(stream.id, 'STREAM_CLOSED', 'headers behind the end of the stream');
    if (!isLast || !areTrailers(fields)) {
      throw new StreamError(stream.id, 'PROTOCOL_ERROR', 'a request has one header list and maybe trailers at its end');
    }
    stream.onEnd();
  }

  #onHeadersOfClosed(streamId: number): void {
    if (this.#history.wasReset(streamId) || streamId > this.#lastStreamIdTaken) return;
    if (this.#history.wasSkipped(streamId)) {
      throw new ConnectionError('PROTOCOL_ERROR', 'streams are opened in the order of their numbers');
    }
    throw new ConnectionError('STREAM_CLOSED', 'headers of a closed stream');
  }

  /** What was on its way when we reset a stream is ignored; all else of closed streams is an error. */
  #onFrameOfClosed(streamId: number): void {
    this.#checkNotIdle(streamId);
    if (this.#history.wasReset(streamId) || streamId > this.#lastStreamIdTaken) return;
    throw new StreamError(streamId, 'STREAM_CLOSED', 'data of a closed stream');
  }

  #onWindowUpdate(streamId: number, increment: number): void {
    const dataFrameCount = this.writer.dataFrameCount;
    this.#controls.allow(UPDATES_PER_FRAME * (dataFrameCount - this.#dataFrameCount));
    this.#dataFrameCount = dataFrameCount;
    this.#countControl(1);
    if (increment === 0) {
      const what = 'a window is opened by nothing';
      if (streamId === 0) throw new ConnectionError('PROTOCOL_ERROR', what);
      this.#checkNotIdle(streamId);
      throw new StreamError(streamId, 'PROTOCOL_ERROR', what);
    }
    if (streamId === 0) {
      this.writer.openWindow(increment);
      return;
    }
    this.#checkNotIdle(streamId);
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    if (!stream.openSendWindow(increment)) {
      throw new StreamError(streamId, 'FLOW_CONTROL_ERROR', 'the window of the stream is too large');
    }
    stream.pump();
  }

  #onReset(streamId: number): void {
    this.#checkNotIdle(streamId);
    this.#countReset();
    const stream = this.#streams.get(streamId);
    if (stream !== undefined) this.closeStream(stream, 'ended');
  }

  #onSettings(flags: number, bytes: Buffer, start: number, end: number): void {
    this.#hasSettings = true;
    if (flags & FLAG.ACK) return;
    this.#countControl(SETTINGS_COST);
    const windowBefore = this.writer.peerWindowBytes;
    applySettings(this.writer, bytes, start, end);
    this.writer.writeSettingsAck();
    const change = this.writer.peerWindowBytes - windowBefore;
    if (change === 0) return;
    for (const stream of this.#streams.values()) {
      if (!stream.openSendWindow(change)) {
        throw new ConnectionError('FLOW_CONTROL_ERROR', 'the initial window makes the window of a stream too large');
      }
      if (change > 0) stream.pump();
    }
  }

  #onPing(flags: number, bytes: Buffer, start: number, end: number): void {
    this.#countControl(1);
    const payload = bytes.subarray(start, end);
    if ((flags & FLAG.ACK) === 0) this.writer.writePing(FLAG.ACK, payload);
    else if (this.#isDraining && DRAIN_PING.equals(payload)) this.#onDrainPing();
  }

  /** The client knows that it should stop: what it sends from now on it sends in vain. */
  #onDrainPing(): void {
    if (this.#lastStreamIdTaken !== STREAM_ID_MAX || this.#isOver) return;
    this.#lastStreamIdTaken = this.#history.lastStreamId;
    this.writer.writeGoAway(this.#lastStreamIdTaken, 'NO_ERROR', '');
    this.#endIfDrained();
  }

  #endIfDrained(): void {
    if (this.#lastStreamIdTaken === STREAM_ID_MAX || this.#streams.size > 0 || this.#isOver) return;
    // Its last answers may be large and the client slow: time counts from when the socket has taken all.
    this.#end(() => this.#cutWhenSilent());
  }

  #checkNotIdle(streamId: number): void {
    if (this.#history.isKnown(streamId)) return;
    throw new ConnectionError('PROTOCOL_ERROR', `stream ${streamId} has not been opened`);
  }

  #onStreamError(error: StreamError): void {
    this.#countWindow(error.code);
    this.#countReset();
    const stream = this.#streams.get(error.streamId);
    if (stream !== undefined) {
      this.resetStream(stream, error.code);
      return;
    }
    if (this.#history.wasReset(error.streamId)) return; // what follows a reset is to be ignored (5.1)
    // A stream that was never opened can't be reset (RFC 9113, 6.4).
    if (!this.#history.isKnown(error.streamId)) throw new ConnectionError(error.code, error.message);
    this.writer.writeReset(error.streamId, error.code);
    this.#history.addReset(error.streamId);
  }

  #countControl(cost: number): void {
    if (this.#controls.take(cost, this.#nowMs)) return;
    this.#host.onLimit('controlFrames');
    throw new ConnectionError('ENHANCE_YOUR_CALM', 'too many frames that carry nothing');
  }

  #countReset(): void {
    const { resetsPerSecondMax } = this.#host.limits;
    this.#resets ??= new RateLimit(resetsPerSecondMax, RESET_BURST_SECONDS * resetsPerSecondMax, this.#nowMs);
    if (this.#resets.take(1, this.#nowMs)) return;
    this.#host.onLimit('resets');
    throw new ConnectionError('ENHANCE_YOUR_CALM', 'too many streams are reset');
  }

  #countWindow(code: ErrorCodeName): void {
    if (code === 'FLOW_CONTROL_ERROR') this.#host.onLimit('windows');
  }

  /** Ends the connection for a rule that was broken. */
  #fail(error: ConnectionError): void {
    this.#countWindow(error.code);
    this.writer.writeGoAway(this.#history.lastStreamId, error.code, error.message);
    this.#end();
    this.#host.setTimer(GOODBYE_MS, () => this.destroy());
  }

  /** Cuts the connection when the client does not, which gives signs of life as long as it reads, but not for ever. */
  #cutWhenSilent(endMs = this.#host.nowMs() + GOODBYE_MS_MAX): void {
    const { bytesRead } = this.#stream as Socket;
    this.#host.setTimer(GOODBYE_MS, () => {
      const isSilent = bytesRead === (this.#stream as Socket).bytesRead;
      if (isSilent || this.#host.nowMs() >= endMs) this.destroy();
      else this.#cutWhenSilent(endMs);
    });
  }

  /** Says the last. Whoever calls sees to it that the client gets some time to read it: cutting at once could lose it. */
  #end(onAllSent?: () => void): void {
    this.#isOver = true;
    this.#reader.stop();
    this.writer.flush();
    this.#stream.end(onAllSent);
    this.#stream.resume();
    const streams = this.#streams.values();
    this.#streams.clear();
    for (const stream of streams) stream.onClosed();
  }
}

const RESET_BURST_SECONDS = 5;
/** Used by one frame at a time. */
const range: PayloadRange = { start: 0, end: 0 };

/** Where a stream keeps its connection: functions that all share listen to it, which an idle one would pay for. */
const OWNER = Symbol('connection');

interface OwnedStream extends Duplex {
  [OWNER]: ServerConnection;
}

function onData(this: Duplex, chunk: Buffer): void {
  (this as OwnedStream)[OWNER].onChunk(chunk);
}

function onDrain(this: Duplex): void {
  (this as OwnedStream)[OWNER].onDrain();
}

function onClose(this: Duplex): void {
  (this as OwnedStream)[OWNER].onClose();
}

const DRAIN_PING = Buffer.from('orbitmqd', 'latin1');

function checkDependency(streamId: number, bytes: Buffer, start: number): void {
  if ((readUint32(bytes, start) & 0x7fffffff) === streamId) {
    throw new StreamError(streamId, 'PROTOCOL_ERROR', 'a stream depends on itself');
  }
}
