import { WINDOW_BYTES_MAX } from './protocol.ts';

/** What may still be sent on a stream or a connection. Below zero after the peer has made its initial window smaller. */
export class SendWindow {
  #availableBytes: number;

  constructor(initialBytes: number) {
    this.#availableBytes = initialBytes;
  }

  get availableBytes(): number {
    return this.#availableBytes;
  }

  /** So much was sent. */
  sent(byteCount: number): void {
    this.#availableBytes -= byteCount;
  }

  /**
   * The peer opens the window by a WINDOW_UPDATE, or changes the initial window by so much, which may be negative.
   * @returns false when the window would be larger than 2^31-1, which is a FLOW_CONTROL_ERROR
   */
  open(byteCount: number): boolean {
    if (this.#availableBytes + byteCount > WINDOW_BYTES_MAX) return false;
    this.#availableBytes += byteCount;
    return true;
  }
}

/**
 * What the peer may still send on a stream or a connection. The window is opened again as its bytes are done with, in
 * steps of half of it: an update for each frame would cost as much as the frame.
 */
export class ReceiveWindow {
  readonly #sizeBytes: number;
  #availableBytes: number;
  #doneBytes = 0;

  /** @param sizeBytes what the peer has been told it may send at once */
  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
    this.#availableBytes = sizeBytes;
  }

  /** A DATA frame has come, padding included. @returns false when that was more than allowed: a FLOW_CONTROL_ERROR */
  received(byteCount: number): boolean {
    this.#availableBytes -= byteCount;
    return this.#availableBytes >= 0;
  }

  /** So many of the received bytes are done with. @returns the increment of the WINDOW_UPDATE to send now; 0 = none */
  done(byteCount: number): number {
    this.#doneBytes += byteCount;
    if (2 * this.#doneBytes < this.#sizeBytes) return 0;
    const increment = this.#doneBytes;
    this.#doneBytes = 0;
    this.#availableBytes += increment;
    return increment;
  }
}
