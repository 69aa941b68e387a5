import type { ServerInterceptingCallInterface } from '@grpc/grpc-js';
import { asBuffer } from '../bytes.ts';
import type { Sink } from '../service.ts';

/** How much may wait for a slow peer before a handler is asked to wait too. Bytes of one call. */
const PENDING_BYTES_MAX = 256 * 1024;

/** The answering side of a streaming call, with a bound on what waits for the peer. */
export class CallSink implements Sink<unknown> {
  readonly #base: ServerInterceptingCallInterface;
  readonly #encode: (response: unknown) => Uint8Array;
  /** One function for all messages: grpc-js calls it when the transport has taken one. */
  readonly #onTaken: () => void;
  #messagesPending = 0;
  /** Written since nothing was pending. */
  #bytesPending = 0;
  #closed = false;
  #room: Promise<void> | undefined;
  #onRoom: (() => void) | undefined;

  constructor(base: ServerInterceptingCallInterface, encode: (response: unknown) => Uint8Array) {
    this.#base = base;
    this.#encode = encode;
    this.#onTaken = () => {
      this.#messagesPending--;
      if (this.#messagesPending === 0) this.#release();
    };
  }

  write(message: unknown): Promise<void> | undefined {
    if (this.#closed) return undefined;
    const bytes = asBuffer(this.#encode(message));
    this.#messagesPending++;
    this.#bytesPending += bytes.length;
    this.#base.sendMessage(bytes, this.#onTaken);
    if (this.#bytesPending < PENDING_BYTES_MAX) return undefined;
    this.#room ??= new Promise((resolve) => {
      this.#onRoom = resolve;
    });
    return this.#room;
  }

  /** The peer is gone or the call has ended: who waits for room goes on. */
  close(): void {
    this.#closed = true;
    this.#release();
  }

  #release(): void {
    this.#bytesPending = 0;
    this.#onRoom?.();
    this.#onRoom = undefined;
    this.#room = undefined;
  }
}
