import { constants, type ServerHttp2Stream } from 'node:http2';
import type { Clock, Timer } from '@orbitmq/base';

const SWEEP_INTERVAL_MS = 500;

/**
 * Streams that have been answered while their clients have not ended their side. Such a client has to be told to stop
 * (RST_STREAM, NO_ERROR), or the stream would keep its place for ever. That must not overtake the trailers: nghttp2 drops
 * what it has not sent yet of a stream that is reset. So it is done some time later, once the trailers are out.
 */
export class UnreadStreams {
  readonly #clock: Clock;
  readonly #streams = new Set<ServerHttp2Stream>();
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The call of this stream is over. */
  add(stream: ServerHttp2Stream): void {
    if (stream.closed || stream.readableEnded) return;
    this.#streams.add(stream);
    this.#timer ??= this.#clock.setTimer(SWEEP_INTERVAL_MS, () => this.#sweep());
  }

  #sweep(): void {
    this.#timer = undefined;
    for (const stream of this.#streams) {
      const isOver = stream.closed || stream.readableEnded;
      const isAnswered = !isOver && stream.state.localClose === 1;
      if (isAnswered) stream.close(constants.NGHTTP2_NO_ERROR);
      if (isOver || isAnswered) this.#streams.delete(stream);
    }
    if (this.#streams.size > 0) this.#timer = this.#clock.setTimer(SWEEP_INTERVAL_MS, () => this.#sweep());
  }
}
