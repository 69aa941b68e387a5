import { delay, MqError } from '@orbitmq/base';
import { encodeReceiveDeliveryTimestamp, encodeReceiveStatus } from '@orbitmq/protocol';
import type { Call, Sink } from '@orbitmq/rpc';
import { receiveFrom } from './broker-receive.ts';
import type { Broker } from './brokers.ts';
import { firstReachable } from './first-reachable.ts';
import { receiveFromAny } from './receive-from-any.ts';
import type { ReceiveRequest } from './receive-request.ts';
import type { RelayContext } from './relay-context.ts';

/** An error is answered no sooner: clients ask again at once, Rust after 1 ms. Milliseconds. */
const ERROR_HOLD_MS = 1000;

/** What a client hears whose receive is given up because this server stops: nothing is wrong, it asks again elsewhere. */
const NOTHING_CAME = new MqError(
  'MESSAGE_NOT_FOUND',
  'No message came before this name server stopped; receive again.',
);

/** ReceiveMessage: from the broker that the queue names, else from the brokers of the topic by turns; from any, see there. */
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
    const brokers = await brokersFor(context, request);
    if (request.isOfAnyBroker && brokers.length > 1) {
      await receiveFromAny(context, request, brokers, call, counting);
    } else {
      await firstReachable(brokers, (broker) => pass(broker, request, call, counting, () => responseCount > 0));
    }
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

/** At least one; the one that the client names first. */
async function brokersFor({ brokers, choice }: RelayContext, request: ReceiveRequest): Promise<readonly Broker[]> {
  const named = brokers.named(request.brokerName);
  if (named && !request.isOfAnyBroker) return [named];
  const candidates = await choice.candidates(request.topicName, 'read');
  return named ? [named, ...candidates.filter((broker) => broker !== named)] : candidates;
}

/** Passes the broker's responses on. When this server stops, a receive that still waits for messages is given up. */
async function pass(
  broker: Broker,
  request: ReceiveRequest,
  call: Call,
  sink: Sink<Uint8Array>,
  hasResponses: () => boolean,
): Promise<void> {
  const drained = new AbortController();
  const stopWaiting = call.onDrain(() => {
    if (!hasResponses()) drained.abort();
  });
  try {
    await receiveFrom(broker, request, call, 'wait', drained.signal, (response) => sink.write(response));
  } finally {
    stopWaiting();
  }
}

/** Waits until the error may be told, but not beyond the client's deadline. */
async function hold(context: RelayContext, call: Call, startedMs: number): Promise<void> {
  const spentMs = context.clock.monotonicMs() - startedMs;
  const waitMs = Math.min(ERROR_HOLD_MS - spentMs, call.remainingMs() - 100);
  if (waitMs > 0) await delay(context.clock, waitMs);
}
