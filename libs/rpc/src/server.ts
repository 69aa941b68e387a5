import type { Logger } from '@orbitmq/runtime';
import type { BoundMethod } from './service.ts';

/** Limits of a server port; what exceeds them is refused with the right error and never harms a neighbour. */
export interface RpcServerLimits {
  /** Largest request message; well above the largest legal message so that this gets a proper answer. Bytes. */
  readonly receiveMessageBytesMax: number;
  readonly concurrentStreamsMax: number;
  readonly metadataBytesMax: number;
  readonly connectionsMax: number;
  readonly connectionsPerAddressMax: number;
  /** A connection that has not begun to speak by then is closed. Milliseconds. */
  readonly handshakeTimeoutMs: number;
}

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
  readonly logger: Logger;
  /** An exception that no handler meant: the call gets INTERNAL without details; the process is expected to end. */
  readonly onUnexpectedError: (error: unknown, path: string) => void;
  /** Called after each call, for metrics. */
  readonly onCallEnd?: (path: string, status: string, durationMs: number) => void;
}

/** A listening port. */
export interface RpcServer {
  /** The port it got. */
  readonly port: number;
  /** Number of open connections. */
  readonly connectionCount: number;
  /** Takes no new calls, lets open unary calls finish, ends streams, and closes within `graceMs`. Idempotent. */
  stop(graceMs: number): Promise<void>;
}
