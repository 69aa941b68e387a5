import { type Endpoints, QueryAssignmentRequest, QueryAssignmentResponse } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Call } from '@orbitmq/rpc';
import { decodedAnswer } from './answers.ts';
import type { RelayContext } from './relay-context.ts';
import { relayToTopic, type TopicRequest } from './topic-call.ts';

/** A QueryAssignmentRequest with what decides where it goes, and what it is answered. */
export interface AssignmentRequest extends TopicRequest {
  /** What the client dialled. */
  readonly endpoints: Endpoints | undefined;
}

export function decodeAssignmentRequest(bytes: Uint8Array): AssignmentRequest {
  const { topic, endpoints } = QueryAssignmentRequest.decode(bytes);
  return { bytes, topicName: topic?.name ?? '', endpoints };
}

/**
 * QueryAssignment: a broker of the topic answers. Clients poll at the endpoints in the answer, which are therefore those
 * that the route has.
 * @throws MqError ILLEGAL_ACCESS_POINT
 */
export async function relayAssignment(
  context: RelayContext,
  request: AssignmentRequest,
  call: Call,
): Promise<Uint8Array> {
  const endpoints = context.dialled.relayedEndpoints(request.endpoints, call.peer);
  const answer = await relayToTopic(context, request, 'read', call);
  return endpoints === undefined ? answer : withEndpoints(answer, endpoints);
}

function withEndpoints(answer: Uint8Array, endpoints: Endpoints): Uint8Array {
  const response = decodedAnswer(QueryAssignmentResponse, answer);
  for (const { messageQueue } of response.assignments) {
    if (messageQueue?.broker) messageQueue.broker.endpoints = endpoints;
  }
  return QueryAssignmentResponse.encode(response).finish();
}
