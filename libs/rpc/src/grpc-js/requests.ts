import type { ServerInterceptingCallInterface } from '@grpc/grpc-js';
import type { RpcError } from '../service.ts';

/**
 * The incoming messages of a bidi call. The next one is asked for when the handler is ready for it, so that a client
 * that sends faster than the handler works is slowed down by HTTP/2's flow control.
 */
export class Requests implements AsyncIterableIterator<unknown> {
  readonly #base: ServerInterceptingCallInterface;
  #ended = false;
  #error: RpcError | undefined;
  #resolve: ((result: IteratorResult<unknown>) => void) | undefined;
  #reject: ((error: RpcError) => void) | undefined;

  constructor(base: ServerInterceptingCallInterface) {
    this.#base = base;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<unknown>> {
    if (this.#error) return Promise.reject(this.#error);
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#base.startRead();
    });
  }

  /** The handler wants no more. */
  return(): Promise<IteratorResult<unknown>> {
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  push(request: unknown): void {
    const resolve = this.#resolve;
    this.#resolve = undefined;
    this.#reject = undefined;
    resolve?.({ done: false, value: request });
  }

  end(): void {
    this.#ended = true;
    const resolve = this.#resolve;
    this.#resolve = undefined;
    this.#reject = undefined;
    resolve?.({ done: true, value: undefined });
  }

  fail(error: RpcError): void {
    if (this.#ended) return;
    this.#error = error;
    const reject = this.#reject;
    this.#resolve = undefined;
    this.#reject = undefined;
    reject?.(error);
  }
}
