import type { Clock, Random } from '@orbitmq/base';
import type { ClientTls } from '../client.ts';
import type { ClientCall } from './client-call.ts';
import { ClientConnection } from './client-connection.ts';
import { dial, type Target, targetOf } from './client-dial.ts';
import type { OwnHeaders } from './own-headers.ts';

/** How long an address may take to answer before the next is tried. */
const CONNECT_TIMEOUT_MS = 5_000;
const PAUSE_FIRST_MS = 100;
const PAUSE_GROWTH = 1.6;
const PAUSE_JITTER = 0.2;
/** A connection that has not lasted so long counts like one that did not come about, after the first. */
const LIFETIME_MIN_MS = 1_000;

export interface EndpointOptions {
  readonly tls: ClientTls | undefined;
  readonly receiveWindowBytes: number;
  readonly keepAliveMs: number;
  readonly reconnectPauseMsMax: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly own: OwnHeaders;
  /** A call that a connection gives back unsent. */
  readonly onUnsent: (call: ClientCall) => void;
}

/** One address of a client, with at most one connection that takes calls. It is tried again after growing pauses. */
export class Endpoint {
  readonly address: string;
  readonly #target: Target;
  readonly #options: EndpointOptions;
  /** All that have not ended, also those that take no calls any more. */
  readonly #connections = new Set<ClientConnection>();
  #connection: ClientConnection | undefined;
  #connecting: Promise<ClientConnection | undefined> | undefined;
  #abortConnecting: (() => void) | undefined;
  #failureCount = 0;
  #pauseEndMs = Number.NEGATIVE_INFINITY;

  /** @throws Error when the address is not of the form `host:port` */
  constructor(address: string, options: EndpointOptions) {
    this.address = address;
    this.#target = targetOf(address);
    this.#options = options;
  }

  /** The connection that takes calls, when it stands. */
  get connection(): ClientConnection | undefined {
    return this.#connection;
  }

  /** @returns undefined when the address can't be reached, or has failed a short time ago */
  connect(): Promise<ClientConnection | undefined> {
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  /** Cancels all calls. */
  close(): void {
    this.#abortConnecting?.();
    for (const connection of this.#connections) connection.cancelCalls();
    for (const connection of this.#connections) connection.close();
  }

  async #connect(): Promise<ClientConnection | undefined> {
    if (this.#connection) return this.#connection;
    const { clock } = this.#options;
    const startedMs = clock.monotonicMs();
    if (startedMs < this.#pauseEndMs) return undefined;
    const connection = await this.#open();
    if (!connection) this.#pause(startedMs);
    // It may have said hello and goodbye at once.
    else if (connection.takesCalls) this.#connection = connection;
    return this.#connection;
  }

  #open(): Promise<ClientConnection | undefined> {
    const { clock, tls, receiveWindowBytes, keepAliveMs, own, onUnsent } = this.#options;
    return new Promise((resolve) => {
      let connection: ClientConnection | undefined;
      let readyMs: number | undefined;
      const ended = (): void => {
        timer.cancel();
        this.#abortConnecting = undefined;
      };
      const socket = dial(this.#target, tls, () => {
        connection = new ClientConnection({
          socket,
          scheme: tls ? 'https' : 'http',
          authority: tls?.serverName ?? this.address,
          receiveWindowBytes,
          keepAliveMs,
          clock,
          own,
          onReady: () => {
            ended();
            readyMs = clock.monotonicMs();
            resolve(connection);
          },
          onGone: () => {
            if (readyMs !== undefined) this.#gone(connection!, readyMs);
          },
          onUnsent,
        });
        this.#connections.add(connection);
      });
      const timer = clock.setTimer(CONNECT_TIMEOUT_MS, () => socket.destroy());
      this.#abortConnecting = () => socket.destroy();
      socket.on('error', () => {}); // 'close' follows and says all that matters
      socket.once('close', () => {
        if (connection) this.#connections.delete(connection);
        if (readyMs === undefined) ended();
        resolve(undefined);
      });
    });
  }

  /** A connection that stood takes no calls any more. */
  #gone(connection: ClientConnection, readyMs: number): void {
    if (this.#connection === connection) this.#connection = undefined;
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - readyMs >= LIFETIME_MIN_MS) this.#failureCount = 0;
    else if (this.#failureCount++ > 0) this.#pause(nowMs);
  }

  #pause(fromMs: number): void {
    const { random, reconnectPauseMsMax } = this.#options;
    const pauseMs = Math.min(PAUSE_FIRST_MS * PAUSE_GROWTH ** this.#failureCount++, reconnectPauseMsMax);
    const jitter = 1 + PAUSE_JITTER * (random.below(2001) / 1000 - 1);
    this.#pauseEndMs = fromMs + pauseMs * jitter;
  }
}
