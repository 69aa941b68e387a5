/**
 * The requests of a stream, which can also be ended from this side. It holds nothing of what has been read, however long the
 * stream lives: a race of each request against one promise would keep them all.
 */
export class EndableRequests<Request> implements AsyncIterableIterator<Request> {
  readonly #requests: AsyncIterator<Request>;
  #ended = false;
  #endPending: (() => void) | undefined;

  constructor(requests: AsyncIterable<Request>) {
    this.#requests = requests[Symbol.asyncIterator]();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** One at a time. @throws what the stream ends with */
  next(): Promise<IteratorResult<Request>> {
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => {
      this.#endPending = () => resolve({ done: true, value: undefined });
      this.#requests.next().then(resolve, reject);
    });
  }

  /** Whoever reads wants no more. */
  return(): Promise<IteratorResult<Request>> {
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** No more requests from now on, also for who waits for one. Idempotent. */
  end(): void {
    this.#ended = true;
    this.#endPending?.();
    this.#endPending = undefined;
  }
}
