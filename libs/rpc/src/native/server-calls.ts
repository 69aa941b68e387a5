import { type Reply, RpcError, type RpcStatus } from '../service.ts';
import { CallSink } from './call-sink.ts';
import { MessageReader } from './message-reader.ts';
import { Requests } from './requests.ts';
import { ServerCall } from './server-call.ts';
import { SingleRequestCall } from './single-request-call.ts';
import { UnreadData } from './unread-data.ts';

/** One request, one response. */
export class UnaryCall extends SingleRequestCall implements Reply<unknown> {
  protected override run(request: unknown): void {
    try {
      const { replyHandler } = this.method;
      if (replyHandler !== undefined) {
        replyHandler(request, this, this);
        return;
      }
      const result = this.method.handler(request, this);
      if (result instanceof Promise) {
        result.then(
          (response) => this.respond(response),
          (error) => this.fail(error),
        );
      } else {
        this.respond(result);
      }
    } catch (error) {
      this.fail(error);
    }
  }

  respond(response: unknown): void {
    if (this.isEnded) return;
    let bytes: Uint8Array;
    try {
      bytes = this.method.encode(response);
    } catch (error) {
      this.fail(error);
      return;
    }
    this.answer(bytes);
  }

  reject(error: unknown): void {
    this.fail(error);
  }
}

/** One request, a stream of responses. */
export class ServerStreamCall extends SingleRequestCall {
  #sink: CallSink | undefined;

  protected override run(request: unknown): void {
    this.#sink = new CallSink(this, this.method.encode);
    void this.runStream(request, this.#sink);
  }

  protected override drained(): void {
    this.#sink?.release();
  }

  protected override ended(): void {
    super.ended();
    this.#sink?.close();
  }
}

const COMPRESSED = 1;

/** Streams both ways. Requests are cut into messages as the handler asks for them; until then they stay in the window. */
export class BidiCall extends ServerCall {
  readonly #sink = new CallSink(this, this.method.encode);
  readonly #requests = new Requests(() => this.#serve());
  readonly #reader = new MessageReader();
  readonly #unread = new UnreadData();
  /** What the client may send again once all that came has been read. */
  #unreadFrameBytes = 0;
  #isInflating = false;
  #hasRemoteEnded = false;

  override drain(): void {
    super.drain();
    this.#requests.end();
  }

  protected override begin(): void {
    super.begin();
    if (!this.isEnded) void this.runStream(this.#requests, this.#sink);
  }

  protected override receive(bytes: Buffer, start: number, end: number, frameBytes: number): void {
    if (this.isEnded) {
      this.consumed(frameBytes);
      return;
    }
    this.#unreadFrameBytes += frameBytes;
    this.#unread.add(bytes.subarray(start, end));
    this.host.intake.received(this, end - start);
    if (this.#requests.isWanted) this.#serve();
  }

  protected override receiveEnd(): void {
    this.#hasRemoteEnded = true;
    if (!this.isEnded && this.#requests.isWanted) this.#serve();
  }

  protected override drained(): void {
    this.#sink.release();
  }

  protected override ended(status: RpcStatus): void {
    this.#sink.close();
    this.#requests.fail(new RpcError(status === 'OK' ? 'CANCELLED' : status, 'the call has ended'));
    this.#unread.clear();
    this.#release();
  }

  /** Gives the handler the next request, if it is there. */
  #serve(): void {
    while (!this.isEnded && !this.#isInflating && this.#requests.isWanted) {
      const part = this.#unread.first;
      if (part === undefined) {
        this.#atEndOfData();
        return;
      }
      this.#unread.take(this.#reader.read(part, 0, part.length));
      this.#checkSize();
      if (this.#reader.message !== undefined) this.#pass(this.#reader.message, this.#reader.flag);
    }
    if (this.#unread.bytes === 0) this.#release();
  }

  #atEndOfData(): void {
    this.#release();
    if (!this.#hasRemoteEnded) return;
    if (this.#reader.isWithin) this.finish('INVALID_ARGUMENT', 'the requests end within a message');
    else this.#requests.end();
  }

  #checkSize(): void {
    const { messageBytesMax } = this.host;
    const bytes = this.#reader.message?.length ?? this.#reader.announcedBytes;
    if (bytes > messageBytesMax) this.refuseSize();
  }

  #pass(message: Buffer, flag: number): void {
    if (this.isEnded) return;
    if (flag === COMPRESSED) {
      this.#inflate(message);
      return;
    }
    const decoded = this.decoded(message);
    if (decoded) this.#requests.push(decoded.request);
  }

  #inflate(message: Buffer): void {
    this.#isInflating = true;
    this.host.inflater.inflate(this, message, this.head.encoding, (result) => {
      this.#isInflating = false;
      if (result === 'too large') this.refuseSize();
      else if (result instanceof RpcError) this.fail(result);
      else this.#pass(result, 0);
      this.#serve();
    });
  }

  /** All that came has been read. A message that is not complete is counted on, as it takes memory. */
  #release(): void {
    if (this.isEnded || !this.#reader.isWithin) this.host.intake.forget(this);
    if (this.#unreadFrameBytes === 0) return;
    const byteCount = this.#unreadFrameBytes;
    this.#unreadFrameBytes = 0;
    this.consumed(byteCount);
  }
}
