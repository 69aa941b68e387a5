import type { Call, RpcClient } from '@orbitmq/rpc';
import { passedMetadata } from '@orbitmq/rpc';
import type { Broker } from './brokers.ts';

/** A broker's deadline is so much before the client's, so that the client hears of it. Milliseconds. */
const MARGIN_MS = 100;
/** Longest wait for an answer where the client sets no limit. Milliseconds. */
export const WAIT_MAX_MS = 30_000;

/** Milliseconds that a broker gets for a client's call. */
export function timeoutFor(call: Call, waitMaxMs: number): number {
  return Math.max(1, Math.min(call.remainingMs() - MARGIN_MS, waitMaxMs));
}

/** Calls `use` with a connection to the broker; what it starts through `signal` is cancelled when the client goes. */
export async function withConnection<Result>(
  broker: Broker,
  call: Call,
  use: (client: RpcClient, signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const connection = broker.connections.acquire();
  const abort = new AbortController();
  const stopWaiting = call.onCancel(() => abort.abort());
  try {
    return await use(connection.client, abort.signal);
  } finally {
    stopWaiting();
    broker.connections.release(connection);
  }
}

/**
 * Passes a unary call on, undecoded both ways.
 * @throws RpcError when the broker does not answer, or answers in gRPC's terms; UnreachableError when it got nothing
 */
export function forward(
  broker: Broker,
  request: Uint8Array,
  call: Call,
  waitMaxMs: number = WAIT_MAX_MS,
): Promise<Uint8Array> {
  return withConnection(broker, call, (client, signal) => {
    const timeoutMs = timeoutFor(call, waitMaxMs);
    return client.raw.unary(call.path, request, { timeoutMs, metadata: passedMetadata(call), signal });
  });
}
