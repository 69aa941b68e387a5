import type { SentField } from './hpack/encoder.ts';
import type { ServerConnection } from './server-connection.ts';
import { ServerStream, type StreamEnd } from './server-stream.ts';

/** An answer in plain HTTP, for those who do not speak gRPC. */
export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
}

/** A stream that is answered at once, whatever it brings. */
export class RefusedStream extends ServerStream {
  readonly #answer: HttpAnswer | StreamEnd;

  /** @param answer trailers of gRPC, or an HTTP answer */
  constructor(connection: ServerConnection, id: number, answer: HttpAnswer | readonly SentField[]) {
    super(connection, id, -1);
    this.#answer = answer;
  }

  protected override begin(): void {
    const answer = this.#answer;
    if (typeof answer === 'string' || !('status' in answer)) {
      this.sendEnd(answer);
      return;
    }
    const head = [
      { name: ':status', value: `${answer.status}` },
      { name: 'content-type', value: 'text/plain; charset=utf-8' },
    ];
    this.sendText(head, answer.text);
  }

  protected override receive(_bytes: Buffer, _start: number, _end: number, frameBytes: number): void {
    this.consumed(frameBytes);
  }

  protected override receiveEnd(): void {}

  protected override closed(): void {}
}
