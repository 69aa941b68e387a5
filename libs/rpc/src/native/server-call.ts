import type { Intake } from '../intake.ts';
import type { RpcLimit } from '../server.ts';
import { type BoundMethod, type Call, type Metadata, RpcError, type RpcStatus, type Sink } from '../service.ts';
import { meantError, unreadableError } from '../status.ts';
import { RESPONSE_HEAD } from './connection-writer.ts';
import type { Deadlines, Expiring } from './deadlines.ts';
import type { SentField } from './hpack/encoder.ts';
import { ACCEPTED_ENCODINGS, type Inflater } from './inflater.ts';
import { FieldMetadata } from './metadata.ts';
import type { OpenCall, OpenCalls } from './open-calls.ts';
import { type RequestHead, timeoutMsOf } from './request-head.ts';
import { ServerStream, type StreamConnection } from './server-stream.ts';
import { trailersOf } from './trailers.ts';

/** What the calls of one server share. */
export interface CallHost {
  readonly draining: boolean;
  readonly openCalls: OpenCalls<ServerCall>;
  readonly intake: Intake;
  readonly deadlines: Deadlines;
  readonly inflater: Inflater;
  readonly messageBytesMax: number;
  nowMs(): number;
  /** A limit was exceeded. */
  onLimit(limit: RpcLimit): void;
  onUnexpectedError(error: unknown, path: string): void;
  readonly onCallEnd: ((path: string, status: RpcStatus, durationMs: number) => void) | undefined;
}

type Listener = () => void;

const HEAD_TO_COMPRESSED: readonly SentField[] = [
  ...RESPONSE_HEAD,
  { name: 'grpc-accept-encoding', value: ACCEPTED_ENCODINGS, isRepeated: true },
];

/** One call: a stream that carries gRPC, as its handler sees it and as its connection drives it. */
export abstract class ServerCall extends ServerStream implements Call, Expiring, OpenCall {
  readonly path: string;
  previousExpiring: Expiring | undefined;
  nextExpiring: Expiring | undefined;
  deadlineSlot: number | undefined;
  openSlot = -1;
  protected readonly host: CallHost;
  protected readonly method: BoundMethod;
  protected readonly head: RequestHead;
  /** The handler's side is over; nothing it does has an effect any more. */
  isEnded = false;
  readonly #startedAtMs: number;
  #deadlineMs = Number.POSITIVE_INFINITY;
  #metadata: Metadata | undefined;
  #cancelled = false;
  /** The first, which is the only one as a rule, and all others. */
  #cancelListener: Listener | undefined;
  #cancelListeners: Set<Listener> | undefined;
  #drainListeners: Set<Listener> | undefined;

  constructor(host: CallHost, connection: StreamConnection, id: number, head: RequestHead, method: BoundMethod) {
    super(connection, id, head.contentLength);
    this.host = host;
    this.path = method.path;
    this.head = head;
    this.method = method;
    this.#startedAtMs = connection.nowMs;
  }

  get metadata(): Metadata {
    this.#metadata ??= new FieldMetadata(this.head.fields);
    return this.#metadata;
  }

  get peer(): string {
    return this.connection.peer;
  }

  get cancelled(): boolean {
    return this.#cancelled;
  }

  get draining(): boolean {
    return this.host.draining;
  }

  /** Whoever compresses is told how that is understood (gRPC's compression specification); others have no use for it. */
  protected override get responseHead(): readonly SentField[] {
    return this.head.encoding === 'identity' ? RESPONSE_HEAD : HEAD_TO_COMPRESSED;
  }

  remainingMs(): number {
    return Math.max(0, this.#deadlineMs - this.host.nowMs());
  }

  onCancel(listener: Listener): () => void {
    if (this.#cancelled) {
      listener();
      return ignore;
    }
    if (this.#cancelListener === undefined) {
      this.#cancelListener = listener;
      return () => {
        if (this.#cancelListener === listener) this.#cancelListener = undefined;
      };
    }
    this.#cancelListeners ??= new Set();
    this.#cancelListeners.add(listener);
    return () => this.#cancelListeners?.delete(listener);
  }

  onDrain(listener: Listener): () => void {
    if (this.host.draining) {
      listener();
      return ignore;
    }
    this.#drainListeners ??= new Set();
    this.#drainListeners.add(listener);
    return () => this.#drainListeners?.delete(listener);
  }

  /** The server has begun to stop. */
  drain(): void {
    const listeners = this.#drainListeners;
    this.#drainListeners = undefined;
    for (const listener of listeners ?? []) this.guarded(listener);
  }

  /** The deadline has passed. */
  expire(): void {
    this.abort(new RpcError('DEADLINE_EXCEEDED', 'the deadline of the call has passed'));
  }

  /** Ends the call from outside of its handler. */
  abort(error: RpcError): void {
    if (this.isEnded) return;
    this.#end(error.status, true);
    this.cutShort(trailersOf(error.status, error.message));
  }

  protected override begin(): void {
    this.host.openCalls.add(this);
    const { timeout } = this.head;
    if (timeout === undefined) return;
    const timeoutMs = timeoutMsOf(timeout);
    if (timeoutMs === undefined) {
      this.finish('INTERNAL', 'grpc-timeout is not a number of up to eight digits with a unit of H, M, S, m, u or n');
      return;
    }
    this.#deadlineMs = this.#startedAtMs + timeoutMs;
    this.host.deadlines.add(this, this.#deadlineMs);
  }

  protected override closed(): void {
    if (!this.isEnded) this.#end(this.remainingMs() === 0 ? 'DEADLINE_EXCEEDED' : 'CANCELLED', true);
  }

  /** Ends the call with the status of an exception. */
  protected fail(error: unknown): void {
    if (this.isEnded) return;
    const meant = meantError(error);
    if (!meant) {
      this.finish('INTERNAL', 'internal error');
      this.host.onUnexpectedError(error, this.path);
    } else {
      this.finish(meant.status, meant.message);
    }
  }

  protected finish(status: RpcStatus, message: string): void {
    if (this.isEnded) return;
    this.#end(status, false);
    this.sendEnd(trailersOf(status, message));
  }

  /** Ends the call well, with its only message. */
  protected answer(message: Uint8Array): void {
    this.#end('OK', false);
    this.sendAnswer(message);
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

  /** Ends the call for a request that is too large, maybe only when inflated. */
  protected refuseSize(): void {
    if (this.isEnded) return;
    const { messageBytesMax } = this.host;
    this.host.onLimit('messageBytes');
    this.finish(
      'RESOURCE_EXHAUSTED',
      `a request has at most ${messageBytesMax} bytes; this one is larger; send less at once`,
    );
  }

  /** Runs code of a handler whose failure must not hit others. */
  protected guarded(run: Listener): void {
    try {
      run();
    } catch (error) {
      this.host.onUnexpectedError(error, this.path);
    }
  }

  /** The handler's side is over. */
  protected ended(_status: RpcStatus): void {}

  #end(status: RpcStatus, cancelled: boolean): void {
    this.isEnded = true;
    const { host } = this;
    host.openCalls.delete(this);
    host.intake.forget(this);
    if (this.deadlineSlot !== undefined) host.deadlines.remove(this);
    this.#drainListeners = undefined;
    const first = this.#cancelListener;
    const others = this.#cancelListeners;
    this.#cancelListener = undefined;
    this.#cancelListeners = undefined;
    this.#cancelled = cancelled;
    this.ended(status);
    if (cancelled && first) this.guarded(first);
    if (cancelled && others) for (const listener of others) this.guarded(listener);
    host.onCallEnd?.(this.path, status, host.nowMs() - this.#startedAtMs);
  }
}

const ignore = (): void => {};
