import type { Duplex } from 'node:stream';
import { type Clock, systemClock, type Timer } from '@orbitmq/base';
import { Intake } from '../intake.ts';
import { Listener } from '../listener.ts';
import type { RpcLimit, RpcServer, RpcServerOptions, TlsIdentity } from '../server.ts';
import { limitsWithDefaults, type ServerLimits } from '../server-limits.ts';
import { type BoundMethod, RpcError } from '../service.ts';
import { Deadlines } from './deadlines.ts';
import type { HeaderListLimits } from './hpack/decoder.ts';
import { Inflater } from './inflater.ts';
import { OpenCalls } from './open-calls.ts';
import { QueueBudget } from './queue-budget.ts';
import { RefusedStream } from './refused-stream.ts';
import type { RequestHead } from './request-head.ts';
import type { CallHost, ServerCall } from './server-call.ts';
import { BidiCall, ServerStreamCall, UnaryCall } from './server-calls.ts';
import { type ConnectionHost, ServerConnection } from './server-connection.ts';
import type { ServerStream } from './server-stream.ts';
import { trailersOf } from './trailers.ts';

const GRPC_TYPE = 'application/grpc';
const CALL_CLASSES = { unary: UnaryCall, serverStream: ServerStreamCall, bidi: BidiCall } as const;
const NOT_POST = { status: 405, text: 'this port speaks gRPC; calls are made by POST\n' };
const NOT_GRPC = { status: 415, text: 'this port speaks gRPC; the content-type of calls is application/grpc\n' };

class NativeServer implements RpcServer, ConnectionHost, CallHost {
  readonly limits: ServerLimits;
  readonly headerLimits: HeaderListLimits;
  readonly messageBytesMax: number;
  readonly openCalls = new OpenCalls<ServerCall>();
  readonly intake: Intake;
  readonly queueBudget: QueueBudget;
  readonly deadlines: Deadlines;
  readonly inflater: Inflater;
  readonly onCallEnd: CallHost['onCallEnd'];
  readonly #options: RpcServerOptions;
  readonly #clock: Clock;
  readonly #methods = new Map<string, BoundMethod>();
  /** The oldest first. */
  readonly #connections = new Set<ServerConnection>();
  #ageTimer: Timer | undefined;
  readonly #listener: Listener;
  /** Connections that have something to send at the end of this turn. */
  #unflushed: ServerConnection[] = [];
  readonly #flush = (): void => this.#flushAll();
  #port = 0;
  #stopping: Promise<void> | undefined;

  constructor(options: RpcServerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.limits = limitsWithDefaults(options.limits);
    this.messageBytesMax = this.limits.receiveMessageBytesMax;
    this.headerLimits = { bytesMax: this.limits.metadataBytesMax, countMax: this.limits.headerCountMax };
    this.onCallEnd = options.onCallEnd;
    this.intake = new Intake(this.limits.unfinishedBytesMax, () => this.onLimit('unfinishedBytes'));
    this.queueBudget = new QueueBudget(this.limits.queuedBytesTotalMax, () => this.onLimit('queuedBytes'));
    this.deadlines = new Deadlines(this.#clock);
    this.inflater = new Inflater(this.messageBytesMax);
    for (const method of options.methods) {
      if (this.#methods.has(method.path)) throw new Error(`method ${method.path} is bound twice`);
      this.#methods.set(method.path, method);
    }
    this.#listener = new Listener({
      host: options.host,
      port: options.port,
      tls: options.tls,
      limits: this.limits,
      http1: options.http1,
      clock: this.#clock,
      logger: options.logger,
      onLimit: options.onLimit,
      onConnection: (stream) => this.#onConnection(stream),
    });
  }

  get port(): number {
    return this.#port;
  }

  get connectionCount(): number {
    return this.#listener.connectionCount;
  }

  get draining(): boolean {
    return this.#stopping !== undefined;
  }

  async start(): Promise<this> {
    this.#port = await this.#listener.listen();
    return this;
  }

  setTlsIdentity(identity: TlsIdentity): void {
    if (!this.#options.tls) throw new Error('this port was started without TLS');
    this.#listener.setTlsIdentity(identity);
  }

  nowMs(): number {
    return this.#clock.monotonicMs();
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    return this.#clock.setTimer(delayMs, callback);
  }

  onUnexpectedError(error: unknown, path: string): void {
    this.#options.onUnexpectedError(error, path);
  }

  onLimit(limit: RpcLimit): void {
    this.#options.onLimit?.(limit);
  }

  scheduleFlush(connection: ServerConnection): void {
    if (this.#unflushed.length === 0) setImmediate(this.#flush);
    this.#unflushed.push(connection);
  }

  open(connection: ServerConnection, streamId: number, head: RequestHead): ServerStream {
    if (head.method !== 'POST') return new RefusedStream(connection, streamId, head.contentLength, NOT_POST);
    if (!head.contentType.startsWith(GRPC_TYPE))
      return new RefusedStream(connection, streamId, head.contentLength, NOT_GRPC);
    const method = this.#methods.get(head.path);
    if (method !== undefined) return new CALL_CLASSES[method.kind](this, connection, streamId, head, method);
    return new RefusedStream(connection, streamId, head.contentLength, UNKNOWN_METHOD);
  }

  refuse(connection: ServerConnection, streamId: number): ServerStream {
    const { metadataBytesMax, headerCountMax } = this.limits;
    const message = `the metadata of a call has at most ${metadataBytesMax} bytes and ${headerCountMax} fields; send less`;
    return new RefusedStream(connection, streamId, -1, trailersOf('RESOURCE_EXHAUSTED', message));
  }

  onConnectionClosed(connection: ServerConnection): void {
    this.#connections.delete(connection);
  }

  stop(graceMs: number): Promise<void> {
    this.#stopping ??= this.#stop(graceMs);
    return this.#stopping;
  }

  #onConnection(stream: Duplex): void {
    const connection = new ServerConnection(stream, this);
    this.#connections.add(connection);
    connection.start();
    if (this.#connections.size === 1) this.#awaitAge();
  }

  /** One timer for all: connections are listed by age, so that the first one is due first. */
  #awaitAge(): void {
    const { connectionAgeMsMax } = this.limits;
    if (connectionAgeMsMax === Number.POSITIVE_INFINITY) return;
    this.#ageTimer?.cancel();
    this.#ageTimer = undefined;
    const nowMs = this.nowMs();
    for (const connection of [...this.#connections]) {
      const leftMs = connection.openedAtMs + connectionAgeMsMax - nowMs;
      if (leftMs > 0) {
        this.#ageTimer = this.#clock.setTimer(leftMs, () => this.#awaitAge());
        return;
      }
      this.#connections.delete(connection); // its end may take a while, as its calls are waited for
      this.onLimit('connectionAge');
      connection.drain();
    }
  }

  #flushAll(): void {
    const connections = this.#unflushed;
    this.#unflushed = [];
    for (const connection of connections) connection.flush();
  }

  async #stop(graceMs: number): Promise<void> {
    await null; // so that `draining` is true for those who are told below
    this.#listener.close();
    this.#ageTimer?.cancel();
    for (const connection of [...this.#connections]) connection.drain();
    for (const call of [...this.openCalls]) call.drain();
    await this.#emptyWithin(graceMs);
    for (const call of [...this.openCalls]) call.abort(new RpcError('UNAVAILABLE', 'the server has stopped'));
    await new Promise((resolve) => setImmediate(resolve)); // lets these answers reach the sockets
    this.#listener.destroy();
    this.deadlines.close();
    await this.#listener.whenEmpty();
  }

  async #emptyWithin(graceMs: number): Promise<void> {
    let onTimeout = ignore;
    const timeout = new Promise<void>((resolve) => {
      onTimeout = resolve;
    });
    const timer = this.#clock.setTimer(graceMs, onTimeout);
    await Promise.race([this.#listener.whenEmpty(), timeout]);
    timer.cancel();
  }
}

const UNKNOWN_METHOD = trailersOf('UNIMPLEMENTED', 'this server has no such method');
const ignore = (): void => {};

/**
 * Listens on a port and serves the given methods, over HTTP/2 of our own.
 * @throws Error when the port cannot be had or the TLS identity is not usable
 */
export function startNativeServer(options: RpcServerOptions): Promise<RpcServer> {
  return new NativeServer(options).start();
}
