import type { Duplex } from 'node:stream';
import { systemRandom, type Timer } from '@orbitmq/base';
import { PortServer } from '../port-server.ts';
import type { RpcServer, RpcServerOptions } from '../server.ts';
import type { BoundMethod } from '../service.ts';
import { ConnectionAges } from './connection-ages.ts';
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

class NativeServer extends PortServer implements ConnectionHost, CallHost {
  readonly headerLimits: HeaderListLimits;
  readonly messageBytesMax: number;
  readonly openCalls = new OpenCalls<ServerCall>();
  readonly queueBudget: QueueBudget;
  readonly deadlines: Deadlines;
  readonly inflater: Inflater;
  readonly #methods = new Map<string, BoundMethod>();
  readonly #connections = new Set<ServerConnection>();
  readonly #ages: ConnectionAges<ServerConnection>;
  /** Connections that have something to send at the end of this turn. */
  #unflushed: ServerConnection[] = [];
  readonly #flush = (): void => this.#flushAll();

  constructor(options: RpcServerOptions) {
    super(options);
    this.messageBytesMax = this.limits.receiveMessageBytesMax;
    this.headerLimits = { bytesMax: this.limits.metadataBytesMax, countMax: this.limits.headerCountMax };
    this.queueBudget = new QueueBudget(this.limits.queuedBytesTotalMax, () => this.onLimit('queuedBytes'));
    this.deadlines = new Deadlines(this.clock);
    this.inflater = new Inflater(this.messageBytesMax);
    this.#ages = new ConnectionAges({
      ageMsMax: this.limits.connectionAgeMsMax,
      clock: this.clock,
      random: options.random ?? systemRandom,
      onOld: (connection) => this.#onOld(connection),
    });
    for (const method of options.methods) {
      if (this.#methods.has(method.path)) throw new Error(`method ${method.path} is bound twice`);
      this.#methods.set(method.path, method);
    }
  }

  nowMs(): number {
    return this.clock.monotonicMs();
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    return this.clock.setTimer(delayMs, callback);
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
    this.#ages.remove(connection);
  }

  protected override onConnection(stream: Duplex): void {
    const connection = new ServerConnection(stream, this);
    this.#connections.add(connection);
    this.#ages.add(connection);
    connection.start();
  }

  protected override drainConnections(): void {
    this.#ages.close();
    for (const connection of [...this.#connections]) connection.drain();
  }

  protected override close(): void {
    this.deadlines.close();
  }

  /** Its end may take a while, as its calls are waited for. */
  #onOld(connection: ServerConnection): void {
    this.onLimit('connectionAge');
    connection.drain();
  }

  #flushAll(): void {
    const connections = this.#unflushed;
    this.#unflushed = [];
    for (const connection of connections) connection.flush();
  }
}

const UNKNOWN_METHOD = trailersOf('UNIMPLEMENTED', 'this server has no such method');

/**
 * Listens on a port and serves the given methods, over HTTP/2 of our own.
 * @throws Error when the port cannot be had or the TLS identity is not usable
 */
export function startNativeServer(options: RpcServerOptions): Promise<RpcServer> {
  return new NativeServer(options).start();
}
