import { MqError } from '@orbitmq/base';
import { type MessageQueue, PullMessageRequest, PullMessageResponse } from '@orbitmq/protocol/apache.rocketmq.v2';
import { type Call, passedMetadata, type Reply, type Sink } from '@orbitmq/rpc';
import { statusOf, unknownBroker } from './answers.ts';
import type { Candidates } from './broker-choice.ts';
import type { Broker } from './brokers.ts';
import { firstReachable } from './first-reachable.ts';
import { forwardStream, timeoutFor } from './forward.ts';
import { passOn } from './pass-on.ts';
import type { RelayContext } from './relay-context.ts';

/** Longest pull where the client sets no limit. Milliseconds. */
const WAIT_MAX_MS = 60_000;

/** A request about one queue of one broker. */
export interface QueueRequest {
  readonly bytes: Uint8Array;
  readonly topicName: string;
  readonly brokerName: string;
}

/** Makes the decoder of a request that holds its queue in `message_queue`. */
export function queueRequestDecoder(codec: {
  decode(bytes: Uint8Array): { messageQueue?: MessageQueue | undefined };
}): (bytes: Uint8Array) => QueueRequest {
  return (bytes) => {
    const queue = codec.decode(bytes).messageQueue;
    return { bytes, topicName: queue?.topic?.name ?? '', brokerName: queue?.broker?.name ?? '' };
  };
}

/** QueryOffset, GetOffset, UpdateOffset: to the broker of the queue. */
export function relayToQueue(context: RelayContext, request: QueueRequest, call: Call, reply: Reply<Uint8Array>): void {
  passOn(ownersOf(context, request), request.bytes, call, reply);
}

/** PullMessage: from the broker of the queue, response by response. When this server stops, one that waits is given up. */
export async function relayPull(
  context: RelayContext,
  request: QueueRequest,
  call: Call,
  sink: Sink<Uint8Array>,
): Promise<void> {
  let responseCount = 0;
  const counting: Sink<Uint8Array> = {
    write(response) {
      responseCount++;
      return sink.write(response);
    },
  };
  try {
    const owners = await ownersOf(context, request);
    await firstReachable(owners, (broker) => pass(broker, request, call, counting, () => responseCount > 0));
  } catch (error) {
    if (!(error instanceof MqError)) throw error;
    // What has come is whole messages: the client keeps them, and pulls again from behind the last one.
    if (responseCount > 0 || call.cancelled) return;
    sink.write(PullMessageResponse.encode({ status: statusOf(call.draining ? NOTHING_CAME : error) }).finish());
    if (!call.draining) return;
    const { offset } = PullMessageRequest.decode(request.bytes);
    sink.write(PullMessageResponse.encode({ nextOffset: offset }).finish());
  }
}

/** What a client hears whose pull is given up because this server stops: nothing is wrong, it asks again elsewhere. */
const NOTHING_CAME = new MqError('MESSAGE_NOT_FOUND', 'No message came before this name server stopped; pull again.');

async function pass(
  broker: Broker,
  request: QueueRequest,
  call: Call,
  sink: Sink<Uint8Array>,
  hasResponses: () => boolean,
): Promise<void> {
  const drained = new AbortController();
  const stopWaiting = call.onDrain(() => {
    if (!hasResponses()) drained.abort();
  });
  const options = { timeoutMs: timeoutFor(call, WAIT_MAX_MS), metadata: passedMetadata(call) };
  try {
    await forwardStream(broker, request.bytes, call, options, drained.signal, (response) => sink.write(response));
  } finally {
    stopWaiting();
  }
}

/**
 * The broker that the queue is on. Without its name the topic's broker, when there is only one.
 * @throws MqError INTERNAL_SERVER_ERROR when it is not there, BAD_REQUEST when it is not clear which is meant
 */
function ownersOf({ brokers, choice }: RelayContext, request: QueueRequest): Candidates {
  const { brokerName, topicName } = request;
  if (brokerName !== '') {
    const owner = brokers.named(brokerName);
    if (owner) return [owner];
    throw unknownBroker(brokerName);
  }
  const candidates = choice.candidates(topicName, 'read');
  return candidates instanceof Promise ? candidates.then(onlyOne) : onlyOne(candidates);
}

function onlyOne(candidates: readonly Broker[]): readonly Broker[] {
  if (candidates.length === 1) return candidates;
  throw new MqError(
    'BAD_REQUEST',
    `message_queue names its broker, as the topic is on ${candidates.length} of them; found no name; take the queue as QueryRoute gives it`,
  );
}
