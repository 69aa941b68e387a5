import type { RpcError } from '../service.ts';

/** The incoming messages of a bidi call, one at a time, as its handler asks for them. */
export class Requests implements AsyncIterableIterator<unknown> {
  readonly #want: () => void;
  #isEnded = false;
  #error: RpcError | undefined;
  #resolve: ((result: IteratorResult<unknown>) => void) | undefined;
  #reject: ((error: RpcError) => void) | undefined;

  /** @param want tells that a request is wanted; it may be pushed at once */
  constructor(want: () => void) {
    this.#want = want;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The handler waits for a request. */
  get isWanted(): boolean {
    return this.#resolve !== undefined;
  }

  next(): Promise<IteratorResult<unknown>> {
    if (this.#error) return Promise.reject(this.#error);
    if (this.#isEnded) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#want();
    });
  }

  /** The handler wants no more. */
  return(): Promise<IteratorResult<unknown>> {
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  push(request: unknown): void {
    this.#take()?.({ done: false, value: request });
  }

  end(): void {
    this.#isEnded = true;
    this.#take()?.({ done: true, value: undefined });
  }

  fail(error: RpcError): void {
    if (this.#isEnded) return;
    this.#error = error;
    const reject = this.#reject;
    this.#take();
    reject?.(error);
  }

  #take(): ((result: IteratorResult<unknown>) => void) | undefined {
    const resolve = this.#resolve;
    this.#resolve = undefined;
    this.#reject = undefined;
    return resolve;
  }
}
