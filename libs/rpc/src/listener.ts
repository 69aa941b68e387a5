import { constants } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls';
import type { Clock, Timer } from '@orbitmq/base';
import type { Logger } from '@orbitmq/runtime';
import { plainAddress } from './address.ts';
import type { RpcLimit, RpcServerLimits, TlsIdentity } from './server.ts';

/** First byte of a TLS record that carries a handshake; no HTTP/2 preface begins so. */
const TLS_HANDSHAKE_BYTE = 0x16;
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
/** How a request of HTTP/1 begins, as far as less than the length of a preface shows. */
const HTTP1_REQUEST = /^[A-Z]{3,7} \/[ -~]*/;
const HTTP1_TEXT = 'this port speaks gRPC, which needs HTTP/2\n';
const HTTP1_ANSWER = [
  'HTTP/1.1 426 Upgrade Required',
  'Connection: close, Upgrade',
  'Upgrade: h2c',
  'Content-Type: text/plain; charset=utf-8',
  `Content-Length: ${HTTP1_TEXT.length}`,
  '',
  HTTP1_TEXT,
].join('\r\n');
/** How long somebody who is answered so may take to leave. */
const FAREWELL_MS = 1_000;
const IDLE_TIMEOUT_DEFAULT_MS = 900_000;
const KEEP_ALIVE_DELAY_MS = 60_000;
const BACKLOG = 1024;

export interface ListenerOptions {
  readonly host: string;
  readonly port: number;
  readonly tls: TlsIdentity | undefined;
  readonly limits: RpcServerLimits;
  readonly clock: Clock;
  readonly logger: Logger;
  /** A connection was closed for a limit. */
  readonly onLimit?: ((limit: RpcLimit) => void) | undefined;
  /** Takes over a connection that has sent the HTTP/2 preface, which is still to be read from it. */
  readonly onConnection: (connection: Duplex) => void;
}

interface Connection {
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
  readonly #idleTimeoutMs: number;
  #secureContext: SecureContext | undefined;
  #sweepTimer: Timer | undefined;
  #closed = false;
  #onEmpty: (() => void) | undefined;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#idleTimeoutMs = options.limits.idleTimeoutMs ?? IDLE_TIMEOUT_DEFAULT_MS;
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
    socket.on('error', () => {}); // 'close' follows and says all that matters
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
      socket,
      address,
      stream: socket,
      handshakeTimer: clock.setTimer(limits.handshakeTimeoutMs, () => this.#cutFor('handshake', connection)),
      bytesRead: 0,
      activeAtMs: clock.monotonicMs(),
    };
    this.#connections.set(socket, connection);
    this.#countByAddress.set(address, addressCount + 1);
    socket.once('close', () => this.#forget(connection));
    peek(socket, 1, (bytes) => {
      if (bytes[0] === TLS_HANDSHAKE_BYTE) this.#startTls(connection);
      else this.#awaitPreface(connection);
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
      ALPNProtocols: ['h2'],
    });
    secure.on('error', () => {});
    secure.once('close', () => this.#forget(connection));
    connection.stream = secure;
    secure.once('secure', () => {
      // A tls.Server would say so; node:http2 waits for it with all it does.
      Object.assign(secure, { secureConnecting: false });
      this.#awaitPreface(connection);
    });
  }

  /** Lets the engine have the connection once the whole preface is there, so that half of one counts as silence. */
  #awaitPreface(connection: Connection): void {
    peek(connection.stream, PREFACE.length, (bytes) => {
      connection.handshakeTimer?.cancel();
      connection.handshakeTimer = undefined;
      if (PREFACE.equals(bytes.subarray(0, PREFACE.length))) this.#options.onConnection(connection.stream);
      else if (HTTP1_REQUEST.test(bytes.toString('latin1', 0, PREFACE.length))) this.#sendAway(connection);
      else this.#cut(connection);
    });
  }

  /** Somebody looks with a browser, or checks health in another way: an answer tells more than a cut connection. */
  #sendAway(connection: Connection): void {
    connection.handshakeTimer = this.#options.clock.setTimer(FAREWELL_MS, () => this.#cut(connection));
    connection.stream.end(HTTP1_ANSWER);
    connection.stream.resume();
  }

  #cutFor(limit: RpcLimit, connection: Connection): void {
    this.#options.onLimit?.(limit);
    this.#cut(connection);
  }

  #cut(connection: Connection): void {
    connection.stream.destroy();
    connection.socket.destroy();
  }

  #forget(connection: Connection): void {
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
    this.#sweepTimer = this.#options.clock.setTimer(this.#idleTimeoutMs / 4, () => {
      const nowMs = this.#options.clock.monotonicMs();
      for (const connection of this.#connections.values()) {
        const bytesRead = connection.socket.bytesRead;
        if (bytesRead !== connection.bytesRead) {
          connection.bytesRead = bytesRead;
          connection.activeAtMs = nowMs;
        } else if (nowMs - connection.activeAtMs >= this.#idleTimeoutMs) {
          this.#cutFor('idle', connection);
        }
      }
      this.#scheduleSweep();
    });
  }
}

/**
 * Shows the first bytes of a stream and leaves them in it. Less than `length` are shown only when they already differ
 * from the preface. A peer that goes before that is never shown; 'close' tells of it.
 */
function peek(stream: Duplex, length: number, show: (bytes: Buffer) => void): void {
  let held: Buffer = Buffer.alloc(0);
  const onReadable = (): void => {
    const bytes: Buffer | null = stream.read();
    if (bytes === null) return;
    held = held.length === 0 ? bytes : Buffer.concat([held, bytes]);
    if (held.length < length && PREFACE.subarray(0, held.length).equals(held)) return;
    stream.off('readable', onReadable);
    stream.off('end', onEnd);
    stream.unshift(held);
    show(held);
  };
  // Half a preface and a FIN: nobody reads on, so nothing else would end this side.
  const onEnd = (): void => {
    stream.destroy();
  };
  stream.on('readable', onReadable);
  stream.on('end', onEnd);
}
