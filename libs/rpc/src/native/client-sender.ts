import type { Duplex } from 'node:stream';
import { KIB, MIB } from '@orbitmq/base';
import type { ClientCall } from './client-call.ts';
import { SendWindow } from './flow-control.ts';
import { writeFrameHead, writeUint32 } from './frames.ts';
import { MESSAGE_PREFIX_BYTES } from './message-reader.ts';
import { Output } from './output.ts';
import type { OwnHeaders } from './own-headers.ts';
import {
  ConnectionError,
  FLAG,
  FRAME,
  FRAME_BYTES_MAX,
  FRAME_HEADER_BYTES,
  PREFACE,
  WINDOW_DEFAULT_BYTES,
} from './protocol.ts';
import { SendQueue } from './send-queue.ts';

/** So much may wait for a socket before messages wait for it in their calls. Bytes. */
const SOCKET_BYTES_MAX = 256 * KIB;
/** A server that does not read, and has so much to be told, is given up. Bytes. */
const UNREAD_BYTES_MAX = MIB;
const SETTING_BYTES = 6;
const PING_BYTES = 8;

/**
 * The sending side of a client's connection. Frames gather until the end of the turn and leave in one write. Messages
 * that exceed a window, or what a socket may hold, wait in their calls, which send by turns when there is room.
 */
export class ClientSender {
  readonly #socket: Duplex;
  readonly #output = new Output();
  readonly #window = new SendWindow(WINDOW_DEFAULT_BYTES);
  readonly #onDrain: () => void;
  readonly #flushBound = (): void => this.#flush();
  /** Calls with something to send whose own window is open. */
  readonly #senders = new Set<ClientCall>();
  #isFlushPlanned = false;
  #isStopped = false;
  #isSocketFull = false;
  #openedThroughId = 0;
  #sentThroughId = 0;

  /** @param onDrain called when the socket takes more again */
  constructor(socket: Duplex, onDrain: () => void) {
    this.#socket = socket;
    this.#onDrain = onDrain;
    socket.on('drain', () => this.#drained());
  }

  /** The server does not read what was sent. */
  get isBlocked(): boolean {
    return this.#isSocketFull;
  }

  /** The last stream of which anything was given to the socket. */
  get sentThroughId(): number {
    return this.#sentThroughId;
  }

  /** Sends the preface, our settings, and the window of the connection. */
  begin(settings: readonly (readonly [number, number])[], connectionWindowBytes: number): void {
    this.#output.append(PREFACE);
    let at = this.#frame(settings.length * SETTING_BYTES, FRAME.SETTINGS, 0, 0);
    const { slab } = this.#output;
    for (const [setting, value] of settings) {
      slab[at] = setting >>> 8;
      slab[at + 1] = setting;
      at = writeUint32(slab, at + 2, value);
    }
    const increment = connectionWindowBytes - WINDOW_DEFAULT_BYTES;
    if (increment > 0) this.writeWindowUpdate(0, increment);
  }

  /** @param own follows `common` in the same block */
  writeHeaders(streamId: number, common: Uint8Array, own: OwnHeaders): void {
    this.#openedThroughId = streamId;
    const blockBytes = common.length + own.byteCount;
    if (blockBytes > FRAME_BYTES_MAX) {
      this.#writeLargeHeaders(streamId, Buffer.concat([common, ...own.parts.slice(0, own.partCount)]));
      return;
    }
    const at = this.#frame(blockBytes, FRAME.HEADERS, FLAG.END_HEADERS, streamId);
    const { slab } = this.#output;
    slab.set(common, at);
    let end = at + common.length;
    for (let index = 0; index < own.partCount; index++) {
      const part = own.parts[index]!;
      slab.set(part, end);
      end += part.length;
    }
  }

  send(call: ClientCall, message: Uint8Array, isLast: boolean): void {
    const byteCount = MESSAGE_PREFIX_BYTES + message.length;
    if (isLast) call.isEndWanted = true;
    if (call.unsent === undefined && byteCount <= FRAME_BYTES_MAX && byteCount <= this.#room(call)) {
      const at = this.#frame(byteCount, FRAME.DATA, isLast ? FLAG.END_STREAM : 0, call.streamId, MESSAGE_PREFIX_BYTES);
      const { slab } = this.#output;
      slab[at] = 0;
      writeUint32(slab, at + 1, message.length);
      this.#output.append(message);
      this.#sent(call, byteCount);
      if (isLast) call.isSendEnded = true;
      return;
    }
    call.unsent ??= new SendQueue();
    call.unsent.addMessage(message);
    this.#senders.add(call);
    this.#sendWaiting();
  }

  /** No message of the call follows. */
  end(call: ClientCall): void {
    call.isEndWanted = true;
    if (call.unsent !== undefined || call.isSendEnded) return;
    this.#frame(0, FRAME.DATA, FLAG.END_STREAM, call.streamId);
    call.isSendEnded = true;
  }

  forget(call: ClientCall): void {
    this.#senders.delete(call);
  }

  writeReset(streamId: number, code: number): void {
    const at = this.#frame(4, FRAME.RST_STREAM, 0, streamId);
    writeUint32(this.#output.slab, at, code);
  }

  writeWindowUpdate(streamId: number, increment: number): void {
    const at = this.#frame(4, FRAME.WINDOW_UPDATE, 0, streamId);
    writeUint32(this.#output.slab, at, increment);
  }

  writePing(): void {
    const at = this.#frame(PING_BYTES, FRAME.PING, 0, 0);
    this.#output.slab.fill(0, at, at + PING_BYTES);
  }

  /** @throws ConnectionError when the server sends pings and does not read the answers */
  writePingAck(bytes: Buffer, start: number): void {
    this.#checkUnread();
    const at = this.#frame(PING_BYTES, FRAME.PING, FLAG.ACK, 0);
    bytes.copy(this.#output.slab, at, start, start + PING_BYTES);
  }

  /** @throws ConnectionError when the server sends settings and does not read the answers */
  writeSettingsAck(): void {
    this.#checkUnread();
    this.#frame(0, FRAME.SETTINGS, FLAG.ACK, 0);
  }

  /** @returns false when the window would be too large */
  openWindow(call: ClientCall, byteCount: number): boolean {
    if (!call.openSendWindow(byteCount)) return false;
    if (call.unsent !== undefined && call.sendWindowBytes > 0) {
      this.#senders.add(call);
      this.#sendWaiting();
    }
    return true;
  }

  /**
   * The server has changed the window that streams begin with.
   * @param byteCount may be negative
   * @throws ConnectionError when a window would be too large
   */
  openWindows(calls: Iterable<ClientCall>, byteCount: number): void {
    for (const call of calls) {
      if (this.openWindow(call, byteCount)) continue;
      throw new ConnectionError('FLOW_CONTROL_ERROR', 'the windows of open streams are opened too far');
    }
  }

  /** @throws ConnectionError when the window would be too large */
  openConnectionWindow(byteCount: number): void {
    if (!this.#window.open(byteCount)) {
      throw new ConnectionError('FLOW_CONTROL_ERROR', 'the window of the connection is opened too far');
    }
    this.#sendWaiting();
  }

  /** Sends what waits, and GOAWAY; nothing can be sent afterwards. */
  close(code: number): void {
    const at = this.#frame(8, FRAME.GOAWAY, 0, 0);
    writeUint32(this.#output.slab, at, 0);
    writeUint32(this.#output.slab, at + 4, code);
    this.#flush();
    this.stop();
  }

  /** The connection is gone. */
  stop(): void {
    this.#isStopped = true;
    this.#senders.clear();
    this.#output.clear();
  }

  /**
   * A frame behind all that waits.
   * @param withinBytes how much of the payload is written here; the rest is appended
   * @returns where the payload goes in the slab
   */
  #frame(payloadBytes: number, type: number, flags: number, streamId: number, withinBytes = payloadBytes): number {
    if (!this.#isFlushPlanned && !this.#isStopped) {
      this.#isFlushPlanned = true;
      setImmediate(this.#flushBound);
    }
    const at = this.#output.reserve(FRAME_HEADER_BYTES + withinBytes);
    return writeFrameHead(this.#output.slab, at, payloadBytes, type, flags, streamId);
  }

  #writeLargeHeaders(streamId: number, block: Buffer): void {
    for (let at = 0; at < block.length; at += FRAME_BYTES_MAX) {
      const part = block.subarray(at, at + FRAME_BYTES_MAX);
      const isLast = at + FRAME_BYTES_MAX >= block.length;
      const flags = isLast ? FLAG.END_HEADERS : 0;
      const start = this.#frame(part.length, at === 0 ? FRAME.HEADERS : FRAME.CONTINUATION, flags, streamId);
      this.#output.slab.set(part, start);
    }
  }

  /** How much of a call may be sent now. */
  #room(call: ClientCall): number {
    if (this.#isSocketFull || this.#isStopped) return 0;
    const socketBytes = SOCKET_BYTES_MAX - this.#output.bytes;
    return Math.min(this.#window.availableBytes, call.sendWindowBytes, socketBytes);
  }

  /** One frame each, in turn, until nothing more may be sent. */
  #sendWaiting(): void {
    for (const call of this.#senders) {
      if (this.#isSocketFull || this.#window.availableBytes <= 0) return;
      if (this.#output.bytes >= SOCKET_BYTES_MAX) return;
      this.#senders.delete(call);
      const room = this.#room(call);
      if (room > 0) this.#sendOne(call, room);
    }
  }

  #sendOne(call: ClientCall, room: number): void {
    const unsent = call.unsent!;
    const byteCount = Math.min(room, unsent.bytes, FRAME_BYTES_MAX);
    const isLast = call.isEndWanted && byteCount === unsent.bytes;
    this.#frame(byteCount, FRAME.DATA, isLast ? FLAG.END_STREAM : 0, call.streamId, 0);
    unsent.take(byteCount, this.#output);
    this.#sent(call, byteCount);
    if (unsent.bytes > 0) {
      this.#senders.add(call);
    } else {
      call.unsent = undefined;
      call.isSendEnded = isLast;
    }
    call.onSent();
  }

  #sent(call: ClientCall, byteCount: number): void {
    this.#window.sent(byteCount);
    call.sendWindowBytes -= byteCount;
  }

  #flush(): void {
    this.#isFlushPlanned = false;
    if (this.#isStopped) return;
    this.#sentThroughId = this.#openedThroughId;
    this.#output.flush(this.#socket);
    this.#isSocketFull = this.#socket.writableNeedDrain;
    if (!this.#isSocketFull) this.#sendWaiting();
  }

  #drained(): void {
    if (this.#isStopped) return;
    this.#isSocketFull = false;
    this.#sendWaiting();
    this.#onDrain();
  }

  #checkUnread(): void {
    if (this.#output.bytes + this.#socket.writableLength <= UNREAD_BYTES_MAX) return;
    throw new ConnectionError('ENHANCE_YOUR_CALM', 'the server does not read what it has asked for');
  }
}
