import type { Clock, Timer } from '@orbitmq/base';
import { createRpcClient, type RpcClient } from '@orbitmq/rpc';

/** A connection that nobody has used for so long is closed; longer than any call that it carries. Milliseconds. */
const IDLE_MS = 60_000;

interface Peer {
  readonly client: RpcClient;
  closing: Timer;
}

/** Connections to other brokers, made when they are needed and closed when they are not any more. */
export class PeerConnections {
  private readonly clock: Clock;
  private readonly peers = new Map<string, Peer>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** @param address `host:port` of the client API, IPv6 in brackets */
  to(address: string): RpcClient {
    const peer = this.peers.get(address);
    const client = peer?.client ?? createRpcClient({ addresses: [address], tls: undefined });
    peer?.closing.cancel();
    this.peers.set(address, { client, closing: this.clock.setTimer(IDLE_MS, () => this.close(address)) });
    return client;
  }

  /** Cancels open calls. Idempotent. */
  stop(): void {
    for (const address of [...this.peers.keys()]) this.close(address);
  }

  private close(address: string): void {
    const peer = this.peers.get(address);
    this.peers.delete(address);
    peer?.closing.cancel();
    peer?.client.close();
  }
}
