import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock, Random } from '@orbitmq/base';
import type { Logger } from '@orbitmq/runtime';
import type { BoundMethod, RpcStatus } from './service.ts';

/** Limits of a server port; what exceeds them is refused with the right error and never harms a neighbour. */
export interface RpcServerLimits {
  /** Largest request message; well above the largest legal message so that this gets a proper answer. Bytes. */
  readonly receiveMessageBytesMax: number;
  /** Open calls of one connection. */
  readonly concurrentStreamsMax: number;
  /**
   * Header block of one call, as HTTP/2 counts it: name + value + 32 for each header. Holds from the moment at which the
   * client has acknowledged it; before, and at most, 64 KiB. Bytes.
   */
  readonly metadataBytesMax: number;
  readonly connectionsMax: number;
  /** Connections from one IP address. */
  readonly connectionsPerAddressMax: number;
  /** A connection whose TLS handshake and HTTP/2 preface are not complete by then is closed. Milliseconds. */
  readonly handshakeTimeoutMs: number;
  /**
   * A connection that sends nothing at all for so long is closed. Clients ping each 300 s at the latest.
   * Milliseconds, ≥ 120,000; default 900,000.
   */
  readonly idleTimeoutMs?: number;
  /** Of one request of HTTP/1.1, and between two; a connection on which none is answered for so long is closed. Default 10,000. */
  readonly http1TimeoutMs?: number;
  /** Connections that speak HTTP/1.1. Default 64. */
  readonly http1ConnectionsMax?: number;
  /**
   * What may have come of requests that are not complete, of all connections; beyond, the oldest ends with
   * RESOURCE_EXHAUSTED. Bytes; default 128 MiB, or four of the largest messages.
   */
  readonly unfinishedBytesMax?: number;
  /**
   * Answers that wait for one client to take them; beyond, its new calls are reset. The engine grpc-js counts what else a
   * connection holds with it. Bytes; default 64 MiB.
   */
  readonly queuedBytesMax?: number;
  /**
   * A connection older than this, give or take a tenth by chance, is drained, so that its client looks for a server anew.
   * Milliseconds, ≤ 1,952,257,860 (what a timer can be set to, with the tenth), or Infinity; default never.
   */
  readonly connectionAgeMsMax?: number;
  /** Only the native engine knows the limits that follow. Fields of one header list; default 256. */
  readonly headerCountMax?: number;
  /** Streams of one connection that are reset, by either side. Each second, and five times as many at once; default 200. */
  readonly resetsPerSecondMax?: number;
  /** Frames of one connection that carry nothing: pings, settings, window updates, empty data. Default 10,000. */
  readonly controlFramesPerSecondMax?: number;
  /** What a client may send on one stream before any of it is done with. Bytes, ≥ 65,536; default 512 KiB. */
  readonly streamWindowBytes?: number;
  /** The same for all streams of a connection together. Bytes, ≥ 65,536; default 4 MiB. */
  readonly connectionWindowBytes?: number;
  /**
   * What waits in the socket of one connection; then its answers wait in their streams, and at twice as much nothing more
   * is read from it. Bytes; default 1 MiB.
   */
  readonly socketBytesMax?: number;
  /**
   * Answers that wait for all clients together; beyond, the connection is cut whose client has taken nothing for longest.
   * Bytes; default 512 MiB.
   */
  readonly queuedBytesTotalMax?: number;
}

/** Limits of which metrics tell how often they have been exceeded. */
export type RpcLimit =
  | 'connections'
  | 'handshake'
  | 'idle'
  | 'streams'
  | 'headers'
  | 'messageBytes'
  | 'unfinishedBytes'
  | 'queuedBytes'
  | 'socketBytes'
  | 'windows'
  | 'resets'
  | 'controlFrames'
  | 'connectionAge'
  | 'http1';

/** What node:http calls for each request. It does not throw; bodies are bounded in time only, so it does not collect them. */
export type Http1Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** Certificate and key, PEM. */
export interface TlsIdentity {
  readonly certificate: string;
  readonly key: string;
}

export interface RpcServerOptions {
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  readonly methods: readonly BoundMethod[];
  /** With an identity the port speaks TLS and plaintext, told apart by the first byte; without, plaintext only. */
  readonly tls: TlsIdentity | undefined;
  readonly limits: RpcServerLimits;
  /** Answers requests of HTTP/1.1 on the same port; without it they are told to use HTTP/2 (426). */
  readonly http1?: Http1Handler | undefined;
  readonly logger: Logger;
  /** An exception that no handler meant: the call gets INTERNAL without details; the process is expected to end. */
  readonly onUnexpectedError: (error: unknown, path: string) => void;
  /** Called after each call, for metrics. */
  readonly onCallEnd?: (path: string, status: RpcStatus, durationMs: number) => void;
  /**
   * Called each time a client exceeds a limit, for metrics. The engine grpc-js tells of connections, handshake, idle, http1
   * and unfinishedBytes only.
   */
  readonly onLimit?: (limit: RpcLimit) => void;
  /** Default: the machine's clock. */
  readonly clock?: Clock;
  /** Spreads the ages of connections in the native engine; grpc-js has its own. Default: the machine's random source. */
  readonly random?: Random;
}

/** A listening port. */
export interface RpcServer {
  /** The port it got. */
  readonly port: number;
  /** Number of open connections. */
  readonly connectionCount: number;
  /**
   * Uses another certificate for connections made from now on; open ones keep theirs.
   * @throws Error when certificate and key are not usable together; the old ones stay in use
   */
  setTlsIdentity(identity: TlsIdentity): void;
  /**
   * Takes no new connections or calls (GOAWAY), tells open calls (`Call.onDrain`), lets them finish, and after `graceMs`
   * ends what is left with UNAVAILABLE. All sockets are closed when it settles. Idempotent.
   */
  stop(graceMs: number): Promise<void>;
}
