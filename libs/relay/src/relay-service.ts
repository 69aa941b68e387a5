import { MIB, MqError } from '@orbitmq/base';
import {
  GetOffsetRequest,
  MessagingServiceDefinition,
  PullMessageRequest,
  QueryOffsetRequest,
  QueryRouteRequest,
  QueryRouteResponse,
  SyncLiteSubscriptionRequest,
  UpdateOffsetRequest,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import {
  type BoundMethod,
  bidi,
  boundRequests,
  type Call,
  type Reply,
  serverStream,
  unary,
  unaryReply,
} from '@orbitmq/rpc';
import { decodeAckRequest, relayAck } from './acknowledge.ts';
import { encodeStatusAnswer } from './answers.ts';
import { relayEverywhere } from './everywhere.ts';
import { relayLiteSubscription } from './lite-subscription.ts';
import { decodeEndTransaction, decodeRecall, relayToOwner } from './owner-call.ts';
import { refuse } from './pass-on.ts';
import { decodeAssignmentRequest, relayAssignment } from './query-assignment.ts';
import { answerRoute } from './query-route.ts';
import { type QueueRequest, queueRequestDecoder, relayPull, relayToQueue } from './queue-call.ts';
import { relayReceive } from './receive.ts';
import { decodeReceiveRequest } from './receive-request.ts';
import { RAW, type RelayContext } from './relay-context.ts';
import { decodeSendRequest, relaySend } from './send.ts';
import { decodeChangeInvisible, decodeDeadLetter, relaySettle } from './settle.ts';
import { TelemetryRelay } from './telemetry.ts';
import { topicRequestDecoder } from './topic-call.ts';

/** Longest request but for SendMessage, which stays bytes here. */
const REQUEST_BYTES_MAX = MIB;

type MethodName = keyof typeof MessagingServiceDefinition.methods;

/**
 * `apache.rocketmq.v2.MessagingService` as a name server serves it: routes from memory, everything else from the
 * brokers.
 */
export function relayMethods(context: RelayContext): BoundMethod[] {
  const methods = [
    bindUnary(
      'queryRoute',
      (bytes) => QueryRouteRequest.decode(bytes),
      async (request, call) => QueryRouteResponse.encode(await answerRoute(context, request, call)).finish(),
    ),
    bindUnary('heartbeat', RAW.decode, (request, call) => relayEverywhere(context, request, call)),
    bindUnary('notifyClientTermination', RAW.decode, (request, call) => relayEverywhere(context, request, call)),
    bindPassed('sendMessage', decodeSendRequest, (request, call, reply) => relaySend(context, request, call, reply)),
    bindPassed(
      'ackMessage',
      (bytes) => decodeAckRequest(context, bytes),
      (request, call, reply) => relayAck(context, request, call, reply),
    ),
    bindPassed('changeInvisibleDuration', decodeChangeInvisible, (request, call, reply) =>
      relaySettle(context, request, call, reply),
    ),
    bindPassed('forwardMessageToDeadLetterQueue', decodeDeadLetter, (request, call, reply) =>
      relaySettle(context, request, call, reply),
    ),
    bindUnary('queryAssignment', decodeAssignmentRequest, (request, call) => relayAssignment(context, request, call)),
    bindPassed('endTransaction', decodeEndTransaction, (request, call, reply) =>
      relayToOwner(context, request, call, reply),
    ),
    bindPassed('recallMessage', decodeRecall, (request, call, reply) => relayToOwner(context, request, call, reply)),
    bindUnary('syncLiteSubscription', topicRequestDecoder(SyncLiteSubscriptionRequest), (request, call) =>
      relayLiteSubscription(context, request, call),
    ),
    bindPassed('queryOffset', queueRequestDecoder(QueryOffsetRequest), (request, call, reply) =>
      relayToQueue(context, request, call, reply),
    ),
    bindPassed('getOffset', queueRequestDecoder(GetOffsetRequest), (request, call, reply) =>
      relayToQueue(context, request, call, reply),
    ),
    bindPassed('updateOffset', queueRequestDecoder(UpdateOffsetRequest), (request, call, reply) =>
      relayToQueue(context, request, call, reply),
    ),
    serverStream(
      MessagingServiceDefinition,
      'pullMessage',
      (request: QueueRequest, call, sink) => relayPull(context, request, call, sink),
      { decode: queueRequestDecoder(PullMessageRequest), encode: RAW.encode },
    ),
    serverStream(
      MessagingServiceDefinition,
      'receiveMessage',
      (request: ReturnType<typeof decodeReceiveRequest>, call, sink) => relayReceive(context, request, call, sink),
      { decode: decodeReceiveRequest, encode: RAW.encode },
    ),
    bidi(
      MessagingServiceDefinition,
      'telemetry',
      (requests: AsyncIterable<Uint8Array>, call, sink) => new TelemetryRelay(context, call, sink).run(requests),
      RAW,
    ),
  ];
  return boundRequests(methods, REQUEST_BYTES_MAX, ['SendMessage']);
}

/** Binds a method that is passed on to one broker. */
function bindPassed<Request>(
  name: MethodName,
  decode: (bytes: Uint8Array) => Request,
  handle: (request: Request, call: Call, reply: Reply<Uint8Array>) => void,
): BoundMethod {
  const handler = (request: Request, call: Call, reply: Reply<Uint8Array>): void => {
    try {
      handle(request, call, reply);
    } catch (error) {
      refuse(reply, error);
    }
  };
  return unaryReply(MessagingServiceDefinition, name, handler, { decode, encode: RAW.encode });
}

/** Binds a method whose answer is ready bytes, and whose refusals are a status in the answer. */
function bindUnary<Request>(
  name: MethodName,
  decode: (bytes: Uint8Array) => Request,
  handle: (request: Request, call: Call) => Promise<Uint8Array>,
): BoundMethod {
  const handler = async (request: Request, call: Call): Promise<Uint8Array> => {
    try {
      return await handle(request, call);
    } catch (error) {
      if (error instanceof MqError) return encodeStatusAnswer(error);
      throw error;
    }
  };
  return unary(MessagingServiceDefinition, name, handler, { decode, encode: RAW.encode });
}
