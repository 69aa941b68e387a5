import type { CallOptions } from '../client.ts';
import type { CallCodec } from '../codec-client.ts';
import { PassedMetadata } from '../passed-metadata.ts';
import { RpcError } from '../service.ts';
import { metadataFields } from './client-headers.ts';
import { errorOfHeaders, errorOfReset, errorOfTrailers, fieldValue } from './client-status.ts';
import type { Deadlines, Expiring } from './deadlines.ts';
import { ReceiveWindow } from './flow-control.ts';
import { readUint32 } from './frames.ts';
import type { SentField } from './hpack/encoder.ts';
import type { HeaderField } from './hpack/header-field.ts';
import { MESSAGE_PREFIX_BYTES, MessageReader } from './message-reader.ts';
import { ERROR_CODE, WINDOW_BYTES_MAX } from './protocol.ts';
import type { SendQueue } from './send-queue.ts';

/** What a call fails with that its caller does not want any more. */
export function cancelled(): RpcError {
  return new RpcError('CANCELLED', 'the call was cancelled by its caller');
}

/** The connection that has taken a call, as the call sees it. */
export interface CallConnection {
  /** Sends a message of an open call, now or when there is room. @param message not to be changed afterwards */
  send(call: ClientCall, message: Uint8Array, isLast: boolean): void;
  /** No message of the call follows. */
  endSending(call: ClientCall): void;
  /** The server may send so many more bytes of a call. */
  openWindow(streamId: number, increment: number): void;
  /** A call has ended. @param resetCode what the server is told when it has not heard of that */
  forget(call: ClientCall, resetCode: number | undefined): void;
}

/** What the calls of one client share. */
export interface ClientCallHost {
  readonly receiveMessageBytesMax: number;
  readonly deadlines: Deadlines;
  monotonicMs(): number;
  /** Gives the call to a connection at once, or when there is one, or fails it. */
  connect(call: ClientCall): void;
}

/**
 * One outgoing call, from the moment it is made: it may wait for a connection, then it is a stream of one. It ends
 * once: by its trailers, by an error, by its deadline, or because its caller has cancelled it.
 */
export abstract class ClientCall implements Expiring {
  readonly codec: CallCodec;
  readonly metadata: readonly SentField[] | PassedMetadata | undefined;
  /** By the monotonic clock; Infinity = none. */
  readonly deadlineMs: number;
  /** 0 until its headers have been written. */
  streamId = 0;
  /** Nothing more will be sent. Set by the connection. */
  isSendEnded = false;
  /** What may still be sent; below zero after the server has made its windows smaller. */
  sendWindowBytes = 0;
  /** What could not be sent at once. */
  unsent: SendQueue | undefined;
  /** The request side is to end when all has been sent. */
  isEndWanted = false;
  previousExpiring: Expiring | undefined;
  nextExpiring: Expiring | undefined;
  deadlineSlot: number | undefined;
  protected readonly host: ClientCallHost;
  protected isOver = false;
  #connection: CallConnection | undefined;
  #receiveWindow: ReceiveWindow | undefined;
  #reader: MessageReader | undefined;
  #hasHeaders = false;
  #signal: AbortSignal | undefined;
  #onAbort: (() => void) | undefined;

  constructor(host: ClientCallHost, codec: CallCodec, options: CallOptions) {
    this.host = host;
    this.codec = codec;
    const { metadata } = options;
    this.metadata = metadata instanceof PassedMetadata ? metadata : metadataFields(metadata);
    this.deadlineMs =
      options.timeoutMs === undefined ? Number.POSITIVE_INFINITY : host.monotonicMs() + options.timeoutMs;
    this.#signal = options.signal;
  }

  /** Looks for a connection. */
  start(): void {
    if (this.isOver) return;
    if (this.deadlineMs !== Number.POSITIVE_INFINITY) this.host.deadlines.add(this, this.deadlineMs);
    const signal = this.#signal;
    if (signal) {
      if (signal.aborted) {
        this.cancel();
        return;
      }
      this.#onAbort = () => this.cancel();
      signal.addEventListener('abort', this.#onAbort, { once: true });
    }
    this.host.connect(this);
  }

  /** Whether the call still wants to be sent. */
  get isOpen(): boolean {
    return !this.isOver;
  }

  get connection(): CallConnection | undefined {
    return this.#connection;
  }

  /** Milliseconds until the deadline; Infinity = none. */
  remainingMs(): number {
    return this.deadlineMs === Number.POSITIVE_INFINITY ? this.deadlineMs : this.deadlineMs - this.host.monotonicMs();
  }

  /** The server takes more of the call, or less. @returns false when the window would be too large */
  openSendWindow(byteCount: number): boolean {
    if (this.sendWindowBytes + byteCount > WINDOW_BYTES_MAX) return false;
    this.sendWindowBytes += byteCount;
    return true;
  }

  /** A connection has taken the call over, and may let it wait for a place. */
  taken(connection: CallConnection | undefined): void {
    this.#connection = connection;
  }

  /** The connection has written the headers. */
  opened(streamId: number, sendWindowBytes: number, receiveWindowBytes: number): void {
    this.streamId = streamId;
    this.sendWindowBytes = sendWindowBytes;
    this.#receiveWindow = new ReceiveWindow(receiveWindowBytes);
    this.begin();
  }

  /** Ends the call for its caller and for the server. */
  cancel(): void {
    this.fail(cancelled(), ERROR_CODE.CANCEL);
  }

  expire(): void {
    this.fail(new RpcError('DEADLINE_EXCEEDED', 'the deadline of the call has passed'), ERROR_CODE.CANCEL);
  }

  /**
   * Ends the call badly.
   * @param resetCode what the server is told when it still has the stream; undefined = it has none any more
   */
  fail(error: RpcError, resetCode: number | undefined): void {
    if (!this.isOver) this.#end(error, resetCode);
  }

  /** Headers or trailers have come. */
  onHeaders(fields: readonly HeaderField[], isTooLarge: boolean, isEnd: boolean): void {
    if (isTooLarge) {
      this.fail(new RpcError('RESOURCE_EXHAUSTED', 'the server has sent too many headers'), ERROR_CODE.CANCEL);
    } else if (this.#hasHeaders) {
      if (isEnd) this.#onTrailers(fields);
      else this.fail(new RpcError('INTERNAL', 'the server has sent headers twice'), ERROR_CODE.PROTOCOL_ERROR);
    } else if (isEnd) {
      const isBare = fieldValue(fields, 'grpc-status') === undefined;
      const error = isBare ? errorOfHeaders(fields) : undefined;
      if (error) this.#endByServer(error);
      else this.#onTrailers(fields);
    } else if (!fieldValue(fields, ':status')?.startsWith('1')) {
      this.#hasHeaders = true;
      const error = errorOfHeaders(fields);
      if (error) this.fail(error, ERROR_CODE.CANCEL);
    }
  }

  /** DATA has come. @param frameBytes what it takes of the window, padding included */
  onData(bytes: Buffer, start: number, end: number, frameBytes: number): void {
    if (!this.#receiveWindow!.received(frameBytes)) {
      const error = new RpcError('INTERNAL', 'the server has sent more than it was allowed to');
      this.fail(error, ERROR_CODE.FLOW_CONTROL_ERROR);
      return;
    }
    if (!this.#hasHeaders) {
      this.fail(new RpcError('INTERNAL', 'the server has sent data before headers'), ERROR_CODE.PROTOCOL_ERROR);
      return;
    }
    this.consumed(frameBytes - (end - start));
    const messageBytes = end - start - MESSAGE_PREFIX_BYTES;
    const isWhole = this.#reader === undefined && messageBytes >= 0 && readUint32(bytes, start + 1) === messageBytes;
    if (isWhole && bytes[start] === 0 && messageBytes <= this.host.receiveMessageBytesMax) {
      this.receive(bytes.subarray(start + MESSAGE_PREFIX_BYTES, end), end - start);
      return;
    }
    this.#reader ??= new MessageReader(true);
    const reader = this.#reader;
    for (let at = start; at < end && !this.isOver; ) {
      const next = reader.read(bytes, at, end);
      const message = reader.message;
      const isRefused = this.#refuses(reader, message);
      if (isRefused) return;
      if (message) this.receive(message, next - at);
      else this.receivePart(next - at);
      at = next;
    }
  }

  /** The server has ended its side by DATA. */
  onEndWithoutTrailers(): void {
    this.fail(new RpcError('INTERNAL', 'the server has ended the call without trailers'), ERROR_CODE.PROTOCOL_ERROR);
  }

  /** The server has reset the stream. One that does so at the deadline, of which it was told, was just quicker to see it pass. */
  onReset(code: number): void {
    if (code === ERROR_CODE.CANCEL && this.host.monotonicMs() >= this.deadlineMs) this.expire();
    else this.fail(errorOfReset(code), undefined);
  }

  /** Some of what waited has been sent. */
  onSent(): void {}

  /** The stream is open: requests can be sent. */
  protected abstract begin(): void;
  /** @param takenBytes to be reported to `consumed` when the message is done with, besides those of its earlier parts */
  protected abstract receive(message: Buffer, takenBytes: number): void;
  /** A part of a message has come, to be reported to `consumed` likewise. */
  protected abstract receivePart(takenBytes: number): void;
  /** All that will come has come. */
  protected abstract ended(error: RpcError | undefined): void;

  /** So many received bytes are done with: the server may send as many more. */
  protected consumed(byteCount: number): void {
    const increment = this.#receiveWindow!.done(byteCount);
    if (increment > 0 && !this.isOver) this.#connection!.openWindow(this.streamId, increment);
  }

  /** What the call failed with if this is what the server has sent. */
  #refuses(reader: MessageReader, message: Buffer | undefined): boolean {
    const length = message === undefined ? reader.announcedBytes : message.length;
    const bytesMax = this.host.receiveMessageBytesMax;
    if (length > bytesMax) {
      const text = `a response has at most ${bytesMax} bytes; found one of ${length}`;
      this.fail(new RpcError('RESOURCE_EXHAUSTED', text), ERROR_CODE.CANCEL);
      return true;
    }
    if (message === undefined || reader.flag === 0) return false;
    const text = 'the server has compressed a response, which it was told not to do';
    this.fail(new RpcError('INTERNAL', text), ERROR_CODE.CANCEL);
    return true;
  }

  #onTrailers(fields: readonly HeaderField[]): void {
    let error = errorOfTrailers(fields);
    if (!error && this.#reader?.isWithin) {
      error = new RpcError('INTERNAL', 'the server has ended the call within a message');
    }
    this.#endByServer(error);
  }

  /** A server that has answered without having read all wants no more of it. */
  #endByServer(error: RpcError | undefined): void {
    this.#end(error, this.isSendEnded ? undefined : ERROR_CODE.CANCEL);
  }

  #end(error: RpcError | undefined, resetCode: number | undefined): void {
    this.isOver = true;
    this.host.deadlines.remove(this);
    if (this.#onAbort) this.#signal!.removeEventListener('abort', this.#onAbort);
    this.unsent = undefined;
    this.#reader = undefined;
    this.#connection?.forget(this, resetCode);
    this.#connection = undefined;
    this.ended(error);
  }
}
