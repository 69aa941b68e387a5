import { delay, MqError } from '@orbitmq/base';
import { encodeReceiveDeliveryTimestamp, encodeReceiveStatus } from '@orbitmq/protocol';
import { ReceiveMessageRequest } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Call, Sink } from '@orbitmq/rpc';
import { passedMetadata } from '@orbitmq/rpc';
import type { Broker } from './brokers.ts';
import { firstReachable } from './first-reachable.ts';
import { timeoutFor, withConnection } from './forward.ts';
import type { RelayContext } from './relay-context.ts';

/** An error is answered no sooner: clients ask again at once, Rust after 1 ms. Milliseconds. */
const ERROR_HOLD_MS = 1000;
/** Longest receive where the client sets no limit. Milliseconds. */
const WAIT_MAX_MS = 60_000;

/** What a client hears whose receive is given up because this server stops: nothing is wrong, it asks again elsewhere. */
const NOTHING_CAME = new MqError(
  'MESSAGE_NOT_FOUND',
  'No message came before this name server stopped; receive again.',
);

/** A ReceiveMessageRequest with what decides where it goes. */
export interface ReceiveRequest {
  readonly bytes: Uint8Array;
  readonly topicName: string;
  readonly brokerName: string;
}

export function decodeReceiveRequest(bytes: Uint8Array): ReceiveRequest {
  const queue = ReceiveMessageRequest.decode(bytes).messageQueue;
  return { bytes, topicName: queue?.topic?.name ?? '', brokerName: queue?.broker?.name ?? '' };
}

/** ReceiveMessage: from the broker that the queue names, else from the brokers of the topic by turns. */
export async function relayReceive(
  context: RelayContext,
  request: ReceiveRequest,
  call: Call,
  sink: Sink<Uint8Array>,
): Promise<void> {
  const startedMs = context.clock.monotonicMs();
  let responseCount = 0;
  const counting: Sink<Uint8Array> = {
    write(response) {
      responseCount++;
      return sink.write(response);
    },
  };
  try {
    const named = context.brokers.named(request.brokerName);
    const candidates = named ? [named] : await context.choice.candidates(request.topicName, 'read');
    await firstReachable(candidates, (broker) => pass(broker, request, call, counting, () => responseCount > 0));
  } catch (error) {
    if (!(error instanceof MqError)) throw error;
    // What has come is whole messages: the client keeps them.
    if (responseCount > 0 || call.cancelled) return;
    const answer = call.draining ? NOTHING_CAME : error;
    if (!call.draining) await hold(context, call, startedMs);
    sink.write(encodeReceiveStatus(answer.codeNumber, answer.message));
    sink.write(encodeReceiveDeliveryTimestamp(context.clock.wallMs()));
  }
}

/** Passes the broker's responses on. When this server stops, a receive that still waits for messages is given up. */
function pass(
  broker: Broker,
  request: ReceiveRequest,
  call: Call,
  sink: Sink<Uint8Array>,
  hasResponses: () => boolean,
): Promise<void> {
  return withConnection(broker, call, async (client, cancelled) => {
    const drained = new AbortController();
    const stopWaiting = call.onDrain(() => {
      if (!hasResponses()) drained.abort();
    });
    const signal = AbortSignal.any([cancelled, drained.signal]);
    const options = { timeoutMs: timeoutFor(call, WAIT_MAX_MS), metadata: passedMetadata(call), signal };
    try {
      for await (const response of client.raw.serverStream(call.path, request.bytes, options)) {
        const room = sink.write(response);
        if (room) await room;
      }
    } finally {
      stopWaiting();
    }
  });
}

/** Waits until the error may be told, but not beyond the client's deadline. */
async function hold(context: RelayContext, call: Call, startedMs: number): Promise<void> {
  const spentMs = context.clock.monotonicMs() - startedMs;
  const waitMs = Math.min(ERROR_HOLD_MS - spentMs, call.remainingMs() - 100);
  if (waitMs > 0) await delay(context.clock, waitMs);
}
