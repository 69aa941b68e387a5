import { type ClientTls, createRpcClient, type RpcClient, type RpcEngineName } from '@orbitmq/rpc';

export interface NameServersOptions {
  /** `host:port` of each name server (RocketMQ's `namesrvAddr`). */
  readonly addresses: readonly string[];
  /** Plain text when undefined. */
  readonly tls?: ClientTls | undefined;
  /** What carries the calls; default: see `RPC_ENGINE_DEFAULT`. */
  readonly engine?: RpcEngineName | undefined;
}

/** A name server that comes back is to have its routes within a second. */
const RECONNECT_PAUSE_MS_MAX = 500;

/** A name server that may be called. */
export interface NameServer {
  /** `host:port` */
  readonly address: string;
  readonly client: RpcClient;
}

/** The name servers of a cluster: each is called by itself, because they never talk to each other. */
export class NameServers {
  readonly all: readonly NameServer[];

  constructor(options: NameServersOptions) {
    const { addresses, tls, engine } = options;
    const reconnectPauseMsMax = RECONNECT_PAUSE_MS_MAX;
    this.all = addresses.map((address) => ({
      address,
      client: createRpcClient({ addresses: [address], tls, engine, reconnectPauseMsMax }),
    }));
  }

  /** Cancels open calls and closes the connections. Idempotent. */
  close(): void {
    for (const { client } of this.all) client.close();
  }
}
