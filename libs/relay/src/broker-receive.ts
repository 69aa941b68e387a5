import { RECEIVE_MODE_HEADER, type ReceiveMode } from '@orbitmq/protocol';
import { type Call, passedMetadata } from '@orbitmq/rpc';
import type { Broker } from './brokers.ts';
import { timeoutFor, withConnection } from './forward.ts';
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
  return withConnection(broker, call, async (client, cancelled) => {
    const signal = stop === undefined ? cancelled : AbortSignal.any([cancelled, stop]);
    const metadata = passedMetadata(call, mode === 'wait' ? undefined : [RECEIVE_MODE_HEADER, mode]);
    const options = { timeoutMs: timeoutFor(call, WAIT_MAX_MS), metadata, signal };
    for await (const response of client.raw.serverStream(call.path, request.bytes, options)) {
      const room = take(response);
      if (room) await room;
    }
  });
}
