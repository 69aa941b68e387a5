import { constants } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls';
import type { Clock, Timer } from '@orbitmq/base';
import type { Logger } from '@orbitmq/runtime';
import { plainAddress } from './address.ts';
import { peekProtocol, peekTls } from './first-bytes.ts';
import { Http1Connections } from './http1.ts';
import type { Http1Handler, RpcLimit, TlsIdentity } from './server.ts';
import type { ServerLimits } from './server-limits.ts';

const KEEP_ALIVE_DELAY_MS = 60_000;
const BACKLOG = 1024;

export interface ListenerOptions {
  readonly host: string;
  readonly port: number;
  readonly tls: TlsIdentity | undefined;
  readonly limits: ServerLimits;
  /** Answers requests of HTTP/1.1; without it they are told to use HTTP/2. */
  readonly http1: Http1Handler | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** A connection was closed for a limit. */
  readonly onLimit?: ((limit: RpcLimit) => void) | undefined;
  /** Takes over a connection that has sent the HTTP/2 preface, which is still to be read from it. */
  readonly onConnection: (connection: Duplex) => void;
}

interface Connection {
  readonly listener: Listener;
  readonly socket: Socket;
  readonly address: string;
  /** What the engine speaks through: the socket itself or TLS over it. */
  stream: Duplex;
  /** Until the preface has come. */
  handshakeTimer: Timer | undefined;
  bytesRead: number;
  activeAtMs: number;
}

/**
 * A TCP port that speaks HTTP/2 in plain text and over TLS, told apart by the first byte. It counts connections, gives
 * each a limited time to begin, and closes those that have gone silent.
 */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #server: Server;
  readonly #connections = new Map<Socket, Connection>();
  readonly #countByAddress = new Map<string, number>();
  readonly #http1: Http1Connections;
  #secureContext: SecureContext | undefined;
  #sweepTimer: Timer | undefined;
  #closed = false;
  #onEmpty: (() => void) | undefined;

  constructor(options: ListenerOptions) {
    this.#options = options;
    const { limits, clock, onLimit } = options;
    this.#http1 = new Http1Connections({
      handler: options.http1,
      limits,
      clock,
      onLimit: (limit) => onLimit?.(limit),
    });
    if (options.tls) this.setTlsIdentity(options.tls);
    this.#server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_DELAY_MS });
    this.#server.on('connection', (socket) => this.#accept(socket));
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Begins to listen. @returns the port */
  listen(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host: this.#options.host, port: this.#options.port, backlog: BACKLOG }, () => {
        this.#server.off('error', reject);
        // Out of file descriptors, say: the port lives on and the next accept may work.
        this.#server.on('error', (error) => this.#options.logger.error({ error }, 'accept failed'));
        this.#scheduleSweep();
        resolve((this.#server.address() as { port: number }).port);
      });
    });
  }

  /** @throws Error when certificate and key are not usable together */
  setTlsIdentity(identity: TlsIdentity): void {
    this.#secureContext = createSecureContext({
      cert: identity.certificate,
      key: identity.key,
      minVersion: 'TLSv1.2',
      // A client that renegotiates only costs CPU (CVE-2011-1473).
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    });
  }

  /** Takes no new connections and cuts those that have not begun to speak. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#sweepTimer?.cancel();
    this.#server.close();
    this.#http1.close();
    for (const connection of this.#connections.values()) {
      if (connection.handshakeTimer) this.#cut(connection);
    }
  }

  /** Settles when no connection is left. */
  whenEmpty(): Promise<void> {
    if (this.#connections.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onEmpty = resolve;
    });
  }

  /** Cuts all connections. */
  destroy(): void {
    for (const connection of this.#connections.values()) this.#cut(connection);
  }

  #accept(socket: Socket): void {
    socket.on('error', ignore); // 'close' follows and says all that matters
    const { limits, logger, clock } = this.#options;
    const address = plainAddress(socket.remoteAddress ?? '');
    const addressCount = this.#countByAddress.get(address) ?? 0;
    // Without an address the peer is gone already.
    if (
      address === '' ||
      this.#connections.size >= limits.connectionsMax ||
      addressCount >= limits.connectionsPerAddressMax
    ) {
      this.#options.onLimit?.('connections');
      logger.debug({ address, connections: this.#connections.size, addressCount }, 'connection refused');
      socket.destroy();
      return;
    }
    const connection: Connection = {
      listener: this,
      socket,
      address,
      stream: socket,
      handshakeTimer: clock.setTimer(limits.handshakeTimeoutMs, () => this.#cutFor('handshake', connection)),
      bytesRead: 0,
      activeAtMs: clock.monotonicMs(),
    };
    this.#connections.set(socket, connection);
    this.#countByAddress.set(address, addressCount + 1);
    (socket as Duplex as OwnedStream)[OWNER] = connection;
    socket.on('close', onClose);
    peekTls(socket, (isTls) => {
      if (isTls) this.#startTls(connection);
      else this.#awaitProtocol(connection);
    });
  }

  #startTls(connection: Connection): void {
    if (!this.#secureContext) {
      this.#cut(connection);
      return;
    }
    const secure = new TLSSocket(connection.socket, {
      isServer: true,
      secureContext: this.#secureContext,
      ALPNProtocols: this.#options.http1 ? ['h2', 'http/1.1'] : ['h2'],
    });
    (secure as Duplex as OwnedStream)[OWNER] = connection;
    secure.on('error', ignore);
    secure.on('close', onClose);
    // What cannot be decrypted once TLS stands: nothing is read any more then, and only a tls.Server would close it.
    secure.on('_tlsError', () => this.#cut(connection));
    connection.stream = secure;
    secure.once('secure', () => {
      // A tls.Server would say so; node:http2 waits for it with all it does.
      Object.assign(secure, { secureConnecting: false });
      this.#awaitProtocol(connection);
    });
  }

  /** Lets the engine have the connection once the whole preface is there, so that half of one counts as silence. */
  #awaitProtocol(connection: Connection): void {
    peekProtocol(connection.stream, (protocol) => {
      connection.handshakeTimer?.cancel();
      connection.handshakeTimer = undefined;
      if (protocol === 'HTTP/2') this.#options.onConnection(connection.stream);
      else if (protocol === 'HTTP/1') this.#http1.take(connection.stream);
      else this.#cut(connection);
    });
  }

  #cutFor(limit: RpcLimit, connection: Connection): void {
    this.#options.onLimit?.(limit);
    this.#cut(connection);
  }

  #cut(connection: Connection): void {
    connection.stream.destroy();
    connection.socket.destroy();
  }

  /** It is closed, by whichever side; may be said twice. */
  forget(connection: Connection): void {
    connection.handshakeTimer?.cancel();
    connection.handshakeTimer = undefined;
    if (!this.#connections.delete(connection.socket)) return;
    const addressCount = this.#countByAddress.get(connection.address)! - 1;
    if (addressCount === 0) this.#countByAddress.delete(connection.address);
    else this.#countByAddress.set(connection.address, addressCount);
    if (this.#connections.size === 0) this.#onEmpty?.();
  }

  /** One timer for all connections: a timer each would have to be moved with every packet. */
  #scheduleSweep(): void {
    const { idleTimeoutMs } = this.#options.limits;
    this.#sweepTimer = this.#options.clock.setTimer(idleTimeoutMs / 4, () => {
      const nowMs = this.#options.clock.monotonicMs();
      for (const connection of this.#connections.values()) {
        const bytesRead = connection.socket.bytesRead;
        if (bytesRead !== connection.bytesRead) {
          connection.bytesRead = bytesRead;
          connection.activeAtMs = nowMs;
        } else if (nowMs - connection.activeAtMs >= idleTimeoutMs) {
          this.#cutFor('idle', connection);
        }
      }
      this.#scheduleSweep();
    });
  }
}

const ignore = (): void => {};

/** Where a stream keeps its connection: functions that all share listen to it, which an idle one would pay for. */
const OWNER = Symbol('connection');

interface OwnedStream extends Duplex {
  [OWNER]: Connection;
}

function onClose(this: Duplex): void {
  const connection = (this as OwnedStream)[OWNER];
  connection.listener.forget(connection);
}
