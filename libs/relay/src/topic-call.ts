import type { Resource } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Call } from '@orbitmq/rpc';
import type { Purpose } from './broker-choice.ts';
import { firstReachable } from './first-reachable.ts';
import { forward } from './forward.ts';
import type { RelayContext } from './relay-context.ts';

/** A request that any broker of its topic can answer. */
export interface TopicRequest {
  readonly bytes: Uint8Array;
  readonly topicName: string;
}

/** Makes the decoder of a request that holds its topic in `topic`. */
export function topicRequestDecoder(codec: {
  decode(bytes: Uint8Array): { topic?: Resource | undefined };
}): (bytes: Uint8Array) => TopicRequest {
  return (bytes) => ({ bytes, topicName: codec.decode(bytes).topic?.name ?? '' });
}

/** To one broker of the topic. */
export async function relayToTopic(
  context: RelayContext,
  request: TopicRequest,
  purpose: Purpose,
  call: Call,
): Promise<Uint8Array> {
  const candidates = await context.choice.candidates(request.topicName, purpose);
  return firstReachable(candidates, (broker) => forward(broker, request.bytes, call));
}
