import { ownCopy } from '../bytes.ts';
import type { BidiCall, CallOptions } from '../client.ts';
import type { CallCodec } from '../codec-client.ts';
import { RpcError } from '../service.ts';
import { ClientCall, type ClientCallHost } from './client-call.ts';
import { ERROR_CODE } from './protocol.ts';

/** So much may wait to be sent before the caller is asked to wait, too. Bytes. */
const UNSENT_BYTES_MAX = 64 * 1024;
/** A response of less is not kept as a view: many of them could hold a whole received chunk each. */
const VIEW_BYTES_MIN = 4096;

/** So many responses that have been read stay in the queue before it is cut. */
const READ_COUNT_MAX = 256;

const UNREADABLE = 'the response is not a readable protobuf message of its type';
const DONE: IteratorResult<unknown> = { done: true, value: undefined };

interface Reader {
  resolve(result: IteratorResult<unknown>): void;
  reject(error: RpcError): void;
}

interface Received {
  readonly message: Buffer;
  /** What it takes of the window until it is read. */
  readonly takenBytes: number;
}

/**
 * A call whose responses are a stream, which is read through it. What comes while nobody reads waits within the window;
 * a reader who waits gets more of a message than the window holds.
 */
export class StreamClientCall extends ClientCall implements AsyncIterableIterator<unknown> {
  /** Requests from before the stream was open. */
  #requests: Uint8Array[] | undefined = [];
  #queue: Received[] = [];
  /** How much of the queue has been read. */
  #queueAt = 0;
  /** Window that the beginning of a message takes. */
  #partBytes = 0;
  #reader: Reader | undefined;
  #isStarted = false;
  #hasEnded = false;
  #error: RpcError | undefined;
  #room: Promise<void> | undefined;
  #onRoom: (() => void) | undefined;

  constructor(host: ClientCallHost, codec: CallCodec, options: CallOptions) {
    super(host, codec, options);
  }

  /** Sends the call, if that has not been done. */
  startOnce(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.start();
  }

  /** See `BidiCall.write`. */
  write(request: unknown): Promise<void> | undefined {
    if (this.isOver) return undefined;
    let bytes: Uint8Array;
    try {
      bytes = this.codec.encode(request);
    } catch (error) {
      this.fail(new RpcError('INTERNAL', 'a request could not be encoded', error), ERROR_CODE.CANCEL);
      return undefined;
    }
    if (this.#requests) {
      this.#requests.push(bytes);
      return this.#roomLater();
    }
    if (this.isEndWanted) return undefined;
    this.connection!.send(this, bytes, false);
    return this.#isFull() ? this.#roomLater() : undefined;
  }

  end(): void {
    if (this.isOver || this.isEndWanted) return;
    this.isEndWanted = true;
    if (!this.#requests) this.connection!.endSending(this);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<unknown>> {
    if (this.#reader) throw new Error('the responses of a call are read one at a time');
    this.startOnce();
    if (this.#queueAt < this.#queue.length) return this.#take();
    if (this.#error) {
      const error = this.#error;
      this.#error = undefined;
      return Promise.reject(error);
    }
    if (this.#hasEnded) return Promise.resolve(DONE);
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
      this.#releaseParts();
    });
  }

  /** The reader wants no more. */
  return(): Promise<IteratorResult<unknown>> {
    this.#isStarted = true;
    if (this.isOver) this.#error = undefined;
    else this.cancel();
    this.#clear();
    this.#hasEnded = true;
    this.#error = undefined;
    this.#reader?.resolve(DONE);
    this.#reader = undefined;
    return Promise.resolve(DONE);
  }

  override cancel(): void {
    if (!this.isOver) this.#clear();
    super.cancel();
  }

  override onSent(): void {
    if (!this.#isFull()) this.#release();
  }

  protected override begin(): void {
    const requests = this.#requests!;
    this.#requests = undefined;
    const lastIndex = this.isEndWanted ? requests.length - 1 : -1;
    for (const [index, request] of requests.entries()) this.connection!.send(this, request, index === lastIndex);
    if (this.isEndWanted && requests.length === 0) this.connection!.endSending(this);
    if (!this.#isFull()) this.#release();
  }

  protected override receive(message: Buffer, takenBytes: number): void {
    const bytes = takenBytes + this.#partBytes;
    this.#partBytes = 0;
    const reader = this.#reader;
    if (!reader) {
      const kept = message.length < VIEW_BYTES_MIN ? ownCopy(message) : message;
      this.#queue.push({ message: kept, takenBytes: bytes });
      return;
    }
    this.#reader = undefined;
    this.consumed(bytes);
    this.#decode(message, reader);
  }

  protected override receivePart(takenBytes: number): void {
    this.#partBytes += takenBytes;
    if (this.#reader) this.#releaseParts();
  }

  protected override ended(error: RpcError | undefined): void {
    this.#requests = undefined;
    this.#hasEnded = true;
    this.#release();
    const reader = this.#reader;
    this.#reader = undefined;
    if (!reader) this.#error = error;
    else if (error) reader.reject(error);
    else reader.resolve(DONE);
  }

  #isFull(): boolean {
    return (this.unsent?.bytes ?? 0) >= UNSENT_BYTES_MAX;
  }

  #take(): Promise<IteratorResult<unknown>> {
    const { message, takenBytes } = this.#queue[this.#queueAt++]!;
    if (this.#queueAt === this.#queue.length) {
      this.#clear();
    } else if (this.#queueAt === READ_COUNT_MAX) {
      this.#queue.splice(0, READ_COUNT_MAX);
      this.#queueAt = 0;
    }
    if (!this.isOver) this.consumed(takenBytes);
    return new Promise((resolve, reject) => this.#decode(message, { resolve, reject }));
  }

  #decode(message: Buffer, reader: Reader): void {
    let value: unknown;
    try {
      value = this.codec.decode(message);
    } catch (cause) {
      const error = new RpcError('INTERNAL', UNREADABLE, cause);
      this.cancel();
      this.#clear();
      this.#error = undefined;
      reader.reject(error);
      return;
    }
    reader.resolve({ done: false, value });
  }

  #releaseParts(): void {
    const bytes = this.#partBytes;
    this.#partBytes = 0;
    if (bytes > 0 && !this.isOver) this.consumed(bytes);
  }

  #roomLater(): Promise<void> {
    this.#room ??= new Promise((resolve) => {
      this.#onRoom = resolve;
    });
    return this.#room;
  }

  #release(): void {
    this.#onRoom?.();
    this.#onRoom = undefined;
    this.#room = undefined;
  }

  #clear(): void {
    this.#queue = [];
    this.#queueAt = 0;
  }
}

/** A bidi call as its caller sees it. */
export class NativeBidiCall implements BidiCall<unknown, unknown> {
  readonly responses: AsyncIterable<unknown>;
  readonly #call: StreamClientCall;

  constructor(call: StreamClientCall) {
    this.#call = call;
    this.responses = call;
    call.startOnce();
  }

  write(request: unknown): Promise<void> | undefined {
    return this.#call.write(request);
  }

  end(): void {
    this.#call.end();
  }

  cancel(): void {
    this.#call.cancel();
  }
}
