/** A connection whose client does not take what waits for it. */
export interface Queueing {
  /** Cuts it, as it holds too much for too long. */
  destroy(): void;
}

/**
 * Counts what waits for clients on all connections. Each connection is bounded, but connections are many: when all
 * together hold too much, the one is cut whose client has taken nothing for longest, which is never one that reads.
 */
export class QueueBudget {
  readonly #bytesMax: number;
  readonly #onExceeded: () => void;
  /** In the order in which they have last got something across. */
  readonly #bytesByConnection = new Map<Queueing, number>();
  #bytes = 0;

  /** @param onExceeded called each time a connection is cut */
  constructor(bytesMax: number, onExceeded: () => void) {
    this.#bytesMax = bytesMax;
    this.#onExceeded = onExceeded;
  }

  /** So much waits on a connection now. */
  note(connection: Queueing, bytes: number): void {
    const before = this.#bytesByConnection.get(connection) ?? 0;
    this.#bytes += bytes - before;
    if (bytes < before) this.#bytesByConnection.delete(connection);
    if (bytes > 0) this.#bytesByConnection.set(connection, bytes);
    while (this.#bytes > this.#bytesMax) {
      const [slowest] = this.#bytesByConnection.keys();
      this.note(slowest!, 0);
      this.#onExceeded();
      slowest!.destroy();
    }
  }
}
