import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { connect as connectTcp, type Socket } from 'node:net';
import { type Clock, MIB, systemClock, type Timer } from '@orbitmq/base';
import type { Logger } from '@orbitmq/runtime';
import type { RpcClient, RpcClientOptions } from '../client.ts';
import type { RpcServer, RpcServerLimits, RpcServerOptions } from '../server.ts';
import type { BoundMethod, Call, Sink } from '../service.ts';

/** What the contract suite is run against. */
export interface RpcEngine {
  startServer(options: RpcServerOptions): Promise<RpcServer>;
  createClient(options: RpcClientOptions): RpcClient;
}

export const LIMITS: RpcServerLimits = {
  receiveMessageBytesMax: 5 * MIB,
  concurrentStreamsMax: 100,
  metadataBytesMax: 16_384,
  connectionsMax: 1_000,
  connectionsPerAddressMax: 1_000,
  handshakeTimeoutMs: 10_000,
};

export const silentLogger: Logger = {
  child: () => silentLogger,
  debug() {},
  info() {},
  warn() {},
  error() {},
};

/** A method whose messages are texts. */
export function textMethod(kind: BoundMethod['kind'], name: string, handler: BoundMethod['handler']): BoundMethod {
  return {
    kind,
    path: `/contract.Texts/${name}`,
    decode: (bytes) => Buffer.from(bytes).toString(),
    encode: (text) => Buffer.from(text as string),
    handler,
  };
}

export type TextUnary = (request: string, call: Call) => string | Promise<string>;
export type TextStream = (request: string, call: Call, sink: Sink<string>) => Promise<void>;
export type TextBidi = (requests: AsyncIterable<string>, call: Call, sink: Sink<string>) => Promise<void>;

/** Handlers by method name; the shape of each says what kind of method it is. */
export interface TextHandlers {
  readonly unary?: Readonly<Record<string, TextUnary>>;
  readonly serverStream?: Readonly<Record<string, TextStream>>;
  readonly bidi?: Readonly<Record<string, TextBidi>>;
}

export function textMethods(handlers: TextHandlers): BoundMethod[] {
  const of = (kind: BoundMethod['kind'], table: Readonly<Record<string, BoundMethod['handler']>> = {}): BoundMethod[] =>
    Object.entries(table).map(([name, handler]) => textMethod(kind, name, handler));
  return [...of('unary', handlers.unary), ...of('serverStream', handlers.serverStream), ...of('bidi', handlers.bidi)];
}

/** A server with a client, and what has been observed of its calls. */
export interface Fixture {
  readonly server: RpcServer;
  readonly client: RpcClient;
  readonly address: string;
  readonly unexpectedErrors: unknown[];
  /** `Method STATUS` of each call that has ended. */
  readonly ended: string[];
  /** Calls a unary method with a text. */
  text(name: string, request: string, options?: Parameters<RpcClient['raw']['unary']>[2]): Promise<string>;
}

/** Runs `use` with a server and closes all afterwards. */
export async function withServer(
  engine: RpcEngine,
  handlers: TextHandlers,
  use: (fixture: Fixture) => Promise<void>,
  options: Partial<RpcServerOptions> = {},
): Promise<void> {
  const unexpectedErrors: unknown[] = [];
  const ended: string[] = [];
  const server = await engine.startServer({
    host: '127.0.0.1',
    port: 0,
    methods: textMethods(handlers),
    tls: undefined,
    limits: LIMITS,
    logger: silentLogger,
    onUnexpectedError: (error) => unexpectedErrors.push(error),
    onCallEnd: (path, status) => ended.push(`${path.slice(path.lastIndexOf('/') + 1)} ${status}`),
    ...options,
  });
  const address = `127.0.0.1:${server.port}`;
  const client = engine.createClient({ addresses: [address], tls: undefined });
  const text: Fixture['text'] = async (name, request, callOptions) =>
    Buffer.from(await client.raw.unary(`/contract.Texts/${name}`, Buffer.from(request), callOptions)).toString();
  try {
    await use({ server, client, address, unexpectedErrors, ended, text });
  } finally {
    client.close();
    await server.stop(0);
  }
}

/** All messages of a stream, as texts. */
export async function textsOf(messages: AsyncIterable<Uint8Array>): Promise<string[]> {
  const texts: string[] = [];
  for await (const bytes of messages) texts.push(Buffer.from(bytes).toString());
  return texts;
}

/** Waits until a condition holds; fails after 10 s. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const endMs = systemClock.monotonicMs() + 10_000;
  while (!holds()) {
    if (systemClock.monotonicMs() > endMs) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** A promise that is settled from outside. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}

/** A gRPC frame: flag, length, message. */
export function framed(message: Buffer, compressed = 0, length = message.length): Buffer {
  const frame = Buffer.alloc(5 + message.length);
  frame[0] = compressed;
  frame.writeUInt32BE(length, 1);
  message.copy(frame, 5);
  return frame;
}

/** A bare HTTP/2 connection, for what no gRPC client would send. */
export async function withSession<T>(
  { server }: Fixture,
  use: (session: ClientHttp2Session) => Promise<T>,
): Promise<T> {
  const session = connect(`http://127.0.0.1:${server.port}`, { maxSessionMemory: 1_000 });
  session.on('error', () => {});
  try {
    await new Promise((resolve) => session.once('connect', resolve));
    return await use(session);
  } finally {
    session.destroy();
  }
}

export function openStream(
  session: ClientHttp2Session,
  name: string,
  headers: OutgoingHttpHeaders = {},
): ClientHttp2Stream {
  const stream = session.request({
    [constants.HTTP2_HEADER_METHOD]: 'POST',
    [constants.HTTP2_HEADER_PATH]: `/contract.Texts/${name}`,
    [constants.HTTP2_HEADER_CONTENT_TYPE]: 'application/grpc',
    [constants.HTTP2_HEADER_TE]: 'trailers',
    ...headers,
  });
  stream.on('error', () => {});
  return stream;
}

/** How a bare call ended. */
export interface BareAnswer {
  readonly httpStatus: number | undefined;
  readonly grpcStatus: number | undefined;
  readonly grpcMessage: string;
  readonly resetCode: number;
  readonly body: Buffer;
}

export async function answerOf(stream: ClientHttp2Stream): Promise<BareAnswer> {
  const chunks: Buffer[] = [];
  const headers: Record<string, unknown> = {};
  stream.on('response', (response) => Object.assign(headers, response));
  stream.on('trailers', (trailers) => Object.assign(headers, trailers));
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await new Promise((resolve) => stream.once('close', resolve));
  const numberOf = (key: string): number | undefined => (headers[key] === undefined ? undefined : Number(headers[key]));
  return {
    httpStatus: numberOf(':status'),
    grpcStatus: numberOf('grpc-status'),
    grpcMessage: decodeURIComponent(String(headers['grpc-message'] ?? '')),
    resetCode: stream.rstCode,
    body: Buffer.concat(chunks),
  };
}

/** A TCP connection that collects what it gets. */
export async function withSocket<T>(port: number, use: (socket: Socket) => Promise<T>): Promise<T> {
  const socket = connectTcp(port, '127.0.0.1');
  socket.on('error', () => {});
  try {
    await new Promise((resolve) => socket.once('connect', resolve));
    return await use(socket);
  } finally {
    socket.destroy();
  }
}

export function closed(socket: Socket): Promise<void> {
  socket.resume();
  return new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once('close', () => resolve());
  });
}

/** A clock that stands still until it is moved. */
export class MovedClock implements Clock {
  #nowMs = 1_000_000;
  readonly #timers = new Set<{ readonly atMs: number; readonly callback: () => void }>();

  wallMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const timer = { atMs: this.#nowMs + delayMs, callback };
    this.#timers.add(timer);
    return { cancel: () => this.#timers.delete(timer) };
  }

  move(byMs: number): void {
    this.#nowMs += byMs;
    for (const timer of [...this.#timers]) {
      if (timer.atMs <= this.#nowMs && this.#timers.delete(timer)) timer.callback();
    }
  }
}
