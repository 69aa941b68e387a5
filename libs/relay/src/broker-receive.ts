import { RECEIVE_MODE_HEADER, type ReceiveMode } from '@orbitmq/protocol';
import { type Call, passedMetadata } from '@orbitmq/rpc';
import type { Broker } from './brokers.ts';
import { forwardStream, timeoutFor } from './forward.ts';
import type { ReceiveRequest } from './receive-request.ts';

/** Longest receive where the client sets no limit. Milliseconds. */
const WAIT_MAX_MS = 60_000;

/**
 * Receives from one broker and gives each of its responses to `take`, which may hold the broker back by a promise.
 * @param mode another one than waiting for messages is told to the broker
 * @param stop ends it, besides the client's going
 * @throws RpcError
 */
export function receiveFrom(
  broker: Broker,
  request: ReceiveRequest,
  call: Call,
  mode: ReceiveMode,
  stop: AbortSignal | undefined,
  take: (response: Uint8Array) => Promise<void> | undefined,
): Promise<void> {
  const metadata = passedMetadata(call, mode === 'wait' ? undefined : [RECEIVE_MODE_HEADER, mode]);
  const options = { timeoutMs: timeoutFor(call, WAIT_MAX_MS), metadata };
  return forwardStream(broker, request.bytes, call, options, stop, take);
}
