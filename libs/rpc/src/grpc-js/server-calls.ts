import type { ServerInterceptingCallInterface } from '@grpc/grpc-js';
import { asBuffer } from '../bytes.ts';
import { type BoundMethod, RpcError, type RpcStatus } from '../service.ts';
import { Requests } from './requests.ts';
import { type CallHost, ServerCall } from './server-call.ts';
import { CallSink } from './sink.ts';

/** A call with exactly one request, which its handler gets when the client has half-closed. */
abstract class SingleRequestCall extends ServerCall {
  #bytes: Buffer | undefined;

  protected override receive(bytes: Buffer): void {
    if (this.#bytes) {
      this.finish('INVALID_ARGUMENT', 'this method takes one request message, but a second one came');
      return;
    }
    this.#bytes = bytes;
    this.host.intake.received(this, bytes.length); // until the client has half-closed
    this.base.startRead();
  }

  protected override receiveEnd(): void {
    if (!this.#bytes) {
      this.finish('INVALID_ARGUMENT', 'this method takes one request message, but none came');
      return;
    }
    this.host.intake.forget(this);
    const decoded = this.decoded(this.#bytes);
    this.#bytes = undefined;
    if (decoded) this.run(decoded.request);
  }

  protected override begin(): void {
    this.base.startRead();
  }

  protected abstract run(request: unknown): void;
}

const ignore = (): void => {};

/** One request, one response. */
export class UnaryCall extends SingleRequestCall {
  protected override run(request: unknown): void {
    try {
      const result = this.method.handler(request, this);
      if (result instanceof Promise) {
        result.then(
          (response) => this.#respond(response),
          (error) => this.fail(error),
        );
      } else {
        this.#respond(result);
      }
    } catch (error) {
      this.fail(error);
    }
  }

  #respond(response: unknown): void {
    if (this.ended) return;
    let bytes: Buffer;
    try {
      bytes = asBuffer(this.method.encode(response));
    } catch (error) {
      this.fail(error);
      return;
    }
    this.base.sendMessage(bytes, ignore);
    this.finish('OK', '');
  }
}

/** One request, a stream of responses. */
export class ServerStreamCall extends SingleRequestCall {
  #sink: CallSink | undefined;

  protected override run(request: unknown): void {
    this.#sink = new CallSink(this.base, this.method.encode);
    void this.runStream(request, this.#sink);
  }

  protected override closed(): void {
    this.#sink?.close();
  }
}

/** Streams both ways. */
export class BidiCall extends ServerCall {
  readonly #sink: CallSink;
  readonly #requests: Requests;

  constructor(host: CallHost, method: BoundMethod, base: ServerInterceptingCallInterface) {
    super(host, method, base);
    this.#sink = new CallSink(base, method.encode);
    this.#requests = new Requests(base);
  }

  protected override receive(bytes: Buffer): void {
    const decoded = this.decoded(bytes);
    if (decoded) this.#requests.push(decoded.request);
  }

  protected override receiveEnd(): void {
    this.#requests.end();
  }

  override drain(): void {
    super.drain();
    this.#requests.end();
  }

  protected override begin(): void {
    void this.runStream(this.#requests, this.#sink);
  }

  protected override closed(status: RpcStatus): void {
    this.#sink.close();
    this.#requests.fail(new RpcError(status === 'OK' ? 'CANCELLED' : status, 'the call has ended'));
  }
}
