import { type Call, type CallOptions, type OpenCall, passedMetadata } from '@orbitmq/rpc';
import type { Broker } from './brokers.ts';

/** A broker's deadline is so much before the client's, so that the client hears of it. Milliseconds. */
const MARGIN_MS = 100;
/** Longest wait for an answer where the client sets no limit. Milliseconds. */
export const WAIT_MAX_MS = 30_000;

/** Milliseconds that a broker gets for a client's call. */
export function timeoutFor(call: Call, waitMaxMs: number): number {
  return Math.max(1, Math.min(call.remainingMs() - MARGIN_MS, waitMaxMs));
}

/**
 * Passes a unary call on, undecoded both ways.
 * @throws RpcError when the broker does not answer, or answers in gRPC's terms; UnreachableError when it got nothing
 */
export async function forward(
  broker: Broker,
  request: Uint8Array,
  call: Call,
  waitMaxMs: number = WAIT_MAX_MS,
): Promise<Uint8Array> {
  const connection = broker.connections.acquire();
  const abort = new AbortController();
  const stopWaiting = call.onCancel(() => abort.abort());
  const options = { timeoutMs: timeoutFor(call, waitMaxMs), metadata: passedMetadata(call), signal: abort.signal };
  try {
    return await connection.client.raw.unary(call.path, request, options);
  } finally {
    stopWaiting();
    broker.connections.release(connection);
  }
}

/**
 * Passes a call with a stream of responses on, undecoded both ways.
 * @param stop ends it, besides the client's going
 * @param take gets each response, and may hold the broker back by a promise
 * @throws RpcError as `forward`
 */
export function forwardStream(
  broker: Broker,
  request: Uint8Array,
  call: Call,
  options: CallOptions,
  stop: AbortSignal | undefined,
  take: (response: Uint8Array) => Promise<void> | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const { connections } = broker;
    const connection = connections.acquire();
    let there: OpenCall | undefined;
    const cancel = (): void => there?.cancel();
    const stopWaiting = call.onCancel(cancel);
    stop?.addEventListener('abort', cancel);
    there = connection.client.raw.serverStreamTo(call.path, request, options, {
      onResponse: take,
      onEnd(error) {
        stopWaiting();
        stop?.removeEventListener('abort', cancel);
        connections.release(connection);
        if (error) reject(error);
        else resolve();
      },
    });
    if (call.cancelled || stop?.aborted) there.cancel();
  });
}
