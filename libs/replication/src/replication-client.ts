import { MIB } from '@orbitmq/base';
import {
  type FollowerMessage,
  type LeaderMessage,
  ReplicationServiceDefinition,
} from '@orbitmq/protocol/orbitmq.replication.v1';
import { type ClientTls, createRpcClient, type RpcEngineName } from '@orbitmq/rpc';
import { ACCESS_KEY } from './replication-service.ts';
import type { SettlementPeer } from './settlement-hand-over.ts';
import type { FollowerStream } from './stream.ts';

/** What may be on its way at once: some chunks, so that the leader reads and sends while they are taken in here. */
const RECEIVE_WINDOW_BYTES = 4 * MIB;

export interface ReplicationClientOptions {
  /** Plain text when undefined. */
  readonly tls: ClientTls | undefined;
  /** See `ReplicationServiceOptions.accessKey`. */
  readonly accessKey: string | undefined;
  /** What carries the calls; default: see `RPC_ENGINE_DEFAULT`. */
  readonly engine?: RpcEngineName | undefined;
}

/** Opens a stream to the member whose replication port is at `address`; each has a connection of its own. */
export function connectToLeader(address: string, options: ReplicationClientOptions): FollowerStream {
  const client = createRpcClient({
    addresses: [address],
    tls: options.tls,
    engine: options.engine,
    keepAliveMs: 5000,
    receiveWindowBytes: RECEIVE_WINDOW_BYTES,
  });
  const call = client.bidi(ReplicationServiceDefinition, 'follow', { metadata: metadataOf(options) });
  const incoming: AsyncIterable<LeaderMessage> = call.responses;
  return {
    write: (message: FollowerMessage) => call.write(message),
    close: () => {
      call.cancel();
      client.close();
    },
    incoming,
  };
}

/** A connection to the member whose replication port is at `address`, to hand over what was settled in its place. */
export function connectToSettle(address: string, options: ReplicationClientOptions): SettlementPeer {
  const client = createRpcClient({ addresses: [address], tls: options.tls, engine: options.engine });
  const callOptions = { metadata: metadataOf(options), timeoutMs: SETTLE_TIMEOUT_MS };
  return {
    settle: (request) => client.unary(ReplicationServiceDefinition, 'settle', request, callOptions),
    close: () => client.close(),
  };
}

/** The leader may have to wait for its disk, and its followers. Milliseconds. */
const SETTLE_TIMEOUT_MS = 5000;

function metadataOf({ accessKey }: ReplicationClientOptions): [string, string][] {
  return accessKey === undefined ? [] : [[ACCESS_KEY, accessKey]];
}
