import type { Clock, Timer } from '@orbitmq/base';
import { createRpcClient, type RpcClient, type RpcEngineName } from '@orbitmq/rpc';

/**
 * Calls that share a connection: many, as what they send and get at one moment is one system call for all; not all, as a
 * broker gives up a connection on which too many calls are cut at once.
 */
const CALLS_PER_CONNECTION_MAX = 300;
/** Of the calls that a broker takes on a connection, so many are made: what is beyond would wait unseen. */
const USED_SHARE = 0.9;
/** A connection beyond the first that has carried nothing for as long is closed. Milliseconds. */
const IDLE_MS = 10_000;
/** A broker that comes back is to be used again soon. */
const RECONNECT_PAUSE_MS_MAX = 500;

/** A connection to a broker that carries calls. */
export interface BrokerConnection {
  readonly client: RpcClient;
}

interface Connection extends BrokerConnection {
  openCallCount: number;
  /** Has carried a call since it was last looked at. */
  isUsed: boolean;
}

export interface BrokerConnectionsOptions {
  /** `host:port`, at least one. */
  readonly addresses: readonly string[];
  /** Largest message of an answer. */
  readonly answerBytesMax: number;
  /** What carries the calls. */
  readonly engine: RpcEngineName | undefined;
  readonly clock: Clock;
}

/** Connections to one broker: one more whenever the others are full, and for as long as it is needed. */
export class BrokerConnections {
  readonly #options: BrokerConnectionsOptions;
  readonly #connections: Connection[] = [];
  #idleTimer: Timer | undefined;
  #isClosed = false;

  constructor(options: BrokerConnectionsOptions) {
    this.#options = options;
  }

  /** A connection for one call, to be given back by `release` when that has ended. */
  acquire(): BrokerConnection {
    const connection = this.#connections.find(hasPlace) ?? this.#open();
    connection.openCallCount++;
    connection.isUsed = true;
    return connection;
  }

  /** @param taken what `acquire` gave; to be called once for each */
  release(taken: BrokerConnection): void {
    const connection = taken as Connection;
    connection.openCallCount--;
    if (connection.openCallCount > 0) return;
    if (this.#isClosed) this.#close(connection);
    else if (connection !== this.#connections[0]) this.#lookLater();
  }

  /** Cancels open calls. A call that comes later still gets its connection, for itself alone. */
  close(): void {
    this.#isClosed = true;
    this.#idleTimer?.cancel();
    for (const { client } of this.#connections.splice(0)) client.close();
  }

  #open(): Connection {
    const { addresses, answerBytesMax, engine, clock } = this.#options;
    const client = createRpcClient({
      addresses,
      tls: undefined,
      engine,
      receiveMessageBytesMax: answerBytesMax,
      reconnectPauseMsMax: RECONNECT_PAUSE_MS_MAX,
      clock,
    });
    const connection = { client, openCallCount: 0, isUsed: true };
    this.#connections.push(connection);
    return connection;
  }

  #lookLater(): void {
    this.#idleTimer ??= this.#options.clock.setTimer(IDLE_MS, () => this.#closeIdle());
  }

  /** Closes what has not been used since the last look. */
  #closeIdle(): void {
    this.#idleTimer = undefined;
    for (const connection of this.#connections.slice(1)) {
      if (connection.openCallCount > 0) continue;
      if (!connection.isUsed) {
        this.#close(connection);
        continue;
      }
      connection.isUsed = false;
      this.#lookLater();
    }
  }

  #close(connection: Connection): void {
    const index = this.#connections.indexOf(connection);
    if (index < 0) return;
    this.#connections.splice(index, 1);
    connection.client.close();
  }
}

function hasPlace({ client, openCallCount }: Connection): boolean {
  return openCallCount < Math.min(CALLS_PER_CONNECTION_MAX, USED_SHARE * client.openCallsMax);
}
