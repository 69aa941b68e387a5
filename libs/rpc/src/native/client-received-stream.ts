import { ownCopy } from '../bytes.ts';
import type { CallOptions, StreamReceiver } from '../client.ts';
import type { CallCodec } from '../codec-client.ts';
import type { RpcError } from '../service.ts';
import { ClientCall, type ClientCallHost, cancelled } from './client-call.ts';

/** A response of less is not kept as a view: many of them could hold a whole received chunk each. */
const VIEW_BYTES_MIN = 4096;

interface Held {
  readonly message: Buffer;
  /** What it takes of the window until the receiver gets it. */
  readonly takenBytes: number;
}

/**
 * A call with one request whose responses are told as they come. While the receiver takes no more, they wait within the
 * window; otherwise it may be sent messages larger than that.
 */
export class ReceivedStreamCall extends ClientCall {
  #request: Uint8Array | undefined;
  readonly #receiver: StreamReceiver;
  #isHolding = false;
  readonly #held: Held[] = [];
  /** Window that the beginning of a message takes. */
  #partBytes = 0;
  #error: RpcError | undefined;
  #isEndTold = false;

  /** @param request encoded; not to be changed until the call has ended */
  constructor(
    host: ClientCallHost,
    codec: CallCodec,
    options: CallOptions,
    request: Uint8Array,
    receiver: StreamReceiver,
  ) {
    super(host, codec, options);
    this.#request = request;
    this.#receiver = receiver;
  }

  override cancel(): void {
    this.#held.length = 0;
    this.#isHolding = false;
    if (!this.isOver) super.cancel();
    else this.#tellEnd(cancelled());
  }

  protected override begin(): void {
    const request = this.#request!;
    this.#request = undefined;
    this.connection!.send(this, request, true);
  }

  protected override receive(message: Buffer, takenBytes: number): void {
    const bytes = takenBytes + this.#partBytes;
    this.#partBytes = 0;
    if (this.#isHolding) {
      const kept = message.length < VIEW_BYTES_MIN ? ownCopy(message) : message;
      this.#held.push({ message: kept, takenBytes: bytes });
      return;
    }
    this.consumed(bytes);
    this.#tell(message);
  }

  protected override receivePart(takenBytes: number): void {
    if (this.#isHolding) this.#partBytes += takenBytes;
    else this.consumed(takenBytes);
  }

  protected override ended(error: RpcError | undefined): void {
    this.#request = undefined;
    this.#error = error;
    if (!this.#isHolding) this.#tellEnd(error);
  }

  #tell(message: Buffer): void {
    const room = this.#receiver.onResponse(message);
    if (room === undefined || this.#isEndTold) return;
    this.#isHolding = true;
    void room.then(() => this.#goOn());
  }

  #goOn(): void {
    this.#isHolding = false;
    const bytes = this.#partBytes;
    this.#partBytes = 0;
    this.#release(bytes);
    while (this.#held.length > 0 && !this.#isHolding) {
      const { message, takenBytes } = this.#held.shift()!;
      this.#release(takenBytes);
      this.#tell(message);
    }
    if (this.isOver && !this.#isHolding) this.#tellEnd(this.#error);
  }

  #release(byteCount: number): void {
    if (byteCount > 0 && !this.isOver) this.consumed(byteCount);
  }

  #tellEnd(error: RpcError | undefined): void {
    if (this.#isEndTold) return;
    this.#isEndTold = true;
    this.#receiver.onEnd(error);
  }
}
