import { RpcError } from './service.ts';

/** A call whose messages come in parts. */
export interface IncomingCall {
  /** Ends it at once. */
  abort(error: RpcError): void;
}

/**
 * Counts the bytes of messages that have come in part. A message is bounded, but calls are many: whoever begins large
 * messages and never ends them would fill the memory. When all together are too many, the call that has been incomplete
 * for longest is ended, which is never the one of a client that just sends.
 */
export class Intake {
  readonly #bytesMax: number;
  readonly #onExceeded: (() => void) | undefined;
  /** In the order in which they began. */
  readonly #bytesByCall = new Map<IncomingCall, number>();
  #bytes = 0;

  /** @param onExceeded called each time a call is ended */
  constructor(bytesMax: number, onExceeded?: () => void) {
    this.#bytesMax = bytesMax;
    this.#onExceeded = onExceeded;
  }

  /** A part of a message has come. */
  received(call: IncomingCall, byteCount: number): void {
    this.#bytesByCall.set(call, (this.#bytesByCall.get(call) ?? 0) + byteCount);
    this.#bytes += byteCount;
    while (this.#bytes > this.#bytesMax) {
      const [oldest] = this.#bytesByCall.keys();
      this.forget(oldest!);
      this.#onExceeded?.();
      oldest!.abort(
        new RpcError('RESOURCE_EXHAUSTED', 'too much of unfinished requests; send each request without pauses'),
      );
    }
  }

  /** The message is complete, or never will be. */
  forget(call: IncomingCall): void {
    const bytes = this.#bytesByCall.get(call);
    if (bytes === undefined) return;
    this.#bytesByCall.delete(call);
    this.#bytes -= bytes;
  }
}
