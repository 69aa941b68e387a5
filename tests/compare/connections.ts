import { createRpcClient, type RpcClient } from '@orbitmq/rpc';

/** Connections to a target: who a client is tell its headers, so that many clients share one. */
const CONNECTIONS = 8;

/** The connections of one run; opened when they are needed. */
export class Connections {
  readonly #clients: readonly RpcClient[];
  #next = 0;

  /** @param address `host:port` */
  constructor(address: string) {
    this.#clients = Array.from({ length: CONNECTIONS }, () =>
      createRpcClient({ addresses: [address], tls: undefined }),
    );
  }

  /** One after the other. */
  next(): RpcClient {
    return this.#clients[this.#next++ % this.#clients.length]!;
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }
}
