import type { SentField } from './hpack/encoder.ts';
import { ServerStream, type StreamConnection } from './server-stream.ts';

/** An answer in plain HTTP, for those who do not speak gRPC. */
export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
}

/**
 * A stream that is answered whatever it brings: at once in gRPC, whose clients wait for answers of any time, and when it
 * has come whole in plain HTTP, so that what is wrong with it is still found.
 */
export class RefusedStream extends ServerStream {
  readonly #answer: HttpAnswer | readonly SentField[];

  /** @param answer trailers of gRPC, or an HTTP answer */
  constructor(
    connection: StreamConnection,
    id: number,
    contentLength: number,
    answer: HttpAnswer | readonly SentField[],
  ) {
    super(connection, id, contentLength);
    this.#answer = answer;
  }

  protected override begin(): void {
    if (!isHttp(this.#answer)) this.sendEnd(this.#answer);
  }

  protected override receive(_bytes: Buffer, _start: number, _end: number, frameBytes: number): void {
    this.consumed(frameBytes);
  }

  protected override receiveEnd(): void {
    const answer = this.#answer;
    if (!isHttp(answer)) return;
    const head = [
      { name: ':status', value: `${answer.status}` },
      { name: 'content-type', value: 'text/plain; charset=utf-8' },
    ];
    this.sendText(head, answer.text);
  }

  protected override closed(): void {}
}

function isHttp(answer: HttpAnswer | readonly SentField[]): answer is HttpAnswer {
  return 'status' in answer;
}
