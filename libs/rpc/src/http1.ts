import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock, Timer } from '@orbitmq/base';
import type { Http1Handler, RpcLimit } from './server.ts';
import type { ServerLimits } from './server-limits.ts';

const USE_HTTP2_TEXT = 'this port speaks gRPC, which needs HTTP/2\n';
/** What requests get where nobody answers them. */
const USE_HTTP2 = [
  'HTTP/1.1 426 Upgrade Required',
  'Connection: close, Upgrade',
  'Upgrade: h2c',
  'Content-Type: text/plain; charset=utf-8',
  `Content-Length: ${USE_HTTP2_TEXT.length}`,
  '',
  USE_HTTP2_TEXT,
].join('\r\n');
const BUSY = ending('503 Service Unavailable');
/** How long somebody who is sent away so may take to leave. */
const FAREWELL_MS = 1_000;
/** A connection has seen enough then, and its client makes another. */
const REQUESTS_MAX = 1_000;

function ending(status: string): string {
  return `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`;
}

export interface Http1Options {
  readonly handler: Http1Handler | undefined;
  readonly limits: ServerLimits;
  readonly clock: Clock;
  onLimit(limit: RpcLimit): void;
}

interface Connection {
  readonly stream: Duplex;
  /** Since its beginning, or since the last answer. */
  timer: Timer;
  /** Requests that are not answered yet: clients may send the next one early. */
  openCount: number;
}

/**
 * The connections of a port that speak HTTP/1.1: node:http reads their requests, for a handler that is handed in. Of time there is one limit,
 * for the head of a request as for its body, its answer and the pause before the next: from one answer to the next.
 */
export class Http1Connections {
  readonly #options: Http1Options;
  readonly #connections = new Map<Duplex, Connection>();
  readonly #server: Server | undefined;
  #isClosing = false;

  constructor(options: Http1Options) {
    this.#options = options;
    if (options.handler) this.#server = this.#createServer(options.handler);
  }

  /** Takes a connection over, whose first request is still to be read from it. */
  take(stream: Duplex): void {
    const { limits } = this.#options;
    if (this.#server === undefined) {
      this.#sendAway(stream, USE_HTTP2);
      return;
    }
    if (this.#connections.size >= limits.http1ConnectionsMax) {
      this.#options.onLimit('http1');
      this.#sendAway(stream, BUSY);
      return;
    }
    const connection: Connection = { stream, timer: this.#timeout(stream), openCount: 0 };
    this.#connections.set(stream, connection);
    stream.once('close', () => {
      connection.timer.cancel();
      this.#connections.delete(stream);
    });
    this.#server.emit('connection', stream as Socket);
  }

  /** Requests under way are answered; then, or at once, connections end. */
  close(): void {
    this.#isClosing = true;
    for (const { openCount, stream } of this.#connections.values()) if (openCount === 0) stream.destroy();
  }

  /** Never listens: its connections come from the port. */
  #createServer(handler: Http1Handler): Server {
    const { limits } = this.#options;
    const server = createServer(
      // Half the time, as node:http tells clients how long they may pause.
      { maxHeaderSize: limits.metadataBytesMax, keepAliveTimeout: limits.http1TimeoutMs / 2 },
      (request, response) => this.#answer(request, response, handler),
    );
    server.maxHeadersCount = limits.headerCountMax;
    server.maxRequestsPerSocket = REQUESTS_MAX;
    server.on('clientError', (error: NodeJS.ErrnoException, stream) => this.#onClientError(error, stream));
    return server;
  }

  #answer(request: IncomingMessage, response: ServerResponse, handler: Http1Handler): void {
    const connection = this.#connections.get(request.socket)!;
    connection.openCount++;
    response.once('close', () => {
      connection.openCount--;
      connection.timer.cancel();
      if (connection.stream.destroyed) return;
      if (this.#isClosing && connection.openCount === 0) connection.stream.end();
      connection.timer = this.#timeout(connection.stream);
    });
    if (this.#isClosing) response.setHeader('Connection', 'close');
    handler(request, response);
  }

  /** What came is no request, or too large a one. */
  #onClientError({ code }: NodeJS.ErrnoException, stream: Duplex): void {
    const isTooLarge = code === 'HPE_HEADER_OVERFLOW';
    if (isTooLarge) this.#options.onLimit('headers');
    // An answer that is being written is not to be broken into.
    if (!stream.writable || (this.#connections.get(stream)?.openCount ?? 0) > 0) stream.destroy();
    else stream.end(ending(isTooLarge ? '431 Request Header Fields Too Large' : '400 Bad Request'));
  }

  #timeout(stream: Duplex): Timer {
    const { clock, limits } = this.#options;
    return clock.setTimer(limits.http1TimeoutMs, () => {
      this.#options.onLimit('http1');
      stream.destroy();
    });
  }

  #sendAway(stream: Duplex, answer: string): void {
    const timer = this.#options.clock.setTimer(FAREWELL_MS, () => stream.destroy());
    stream.once('close', () => timer.cancel());
    stream.end(answer);
    stream.resume();
  }
}
