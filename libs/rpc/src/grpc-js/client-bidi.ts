import type { ClientDuplexStream } from '@grpc/grpc-js';
import type { BidiCall } from '../client.ts';
import type { OutgoingCall } from './client-call.ts';

type Stream = ClientDuplexStream<unknown, unknown>;

/** A bidi call over grpc-js. What is written before the connection stands waits for it. */
export class GrpcJsBidiCall implements BidiCall<unknown, unknown> {
  readonly responses: AsyncIterable<unknown>;
  readonly #call: OutgoingCall;
  /** Settles when the stream is open; fails when it never will be. */
  readonly #opening: Promise<Stream>;
  #stream: Stream | undefined;
  #written: unknown[] = [];
  #endWanted = false;

  constructor(call: OutgoingCall, opening: Promise<Stream>) {
    this.#call = call;
    this.#opening = opening;
    this.responses = this.#read();
    opening.then(
      (stream) => this.#opened(stream),
      () => {}, // told to whoever reads the responses
    );
  }

  write(request: unknown): Promise<void> | undefined {
    const stream = this.#stream;
    if (!stream) {
      this.#written.push(request);
      return this.#opening.then(
        () => {},
        () => {},
      );
    }
    if (!stream.writable || stream.write(request)) return undefined;
    return new Promise((resolve) => {
      const onRoom = (): void => {
        stream.off('drain', onRoom);
        stream.off('close', onRoom);
        stream.off('status', onRoom);
        resolve();
      };
      stream.on('drain', onRoom);
      stream.on('close', onRoom);
      stream.on('status', onRoom);
    });
  }

  end(): void {
    this.#endWanted = true;
    this.#stream?.end();
  }

  cancel(): void {
    this.#call.cancel();
  }

  #opened(stream: Stream): void {
    this.#stream = stream;
    for (const request of this.#written) stream.write(request);
    this.#written = [];
    if (this.#endWanted) stream.end();
  }

  async *#read(): AsyncGenerator<unknown> {
    try {
      yield* await this.#opening;
    } catch (error) {
      throw this.#call.errorOf(error);
    } finally {
      this.cancel();
    }
  }
}
