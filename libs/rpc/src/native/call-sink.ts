import type { Sink } from '../service.ts';

/** How much may wait for a slow peer before a handler is asked to wait too. Bytes of one call. */
const QUEUED_BYTES_MAX = 256 * 1024;

/** A call that sends, as its sink sees it. */
export interface SinkCall {
  /** What waits for the peer. */
  readonly queuedBytes: number;
  /** So much waits on the connection that nobody is to add to it. */
  readonly isQueueFull: boolean;
  send(message: Uint8Array): void;
}

/** The answering side of a streaming call, with a bound on what waits for the peer. */
export class CallSink implements Sink<unknown> {
  readonly #call: SinkCall;
  readonly #encode: (response: unknown) => Uint8Array;
  #isClosed = false;
  #room: Promise<void> | undefined;
  #onRoom: (() => void) | undefined;

  constructor(call: SinkCall, encode: (response: unknown) => Uint8Array) {
    this.#call = call;
    this.#encode = encode;
  }

  write(message: unknown): Promise<void> | undefined {
    if (this.#isClosed) return undefined;
    const call = this.#call;
    call.send(this.#encode(message));
    const { queuedBytes } = call;
    if (queuedBytes < QUEUED_BYTES_MAX && !(queuedBytes > 0 && call.isQueueFull)) return undefined;
    this.#room ??= new Promise((resolve) => {
      this.#onRoom = resolve;
    });
    return this.#room;
  }

  /** Nothing waits any more. */
  release(): void {
    this.#onRoom?.();
    this.#onRoom = undefined;
    this.#room = undefined;
  }

  /** The peer is gone or the call has ended: who waits for room goes on. */
  close(): void {
    this.#isClosed = true;
    this.release();
  }
}
