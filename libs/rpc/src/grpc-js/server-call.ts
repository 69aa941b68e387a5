import type { Metadata as GrpcMetadata, ServerInterceptingCallInterface } from '@grpc/grpc-js';
import type { Clock } from '@orbitmq/base';
import { joinAddress } from '../address.ts';
import type { Intake } from '../intake.ts';
import type { BoundMethod, Call, Metadata, RpcError, RpcStatus, Sink } from '../service.ts';
import { meantError, statusMessage, statusNumber, unreadableError } from '../status.ts';
import { streamOf } from './internals.ts';
import { ReceivedMetadata } from './metadata.ts';
import type { UnreadStreams } from './unread-streams.ts';

/** What the calls of one server share. */
export interface CallHost {
  readonly clock: Clock;
  readonly draining: boolean;
  readonly openCalls: Set<ServerCall>;
  readonly intake: Intake;
  readonly unreadStreams: UnreadStreams;
  onUnexpectedError(error: unknown, path: string): void;
  readonly onCallEnd: ((path: string, status: RpcStatus, durationMs: number) => void) | undefined;
}

type Listener = () => void;

/**
 * One call, as its handler sees it and as the transport drives it. grpc-js's own emitters and streams, which it would
 * make for each call of a handler of its own, are not used.
 */
export abstract class ServerCall implements Call {
  readonly path: string;
  protected readonly host: CallHost;
  protected readonly method: BoundMethod;
  protected readonly base: ServerInterceptingCallInterface;
  protected ended = false;
  readonly #startedAtMs: number;
  #grpcMetadata: GrpcMetadata | undefined;
  #metadata: Metadata | undefined;
  #peer: string | undefined;
  #cancelled = false;
  #cancelListeners: Set<Listener> | undefined;
  #drainListeners: Set<Listener> | undefined;

  constructor(host: CallHost, method: BoundMethod, base: ServerInterceptingCallInterface) {
    this.path = method.path;
    this.host = host;
    this.method = method;
    this.base = base;
    this.#startedAtMs = host.clock.monotonicMs();
  }

  get metadata(): Metadata {
    this.#metadata ??= new ReceivedMetadata(this.#grpcMetadata!);
    return this.#metadata;
  }

  get peer(): string {
    if (this.#peer === undefined) {
      const { remoteAddress, remotePort } = this.base.getConnectionInfo();
      this.#peer = remoteAddress === undefined ? 'unknown' : joinAddress(remoteAddress, remotePort ?? 0);
    }
    return this.#peer;
  }

  get cancelled(): boolean {
    return this.#cancelled;
  }

  get draining(): boolean {
    return this.host.draining;
  }

  remainingMs(): number {
    return Math.max(0, Number(this.base.getDeadline()) - this.host.clock.wallMs());
  }

  onCancel(listener: Listener): () => void {
    if (this.#cancelled) {
      listener();
      return () => {};
    }
    this.#cancelListeners ??= new Set();
    this.#cancelListeners.add(listener);
    return () => this.#cancelListeners?.delete(listener);
  }

  onDrain(listener: Listener): () => void {
    if (this.host.draining) {
      listener();
      return () => {};
    }
    this.#drainListeners ??= new Set();
    this.#drainListeners.add(listener);
    return () => this.#drainListeners?.delete(listener);
  }

  /** The headers have come. From now on `onClosed` is sure to be called. */
  onHeaders(metadata: GrpcMetadata): void {
    this.host.openCalls.add(this);
    this.#grpcMetadata = metadata;
    streamOf(this.base).on('data', (chunk: Buffer) => {
      if (!this.ended) this.host.intake.received(this, chunk.length);
    });
    this.begin();
  }

  /** A whole message has come. */
  onMessage(bytes: Buffer): void {
    this.host.intake.forget(this);
    if (!this.ended) this.receive(bytes);
  }

  /** The client's side has ended. A stream that was cut ends too, but then the client has not said all it would. */
  onHalfClose(): void {
    const stream = streamOf(this.base);
    if (!this.ended && !stream.aborted && !stream.destroyed) this.receiveEnd();
  }

  /** The stream is closed, by whichever side and for whatever reason. */
  onClosed(): void {
    this.host.openCalls.delete(this);
    this.host.unreadStreams.add(streamOf(this.base));
    if (!this.ended) this.#end(this.remainingMs() === 0 ? 'DEADLINE_EXCEEDED' : 'CANCELLED', true);
  }

  protected abstract begin(): void;
  protected abstract receive(bytes: Buffer): void;
  protected abstract receiveEnd(): void;

  /** The server has begun to stop. */
  drain(): void {
    const listeners = this.#drainListeners;
    this.#drainListeners = undefined;
    for (const listener of listeners ?? []) this.guarded(listener);
  }

  /** Ends the call from outside of its handler. */
  abort(error: RpcError): void {
    if (this.ended) return;
    this.#send(error.status, error.message);
    this.#end(error.status, true);
  }

  /** Ends the call with the status of an exception. */
  protected fail(error: unknown): void {
    if (this.ended) return;
    const meant = meantError(error);
    if (!meant) {
      this.finish('INTERNAL', 'internal error');
      this.host.onUnexpectedError(error, this.path);
    } else {
      this.finish(meant.status, meant.message);
    }
  }

  protected finish(status: RpcStatus, message: string): void {
    if (this.ended) return;
    this.#send(status, message);
    this.#end(status, false);
  }

  /** Runs a streaming handler; the stream ends when it settles. */
  protected async runStream(input: unknown, sink: Sink<unknown>): Promise<void> {
    try {
      await this.method.handler(input, this, sink);
      this.finish('OK', '');
    } catch (error) {
      this.fail(error);
    }
  }

  /** The request of these bytes; undefined when they hold none, and the call has ended then. */
  protected decoded(bytes: Buffer): { readonly request: unknown } | undefined {
    try {
      return { request: this.method.decode(bytes) };
    } catch (error) {
      const { status, message } = unreadableError(error);
      this.finish(status, message);
      return undefined;
    }
  }

  /** Runs code of a handler where grpc-js is the caller and would swallow what it throws. */
  protected guarded(run: Listener): void {
    try {
      run();
    } catch (error) {
      this.host.onUnexpectedError(error, this.path);
    }
  }

  /** Nothing is to be sent or received any more. */
  protected closed(_status: RpcStatus): void {}

  #send(status: RpcStatus, message: string): void {
    this.base.sendStatus({ code: statusNumber(status), details: statusMessage(message), metadata: null });
  }

  #end(status: RpcStatus, cancelled: boolean): void {
    this.ended = true;
    this.host.intake.forget(this);
    this.#drainListeners = undefined;
    const listeners = this.#cancelListeners;
    this.#cancelListeners = undefined;
    this.#cancelled = cancelled;
    this.closed(status);
    if (cancelled && listeners) for (const listener of listeners) this.guarded(listener);
    this.host.onCallEnd?.(this.path, status, this.host.clock.monotonicMs() - this.#startedAtMs);
  }
}
