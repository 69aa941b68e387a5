import type { Duplex } from 'node:stream';
import { type Clock, KIB, MIB } from '@orbitmq/base';
import { RpcError, UnreachableError } from '../service.ts';
import type { CallConnection, ClientCall } from './client-call.ts';
import { RequestHeaders } from './client-headers.ts';
import { KeepAlive } from './client-keep-alive.ts';
import { ClientSender } from './client-sender.ts';
import { PeerSettings } from './client-settings.ts';
import { ReceiveWindow } from './flow-control.ts';
import { type FrameListener, FrameReader, type PayloadRange, readUint32, unpad } from './frames.ts';
import { HeaderBlock } from './header-block.ts';
import { HpackDecoder } from './hpack/decoder.ts';
import { HpackEncoder } from './hpack/encoder.ts';
import type { OwnHeaders } from './own-headers.ts';
import { PacedResets } from './paced-resets.ts';
import { ConnectionError, ERROR_CODE, FLAG, FRAME, FRAME_BYTES_MAX, SETTING, STREAM_ID_MAX } from './protocol.ts';
import { StreamTable } from './stream-table.ts';

/** All headers of an answer, as HTTP/2 counts them. Bytes. */
const HEADER_LIST_BYTES_MAX = 64 * KIB;
const HEADER_COUNT_MAX = 256;
const HEADER_TABLE_BYTES = 4096;
/** What a server may send that nobody reads of any call. Each call has a window of its own below it. */
const CONNECTION_WINDOW_MIN_BYTES = MIB;
/** How long a connection that is closed may take to send what waits. */
const CLOSE_TIMEOUT_MS = 1_000;
const PING_BYTES = 8;

export interface ClientConnectionOptions {
  readonly socket: Duplex & { ref?(): void; unref?(): void };
  readonly scheme: 'http' | 'https';
  readonly authority: string;
  readonly receiveWindowBytes: number;
  readonly keepAliveMs: number;
  readonly clock: Clock;
  /** Where the fields of each call's own are put together. */
  readonly own: OwnHeaders;
  /** The server has sent its settings: calls may be made. Called once. */
  readonly onReady: () => void;
  /** No new calls may be made: the server goes away, or the connection has ended. Called once. */
  readonly onGone: () => void;
  /** A call that was waiting for a place and has not been sent, when there will be none. */
  readonly onUnsent: (call: ClientCall) => void;
}

/**
 * The client's side of one HTTP/2 connection: many calls, whose frames leave together once a turn of the event loop.
 * What the server sends is bounded: its headers, the responses nobody reads (by windows), and the answers to its pings
 * and settings that it does not take.
 */
export class ClientConnection implements CallConnection, FrameListener {
  readonly #options: ClientConnectionOptions;
  readonly #reader: FrameReader;
  readonly #decoder: HpackDecoder;
  readonly #encoder = new HpackEncoder();
  readonly #headers: RequestHeaders;
  readonly #sender: ClientSender;
  readonly #settings = new PeerSettings();
  readonly #receiveWindow: ReceiveWindow;
  readonly #keepAlive: KeepAlive;
  readonly #range: PayloadRange = { start: 0, end: 0 };
  readonly #calls = new StreamTable<ClientCall>();
  /** Of calls that have ended here. */
  readonly #resets: PacedResets;
  /** Calls that wait for others to end, as the server takes only so many at once. */
  readonly #waiting = new Set<ClientCall>();
  /** One that comes in several frames, until it is complete. */
  #headerBlock: HeaderBlock | undefined;
  #nextStreamId = 1;
  #isReady = false;
  #isGone = false;
  #isClosed = false;
  #error: RpcError | undefined;

  constructor(options: ClientConnectionOptions) {
    const { socket, receiveWindowBytes } = options;
    this.#options = options;
    this.#reader = new FrameReader(this, FRAME_BYTES_MAX);
    this.#decoder = new HpackDecoder(HEADER_TABLE_BYTES, {
      bytesMax: HEADER_LIST_BYTES_MAX,
      countMax: HEADER_COUNT_MAX,
    });
    this.#headers = new RequestHeaders(this.#encoder, options.scheme, options.authority);
    this.#sender = new ClientSender(socket, () => this.#openWaiting());
    this.#resets = new PacedResets({
      clock: options.clock,
      reset: (streamId, code) => this.#sender.writeReset(streamId, code),
      onProgress: () => this.#openWaiting(),
    });
    const connectionWindowBytes = Math.max(receiveWindowBytes, CONNECTION_WINDOW_MIN_BYTES);
    this.#receiveWindow = new ReceiveWindow(connectionWindowBytes);
    socket.on('data', (chunk: Buffer) => this.#onChunk(chunk));
    socket.on('error', () => {}); // 'close' follows and says all that matters
    socket.on('end', () => socket.destroy());
    socket.on('close', () => this.#onClose());
    this.#sender.begin(
      [
        [SETTING.ENABLE_PUSH, 0],
        [SETTING.INITIAL_WINDOW_SIZE, receiveWindowBytes],
        [SETTING.MAX_HEADER_LIST_SIZE, HEADER_LIST_BYTES_MAX],
      ],
      connectionWindowBytes,
    );
    this.#keepAlive = new KeepAlive({
      clock: options.clock,
      intervalMs: options.keepAliveMs,
      ask: () => this.#sender.writePing(),
      onDead: () => socket.destroy(),
    });
  }

  /** Whether new calls may be made. */
  get takesCalls(): boolean {
    return !this.#isGone;
  }

  /** Calls that the server takes at a time, beside those that it does not know yet to have ended. */
  get openCallsMax(): number {
    return Math.max(0, this.#settings.concurrentStreamsMax - this.#resets.waitingCount);
  }

  /** Sends a call, at once or when the server takes one more. The connection must not be gone. */
  take(call: ClientCall): void {
    call.taken(this);
    if (this.#hasPlace()) {
      this.#open(call);
    } else {
      this.#waiting.add(call);
      this.#options.socket.ref?.();
    }
  }

  send(call: ClientCall, message: Uint8Array, isLast: boolean): void {
    this.#sender.send(call, message, isLast);
  }

  endSending(call: ClientCall): void {
    this.#sender.end(call);
  }

  openWindow(streamId: number, increment: number): void {
    this.#sender.writeWindowUpdate(streamId, increment);
  }

  forget(call: ClientCall, resetCode: number | undefined): void {
    if (this.#waiting.size > 0) this.#waiting.delete(call);
    if (call.streamId !== 0 && this.#calls.delete(call.streamId)) {
      this.#sender.forget(call);
      if (resetCode !== undefined && !this.#isClosed) this.#resets.add(call.streamId, resetCode);
    }
    if (this.#isGone && this.#calls.size === 0) this.close();
    else this.#openWaiting();
    if (this.#calls.size === 0 && this.#waiting.size === 0) this.#options.socket.unref?.();
  }

  cancelCalls(): void {
    for (const call of [...this.#waiting, ...this.#calls.values()]) call.cancel();
  }

  /** Says goodbye and closes, at once; its calls have to be ended before. */
  close(): void {
    if (this.#isClosed) return;
    this.#goAway('NO_ERROR');
  }

  onFrame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (this.#headerBlock && (type !== FRAME.CONTINUATION || streamId !== this.#headerBlock.streamId)) {
      throw new ConnectionError('PROTOCOL_ERROR', 'a header block is interrupted by another frame');
    }
    if (!this.#isReady && (type !== FRAME.SETTINGS || flags & FLAG.ACK)) {
      throw new ConnectionError('PROTOCOL_ERROR', 'the first frame is not SETTINGS');
    }
    switch (type) {
      case FRAME.DATA:
        this.#onData(flags, streamId, bytes, start, end);
        return;
      case FRAME.HEADERS:
        this.#onHeaders(flags, streamId, bytes, start, end);
        return;
      case FRAME.CONTINUATION:
        if (!this.#headerBlock) {
          throw new ConnectionError('PROTOCOL_ERROR', 'a CONTINUATION frame continues nothing');
        }
        this.#onHeaderPart(this.#headerBlock, flags, bytes, start, end);
        return;
      case FRAME.RST_STREAM:
        sizeIs(4, start, end);
        this.#onReset(streamId, readUint32(bytes, start));
        return;
      case FRAME.SETTINGS:
        this.#onSettings(flags, streamId, bytes, start, end);
        return;
      case FRAME.PUSH_PROMISE:
        throw new ConnectionError('PROTOCOL_ERROR', 'a push was promised, which is switched off');
      case FRAME.PING:
        isForConnection(streamId);
        sizeIs(PING_BYTES, start, end);
        if ((flags & FLAG.ACK) === 0) this.#sender.writePingAck(bytes, start);
        return;
      case FRAME.GOAWAY:
        isForConnection(streamId);
        if (end - start < 8) throw new ConnectionError('FRAME_SIZE_ERROR', 'a GOAWAY frame is too short');
        this.#onGoAway(readUint32(bytes, start) & STREAM_ID_MAX);
        return;
      case FRAME.WINDOW_UPDATE:
        sizeIs(4, start, end);
        this.#onWindowUpdate(streamId, readUint32(bytes, start) & STREAM_ID_MAX);
    }
  }

  #hasPlace(): boolean {
    return this.#calls.size < this.openCallsMax && !this.#sender.isBlocked;
  }

  #open(call: ClientCall): void {
    const streamId = this.#nextStreamId;
    this.#nextStreamId += 2;
    if (this.#calls.size === 0) this.#options.socket.ref?.();
    this.#calls.set(streamId, call);
    const { own } = this.#options;
    own.fill(call.metadata, call.remainingMs());
    this.#sender.writeHeaders(streamId, this.#headers.commonOf(call.codec.path), own);
    call.opened(streamId, this.#settings.initialWindowBytes, this.#options.receiveWindowBytes);
    if (this.#nextStreamId > STREAM_ID_MAX) this.#leave();
  }

  #openWaiting(): void {
    if (this.#isGone || this.#waiting.size === 0) return;
    for (const call of this.#waiting) {
      if (!this.#hasPlace()) return;
      this.#waiting.delete(call);
      this.#open(call);
    }
  }

  #onChunk(chunk: Buffer): void {
    this.#keepAlive.heard();
    try {
      this.#reader.read(chunk);
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      this.#error = new RpcError('INTERNAL', `the server does not keep to HTTP/2: ${error.message}`);
      this.#goAway(error.code);
    }
  }

  #onData(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    const frameBytes = end - start;
    if (!this.#receiveWindow.received(frameBytes)) {
      throw new ConnectionError('FLOW_CONTROL_ERROR', 'more data has come than was allowed');
    }
    // A call whose responses are not read must not stop the others: only its own window is kept closed.
    const increment = this.#receiveWindow.done(frameBytes);
    if (increment > 0) this.#sender.writeWindowUpdate(0, increment);
    const range = this.#range;
    range.start = start;
    range.end = end;
    unpad(FRAME.DATA, flags, bytes, range);
    const call = this.#openedCall(streamId);
    if (!call) {
      if (flags & FLAG.END_STREAM) this.#endedUnheard(streamId);
      return;
    }
    call.onData(bytes, range.start, range.end, frameBytes);
    if (flags & FLAG.END_STREAM && call.isOpen) call.onEndWithoutTrailers();
  }

  #onHeaders(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    this.#openedCall(streamId);
    const range = this.#range;
    range.start = start;
    range.end = end;
    unpad(FRAME.HEADERS, flags, bytes, range);
    const isEnd = (flags & FLAG.END_STREAM) !== 0;
    if (flags & FLAG.END_HEADERS) {
      this.#decodeHeaders(streamId, isEnd, bytes, range.start, range.end);
    } else {
      this.#headerBlock = new HeaderBlock(streamId, isEnd, false);
      this.#onHeaderPart(this.#headerBlock, flags, bytes, range.start, range.end);
    }
  }

  #onHeaderPart(block: HeaderBlock, flags: number, bytes: Buffer, start: number, end: number): void {
    if (!block.add(bytes, start, end)) throw new ConnectionError('ENHANCE_YOUR_CALM', 'a header block is too large');
    if ((flags & FLAG.END_HEADERS) === 0) return;
    this.#headerBlock = undefined;
    const whole = block.whole();
    this.#decodeHeaders(block.streamId, block.isLast, whole, 0, whole.length);
  }

  #decodeHeaders(streamId: number, isEnd: boolean, bytes: Buffer, start: number, end: number): void {
    const fields = this.#decoder.decode(bytes, start, end); // also of a call that has ended: the table is everybody's
    const call = this.#calls.get(streamId);
    if (call) call.onHeaders(fields, this.#decoder.isTooLarge, isEnd);
    else if (isEnd) this.#endedUnheard(streamId);
  }

  #onReset(streamId: number, code: number): void {
    const call = this.#openedCall(streamId);
    if (call) call.onReset(code);
    else this.#endedUnheard(streamId);
  }

  /** The server has ended a stream of which nobody wants to hear any more. */
  #endedUnheard(streamId: number): void {
    if (this.#resets.ended(streamId)) this.#openWaiting();
  }

  #onSettings(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    isForConnection(streamId);
    if (flags & FLAG.ACK) {
      sizeIs(0, start, end);
      return;
    }
    const { initialWindowBytes } = this.#settings;
    this.#settings.read(bytes, start, end);
    this.#encoder.setTableBytesMax(this.#settings.headerTableBytesMax);
    const changeBytes = this.#settings.initialWindowBytes - initialWindowBytes;
    if (changeBytes !== 0) this.#sender.openWindows(this.#calls.values(), changeBytes);
    this.#sender.writeSettingsAck();
    if (!this.#isReady) {
      this.#isReady = true;
      this.#options.socket.unref?.();
      this.#options.onReady();
    }
    this.#openWaiting();
  }

  #onWindowUpdate(streamId: number, increment: number): void {
    if (streamId === 0) {
      if (increment === 0) throw new ConnectionError('PROTOCOL_ERROR', 'a window is opened by nothing');
      this.#sender.openConnectionWindow(increment);
      return;
    }
    const call = this.#openedCall(streamId);
    if (!call) return;
    if (increment === 0) {
      call.fail(new RpcError('INTERNAL', 'the server has opened a window by nothing'), ERROR_CODE.PROTOCOL_ERROR);
    } else if (!this.#sender.openWindow(call, increment)) {
      call.fail(new RpcError('INTERNAL', 'the server has opened a window too far'), ERROR_CODE.FLOW_CONTROL_ERROR);
    }
  }

  /** @throws ConnectionError when no call has had this stream; undefined when the one that had has ended */
  #openedCall(streamId: number): ClientCall | undefined {
    const call = this.#calls.get(streamId);
    if (call) return call;
    const isKnown = streamId % 2 === 1 && streamId < this.#nextStreamId;
    if (!isKnown) throw new ConnectionError('PROTOCOL_ERROR', 'a frame is for a stream that was never opened');
    return undefined;
  }

  /** Calls above `lastStreamId` have not been looked at, and none will be taken any more. */
  #onGoAway(lastStreamId: number): void {
    const refused = this.#calls.values().filter((call) => call.streamId > lastStreamId);
    this.#leave();
    for (const call of refused) {
      call.fail(new UnreachableError('the server goes away and has not taken the call'), undefined);
    }
    if (this.#calls.size === 0) this.close();
  }

  /** Takes no new calls, and gives back those that have not been sent. */
  #leave(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    this.#options.onGone();
    for (const call of waiting) {
      call.taken(undefined);
      this.#options.onUnsent(call);
    }
  }

  #goAway(code: keyof typeof ERROR_CODE): void {
    this.#isClosed = true;
    this.#reader.stop();
    this.#keepAlive.stop();
    this.#resets.stop();
    const { socket, clock } = this.#options;
    this.#sender.close(ERROR_CODE[code]);
    socket.end();
    clock.setTimer(CLOSE_TIMEOUT_MS, () => socket.destroy());
    this.#endAll();
  }

  #onClose(): void {
    this.#isClosed = true;
    this.#reader.stop();
    this.#keepAlive.stop();
    this.#resets.stop();
    this.#sender.stop();
    this.#endAll();
  }

  #endAll(): void {
    this.#leave();
    const error = this.#error ?? new RpcError('UNAVAILABLE', 'the connection to the server has broken');
    const sentThroughId = this.#sender.sentThroughId;
    for (const call of this.#calls.values()) {
      const isSent = call.streamId <= sentThroughId;
      call.fail(isSent ? error : new UnreachableError('the connection broke before the call was sent'), undefined);
    }
  }
}

function sizeIs(expected: number, start: number, end: number): void {
  if (end - start === expected) return;
  throw new ConnectionError('FRAME_SIZE_ERROR', `a frame of ${expected} bytes has ${end - start}`);
}

function isForConnection(streamId: number): void {
  if (streamId !== 0) throw new ConnectionError('PROTOCOL_ERROR', 'a frame for the connection names a stream');
}
