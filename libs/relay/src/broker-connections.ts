import { createRpcClient, type RpcClient, type RpcEngineName } from '@orbitmq/rpc';

/** Open calls of one connection; brokers allow at least 100, and what is beyond would wait unseen. */
const CALLS_PER_CONNECTION = 90;
/** A broker that comes back is to be used again soon. */
const RECONNECT_PAUSE_MS_MAX = 500;

/** A connection that carries a call. */
export interface Lease {
  readonly client: RpcClient;
  /** Gives the place back when the call has ended. To be called once. */
  release(): void;
}

interface Connection {
  readonly client: RpcClient;
  openCalls: number;
}

/** Connections to one broker: one more whenever the others are full, none that is not needed. */
export class BrokerConnections {
  readonly #addresses: readonly string[];
  readonly #answerBytesMax: number;
  readonly #engine: RpcEngineName | undefined;
  readonly #connections: Connection[] = [];
  #isClosed = false;

  /**
   * @param addresses `host:port`, at least one
   * @param answerBytesMax largest message of an answer
   * @param engine what carries the calls
   */
  constructor(addresses: readonly string[], answerBytesMax: number, engine: RpcEngineName | undefined) {
    this.#addresses = addresses;
    this.#answerBytesMax = answerBytesMax;
    this.#engine = engine;
  }

  acquire(): Lease {
    const connection = this.#connections.find(({ openCalls }) => openCalls < CALLS_PER_CONNECTION) ?? this.#open();
    connection.openCalls++;
    return { client: connection.client, release: () => this.#release(connection) };
  }

  /** Cancels open calls. A call that comes later still gets its connection, for itself alone. */
  close(): void {
    this.#isClosed = true;
    for (const { client } of this.#connections.splice(0)) client.close();
  }

  #open(): Connection {
    const client = createRpcClient({
      addresses: this.#addresses,
      tls: undefined,
      engine: this.#engine,
      receiveMessageBytesMax: this.#answerBytesMax,
      reconnectPauseMsMax: RECONNECT_PAUSE_MS_MAX,
    });
    const connection = { client, openCalls: 0 };
    this.#connections.push(connection);
    return connection;
  }

  #release(connection: Connection): void {
    connection.openCalls--;
    const isKept = !this.#isClosed && this.#connections[0] === connection;
    if (connection.openCalls > 0 || isKept) return;
    const index = this.#connections.indexOf(connection);
    if (index < 0) return;
    this.#connections.splice(index, 1);
    connection.client.close();
  }
}
